"""Power models of the kinds that nobody measured, by stated rules from those that were; every figure says "assumed".

The rules, in the order of preference:
- a sibling with the same chip gives knee (at the same share of the greatest clock), rise and joules per SM and cycle
  (so core_w goes with the greatest clock and the SMs), and how far a context lies above idle;
- without one, knee and rise are the means of the swept boards (V100, A100, RTX 8000): 0.72 of the greatest clock, 1.43;
- without one, u = 1 draws 1.42 of the rated watts at the greatest clock, as on H200, and a context 1.5 of idle;
- memory_w follows the peak DRAM bandwidth within a kind of memory (HBM2 of V100, HBM3 of H200, HBM3e of B300).

    PYTHONPATH=benchmarks python -m calibration.derived_kinds --write
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from calibration.kind_file import write_power_model

from goodwatt.bundled_yaml import read_bundled
from goodwatt.cluster.catalogue import FOLDER, gpu_kind
from goodwatt.cluster.gpu_kind import GpuKind, PowerModel

MEAN_KNEE, MEAN_RISE = 0.72, 1.43
"""Means of V100 (0.72, 1.35), A100 (0.78, 1.45) and RTX 8000 (0.67, 1.5)."""
FULL_OVER_RATED = 1.42
"""u = 1 over the rated watts: H200 994 of 700 W; V100-PCIE 395 of 250 W and B300 1.3 of 1100 W bracket it."""
CONTEXT_OVER_IDLE = 1.5
"""V100-PCIE 1.35, H200 1.56, A100-PCIE 1.1, P100 1.2, A40 2.3, RTX6000 3.6: newer boards of data centres."""
CHIP_SPREAD = 0.08
TIME_ERROR, POWER_ERROR = 0.03, 0.05

CHIP_SOURCE = "assumed: identical boards differ by 8% on average (design note, not checked here), taken for SM watts"
H200_CHIP_SOURCE = "assumed: rates of 8 boards at the cap spread by 1.8% (h200_measured), times 2.3, watts per clock"


@dataclass(frozen=True)
class Rule:
    """How a kind is derived. `like`: kind of the same chip. `gbps`: peak DRAM bandwidth, data sheet."""

    like: str | None
    gbps: float
    memory_like: tuple[str, float]
    step_mhz: float = 15.0
    sm_ratio: float = 1.0
    """Number of SMs over that of the sibling."""


V100, A100, H200, B300 = ("V100-PCIE", 900.0), ("A100-PCIE-80GB", 1935.0), ("H200-SXM", 4800.0), ("B300-SXM", 8000.0)
DERIVED = {
    "V100-SXM2": Rule("V100-PCIE", 900, V100, 7.5),
    "V100-SXM2-32GB": Rule("V100-PCIE", 900, V100, 7.5),
    "A100-SXM4-40GB": Rule("A100-PCIE-80GB", 1555, A100),
    "A100-SXM4-80GB": Rule("A100-PCIE-80GB", 2039, A100),
    "A800-SXM4-80GB": Rule("A100-PCIE-80GB", 2039, A100),
    "H100-SXM": Rule("H200-SXM", 3350, H200),
    "H100-PCIE": Rule("H200-SXM", 2000, H200, sm_ratio=114 / 132),
    "H800-SXM": Rule("H200-SXM", 3350, H200),
    "B200-SXM": Rule("B300-SXM", 8000, B300, 7.5),
    "GB200": Rule("B300-SXM", 8000, B300, 7.5),
    "T4": Rule(None, 320, V100),
    "A10": Rule(None, 600, V100),
    "K80": Rule(None, 240, V100),
}
MEASURED = {
    "V100-PCIE": (7.5, 900.0),
    "A40": (15.0, 696.0),
    "RTX6000": (15.0, 672.0),
    "P100-PCIE": (12.0, 732.0),
    "A100-PCIE-80GB": (15.0, 1935.0),
    "H200-SXM": (15.0, 4800.0),
    "B300-SXM": (7.5, 8000.0),
}
"""Clock step, and peak GB/s for those whose DRAM watts nobody could tell."""
A100_FULL_W = 400.0
"""assumed: SM watts of u = 1 at 1410 MHz; no kernel of the grid uses the tensor cores."""
V100_MEMORY_W = 80.0
"""dvfs_v100_rtx8000: DRAM watts per DRAM activity, 85 over real kernels, 49 over microbenchmarks; read off, rounded."""
STEP_SOURCES = {
    "V100-PCIE": "dvfs_v100_rtx8000: its clocks lie on steps of 7.5 MHz",
    "A100-PCIE-80GB": "a100_rtxpro6000_clock_x_cap: its clocks lie on steps of 15 MHz",
    "H200-SXM": "h200_measured: 345-1980 MHz in 110 steps",
    "B300-SXM": "b300_power: its clocks lie on steps of 7.5 MHz",
}
STEP_ASSUMED = "assumed: as boards of its generation, not checked against one"


def measured_rest(kind: str) -> dict[str, tuple[float, str]]:
    """The figures of a measured kind that its own data cannot tell."""
    step, gbps = MEASURED[kind]
    own = {"clock_step_mhz": (step, STEP_SOURCES.get(kind, STEP_ASSUMED))}
    chip = (0.04, H200_CHIP_SOURCE) if kind == "H200-SXM" else (CHIP_SPREAD, CHIP_SOURCE)
    found: dict[str, tuple[float, str]] = {**own, "chip_spread": chip}
    if kind == "V100-PCIE":
        found["memory_w"] = (
            V100_MEMORY_W,
            "assumed: read off kernels of dvfs_v100_rtx8000 (85 W per DRAM activity of real ones, 49 of made ones)",
        )
    elif kind in {"A40", "RTX6000", "P100-PCIE"}:
        watts = round(V100_MEMORY_W * gbps / 900.0, 1)
        found["memory_w"] = (watts, "assumed: as V100-PCIE per GB/s of peak bandwidth")
    if kind == "A100-PCIE-80GB":
        watts = round(A100_FULL_W / power_of(gpu_kind(kind)).voltage_rise ** 2, 1)
        found["core_w"] = (
            watts,
            "assumed: u = 1 draws 400 W at the greatest clock, so that a GEMM holds 400 W near it",
        )
    if kind == "H200-SXM":
        found["time_error"] = (TIME_ERROR, "assumed: no clock sweep; between V100-PCIE (0.024) and A100-PCIE (0.012)")
    if kind == "B300-SXM":
        found["time_error"] = (0.05, "b300_power: held out, two caps of one kernel, rounded up")
        found["power_error"] = (0.05, "assumed: as H200-SXM, held out")
    return found


def derived(kind: str, rule: Rule) -> dict[str, tuple[float, str]]:
    """Every figure of a kind that nobody measured."""
    base, gbps = rule.memory_like
    step = f"assumed: steps of {rule.step_mhz:g} MHz, as boards of its generation"
    return {
        **(_alone(kind) if rule.like is None else _like(kind, gpu_kind(rule.like), rule.sm_ratio)),
        "memory_w": (
            round(power_of(gpu_kind(base)).memory_w * rule.gbps / gbps, 1),
            f"assumed: as {base} per GB/s of peak bandwidth",
        ),
        "clock_step_mhz": (rule.step_mhz, step),
        "chip_spread": (CHIP_SPREAD, CHIP_SOURCE),
    }


def _like(kind: str, like: GpuKind, sm_ratio: float) -> dict[str, tuple[float, str]]:
    """As a measured board with the same chip or its sibling: the same joules per cycle of an SM."""
    top, rated, idle = _sheet(kind)
    like_top, like_rated, like_idle = _sheet(like.name)
    power = power_of(like)
    curve = f"assumed: as {like.name}, the same chip or its sibling, at the same share of the greatest clock"
    error = f"assumed: as {like.name}, the nearest kind that was measured"
    context = idle + (power.context_w - like_idle) * rated / like_rated
    return {
        "context_w": (round(context, 1), f"assumed: as far above idle as {like.name}, by rated watts"),
        "knee_mhz": (round(top * power.knee_mhz / like_top), curve),
        "voltage_rise": (power.voltage_rise, curve),
        "core_w": (
            round(power.core_w * sm_ratio * top / like_top, 1),
            f"assumed: as {like.name}, by greatest clock" + (" and number of SMs" if sm_ratio != 1.0 else ""),
        ),
        "time_error": (power.time_error, error),
        "power_error": (power.power_error, error),
    }


def _alone(kind: str) -> dict[str, tuple[float, str]]:
    """Without any measured sibling."""
    top, rated, idle = _sheet(kind)
    curve = "assumed: mean of the boards with clock sweeps (V100, A100, RTX 8000)"
    core = "assumed: u = 1 draws 1.42 of the rated watts at the greatest clock, as H200-SXM"
    error = "assumed: about the mean of the kinds that were measured"
    return {
        "context_w": (round(CONTEXT_OVER_IDLE * idle, 1), "assumed: 1.5 of idle, as H200-SXM"),
        "knee_mhz": (round(MEAN_KNEE * top), curve),
        "voltage_rise": (MEAN_RISE, curve),
        "core_w": (round(FULL_OVER_RATED * rated / MEAN_RISE**2, 1), core),
        "time_error": (TIME_ERROR, error),
        "power_error": (POWER_ERROR, error),
    }


def power_of(kind: GpuKind) -> PowerModel:
    assert kind.power_model is not None
    return kind.power_model


def _sheet(kind: str) -> tuple[float, float, float]:
    """(greatest clock, rated watts, idle watts)."""
    content = read_bundled(FOLDER / f"{kind}.yaml")
    return float(content["max_clock_mhz"]), float(content["max_w"]), float(content["idle_w"])


def main() -> None:
    write = "--write" in sys.argv
    for kind in MEASURED:
        if write:
            write_power_model(kind, measured_rest(kind))
    for kind, rule in DERIVED.items():
        figures = derived(kind, rule)
        print(kind, {name: value for name, (value, _) in figures.items()})
        if write:
            write_power_model(kind, figures)


if __name__ == "__main__":
    main()
