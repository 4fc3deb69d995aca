"""Fits time-slicing and MPS to pairs measured on an H200, each workload known by its telemetry alone.

Telemetry of a workload is what its run alone shows: watts, clock, utilisation, GPM counters. From it comes its demand
(`demand_of`); the length of its kernels from the command traffic on PCIe. The five micro-benchmarks were measured
without GPM counters: their kernels fill the GPU by construction (one matmul, copy, attention or 16 matrix-vector
products a turn, hence the kernel's length from the rate), the launch-bound one is taken to fill as rl_small does.

Left out is every run of either workload when a pair is predicted; the form of the law was found on these pairs, its
constants never see what they predict. The clock is the model's own, not the measured one.

    PYTHONPATH=benchmarks python -m calibration.h200_pairs [--write]
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from calibration.constants_file import LAWS_FILE, set_fields
from calibration.held_out import HeldOut, mean_absolute, root_mean_square
from calibration.least_squares import Vector, least_squares
from measured import SHARED, need

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.colocation.interference_constants import BYTES_PER_LAUNCH, LAWS, PAIR_ERRORS, WATTS_ERRORS, Laws
from goodwatt.power.colocation.sharing import Mode, Resident, shared_point
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.gpu.point import GpuPoint
from goodwatt.power.workloads.demand import Demand

FOLDER = SHARED / "data" / "h200_measured"
APPS = {"timeslice": "apps_alone_timeslice", "mps": "apps_mps", "mps_limited": "apps_mps50"}
KERNELS_A_TURN = {"gemm": 1, "copy": 1, "gemv": 16, "attn": 1, "small": 16}
LEAST_OVERLAP = 0.02
"""Kernels of one workload differ in size by more than this, so that no pair stands on the edge of fitting."""
MICRO_SM = {"gemm": 1.0, "copy": 1.0, "gemv": 1.0, "attn": 1.0, "small": 0.16}
MICRO_TENSOR = {"gemm": 0.9, "attn": 0.7}


@dataclass(frozen=True)
class Pair:
    """One measured run of two or more workloads: speeds relative to alone without limits."""

    names: tuple[str, ...]
    speeds: tuple[float, ...]
    watts: float
    clock_mhz: float
    way: str
    source: str


def measured() -> tuple[dict[str, Resident], list[Pair]]:
    """(resident by workload from its telemetry alone, every shared run)."""
    model = gpu_model(gpu_kind("H200-SXM"))
    apps = {way: json.loads(need(FOLDER / f"{file}.json").read_text())["runs"] for way, file in APPS.items()}
    micro = json.loads(need(FOLDER / "colocation.json").read_text())
    residents, rates = {}, {}
    for run in (r for r in apps["timeslice"] if len(r["kinds"]) == 1):
        name = run["kinds"][0]
        residents[name], rates[name] = Resident(demand_of(model, run, run["gpm"])), run["rate"][0]
    for run in micro["alone"]:
        name, rates[run["kinds"][0]] = run["kinds"][0], run["rate"][0][1]
        residents[name] = _micro(model, run)
    pairs = [_pair(r, way, rates) for way, runs in apps.items() for r in runs if len(r["kinds"]) > 1]
    pairs += [_pair(r, way, rates) for way in ("timeslice", "mps") for r in micro[way]]
    return residents, pairs


def demand_of(model: GpuModel, run: Mapping[str, Any], gpm: Mapping[str, float]) -> Demand:
    """The demand that explains a run alone: activity from the watts, bandwidth from the counter, duty from the rest.

    kappa, which one clock cannot show, is min(1, (1 - m) / 0.75): 1 for a GEMM, 0 for a copy.
    """
    duty = run["util"] / 100.0
    dram = gpm["dram_bw"] / 100.0
    kappa = min(1.0, max(0.0, 1.0 - dram / duty) / 0.75)
    on_gpu = 1.0 + kappa * (model.top_mhz / run["sm_mhz"] - 1.0)
    wall = 1.0 - duty + duty * on_gpu
    sm_w = max(0.0, run["watts"] - model.context_w - dram * model.memory_w)
    core_w = model.power.core_w * run["sm_mhz"] / model.top_mhz * model.voltage(run["sm_mhz"]) ** 2
    return Demand(
        u=sm_w * wall / (duty * on_gpu * core_w),
        m=min(1.0, dram * wall / duty),
        kappa=kappa,
        duty=duty,
        sm=min(1.0, gpm["sm_util"] / 100.0 / duty),
        occupancy=gpm["sm_occupancy"] / 100.0 / duty,
        tensor=gpm["tensor"] / 100.0 / duty,
        pcie_gbps=(gpm["pcie_rx"] + gpm["pcie_tx"]) / 1e3,
    )


def _micro(model: GpuModel, run: Mapping[str, Any]) -> Resident:
    name, rate = run["kinds"][0], run["rate"][0][1]
    duty = 1.0 if run["util"] > 95.0 else run["util"] / 100.0
    gpm = {
        # time with any access: an upper bound of the bandwidth, and the watts give another
        "dram_bw": min(run["memutil"], 100.0 * (run["watts"] - model.context_w) / model.memory_w),
        "sm_util": 100.0 * MICRO_SM[name] * duty,
        "sm_occupancy": 10.0 * duty,
        "tensor": 100.0 * MICRO_TENSOR.get(name, 0.0) * duty,
        "pcie_rx": 0.0,
        "pcie_tx": 0.0,
    }
    demand = demand_of(model, {**run, "util": 100.0 * duty}, gpm)
    return Resident(demand, kernel_us=duty * 1e6 / rate / KERNELS_A_TURN[name])


def _pair(run: Mapping[str, Any], way: str, alone: Mapping[str, float]) -> Pair:
    if isinstance(run["rate"][0], list):  # the micro-benchmarks name who did what
        names, rate, source = [name for name, _ in run["rate"]], [rate for _, rate in run["rate"]], "micro"
    else:
        names, rate, source = run["kinds"], run["rate"], "apps"
    speeds = tuple(value / alone[name] for name, value in zip(names, rate, strict=True))
    return Pair(tuple(names), speeds, run["watts"], run["sm_mhz"], way, source)


def predicted(model: GpuModel, residents: Mapping[str, Resident], pair: Pair, laws: Laws) -> GpuPoint:
    """What the model says of a shared run."""
    mode: Mode = "timeslice" if pair.way == "timeslice" else "mps"
    threads = 0.5 if pair.way == "mps_limited" else 1.0
    return shared_point(model, tuple(replace(residents[n], threads=threads) for n in pair.names), mode, laws=laws)


def laws_from(way: str, values: Iterable[float], laws: Laws) -> Laws:
    """The laws with the constants of one way of sharing replaced by a fit's parameters (kept positive by abs)."""
    v = [float(abs(value)) for value in values]
    if way == "timeslice":
        return replace(laws, timeslice=replace(laws.timeslice, slice_loss=v[0], switch=v[1]))
    if way == "mps":
        return replace(
            laws,
            mps=replace(laws.mps, overhead=v[0], turn=v[1], long_kernel_us=1e3 * v[2], overlap=LEAST_OVERLAP + v[3]),
        )
    limited = replace(laws.mps, overhead=v[0], dram=v[1], source=laws.mps_limited.source)
    return replace(laws, mps_limited=limited)


STARTS = {"timeslice": (0.1, 1.0), "mps": (0.05, 1.1, 1.0, 0.05), "mps_limited": (0.08, 1.0)}


def fit(residents: Mapping[str, Resident], pairs: Sequence[Pair]) -> Laws:
    """The laws fitted on these runs, pairs only."""
    model = gpu_model(gpu_kind("H200-SXM"))
    laws = LAWS
    for way, start in STARTS.items():
        runs = [pair for pair in pairs if pair.way == way and len(pair.names) == 2]

        def residuals(values: Vector, way: str = way, runs: Sequence[Pair] = runs, laws: Laws = laws) -> Vector:
            tried = laws_from(way, values, laws)
            off = [np.subtract(predicted(model, residents, run, tried).speeds, run.speeds) for run in runs]
            return np.concatenate(off)

        laws = laws_from(way, least_squares(residuals, start), laws)
    return laws


def held_out(residents: Mapping[str, Resident], pairs: Sequence[Pair]) -> list[tuple[Pair, GpuPoint]]:
    """Each run once, predicted with laws fitted without any run of any of its workloads."""
    model = gpu_model(gpu_kind("H200-SXM"))
    groups = {frozenset(pair.names) for pair in pairs}
    found = []
    for group in sorted(groups, key=sorted):
        laws = fit(residents, [pair for pair in pairs if not group & set(pair.names)])
        own = [pair for pair in pairs if frozenset(pair.names) == group]
        found += [(pair, predicted(model, residents, pair, laws)) for pair in own]
    return found


def main() -> None:
    residents, pairs = measured()
    print(f"bytes of command traffic a kernel: {BYTES_PER_LAUNCH:.0f}")
    fitted = fit(residents, pairs)
    for name in ("timeslice", "mps", "mps_limited"):
        print(f"{name}\n  fitted  {getattr(fitted, name)}\n  shipped {getattr(LAWS, name)}")
    left_out = held_out(residents, pairs)
    for way in APPS:
        own = [(pair, point) for pair, point in left_out if pair.way == way]
        for source in ("apps", "micro"):
            show(f"{way} {source}", speeds([(pair, point) for pair, point in own if pair.source == source]))
    modes = ("timeslice", "mps")
    errors = {
        mode: root_mean_square(speeds([(pair, point) for pair, point in left_out if pair.way.startswith(mode)]))
        for mode in modes
    }
    for mode, error in errors.items():
        print(f"pair_error of {mode}: {error:.3f}, shipped {PAIR_ERRORS[mode]}")
    watts = {
        way: math.sqrt(np.mean([(point.watts / pair.watts - 1.0) ** 2 for pair, point in left_out if pair.way == way]))
        for way in WATTS_ERRORS
    }
    print(f"error of watts: { {way: round(error, 3) for way, error in watts.items()} }, shipped {WATTS_ERRORS}")
    if "--write" in sys.argv:
        write(fitted, errors)
        set_fields(LAWS_FILE, "WATTS_ERRORS", {way: round(error, 3) for way, error in watts.items()})


FITTED = {
    "timeslice": ("slice_loss", "switch"),
    "mps": ("overhead", "turn", "long_kernel_us", "overlap"),
    "mps_limited": ("overhead", "turn", "long_kernel_us", "overlap", "dram"),
}


def write(fitted: Laws, errors: Mapping[str, float]) -> None:
    """The constants of the three laws and their errors, into `interference_constants`."""
    for way, names in FITTED.items():
        law = getattr(fitted, way)
        values = {name: round(getattr(law, name), 1 if name.endswith("_us") else 4) for name in names}
        set_fields(LAWS_FILE, way.upper(), values)
    set_fields(LAWS_FILE, "PAIR_ERRORS", {mode: round(error, 3) for mode, error in errors.items()})


def speeds(found: Iterable[tuple[Pair, GpuPoint]]) -> list[HeldOut]:
    """Measured and predicted speed of every resident."""
    return [
        HeldOut(name, real, said)
        for pair, point in found
        for name, real, said in zip(pair.names, pair.speeds, point.speeds, strict=True)
    ]


def show(what: str, found: list[HeldOut]) -> None:
    """One line, nothing where nothing was measured."""
    if found:
        print(f"{what:18s} held out n={len(found):3d} MAE {mean_absolute(found):.4f}")


if __name__ == "__main__":
    main()
