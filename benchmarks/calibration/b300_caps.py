"""Figures of the B300-SXM from one GEMM under five caps and a few single kernels (b300_power).

Fitted on the caps 450, 700 and 1100 W, with the SM clock that was read there; 550 and 900 W are held out. The rung at
1100 W lasted 2 s and its mean watts are those of the sensor still rising, so the same kernel run for 20 s (prec-bf16)
stands in. One workload only: the table says little of others.

    PYTHONPATH=benchmarks python -m calibration.b300_caps [--write]
"""

from __future__ import annotations

import csv
import gzip
import itertools
import sys
from dataclasses import dataclass
from functools import cache

import numpy as np
from calibration.clock_sweeps import made_up_kind
from calibration.curves import Array, Figures, centred, least_squares, on_gpu
from calibration.kind_file import write_power_model
from measured import SHARED, need

from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.workloads.demand import Demand, Setting
from goodwatt.power.workloads.workload import Phase

CAPS = (450, 550, 700, 900, 1100)
FITTED, HELD_OUT = (0, 2, 4), (1, 3)
LOW_MHZ, TOP_MHZ, IDLE_W = 120.0, 2032.0, 180.0
DRAM_SM_W = 40.0
"""assumed: what the SMs of a kernel that only reads draw beyond the context."""


@cache
def _rungs() -> dict[str, dict[str, str]]:
    path = need(SHARED / "data" / "b300_power" / "b300_rungs.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return {row["rung"]: row for row in csv.DictReader(lines) if row["set"] == "b300-consolidated"}


@dataclass(frozen=True)
class Rungs:
    """The GEMM under each cap: seconds an iteration, watts, clock."""

    time: Array
    watts: Array
    clock_mhz: Array


@cache
def rungs() -> Rungs:
    rows = [_rungs()["prec-bf16" if cap == CAPS[-1] else f"cap-{cap}w"] for cap in CAPS]
    time = [float(row["delay_s"]) / float(row["work_done"]) for row in rows]
    watts, clocks = ([float(row[name]) for row in rows] for name in ("avg_power_w", "sm_clock_avg_mhz"))
    return Rungs(np.array(time), np.array(watts), np.array(clocks))


@cache
def fit() -> tuple[Figures, tuple[float, float, float]]:
    """(figures, (SM watts / 100, DRAM watts / 100, kappa)) on the three caps."""
    at, known = list(FITTED), rungs()

    def solve(figures: Figures) -> tuple[float, Figures, Array]:
        def residuals(p: Array) -> Array:
            time, watts = on_gpu(figures, known.clock_mhz[at], 100 * p[:, 0], 100 * p[:, 1], p[:, 2])
            away = centred(np.log(time)) - centred(np.log(known.time[None, at]))
            return np.concatenate([away, np.log(watts) - np.log(known.watts[at])], 1) / 0.02

        p, cost = least_squares(residuals, np.array([[7.0, 1.0, 0.9]]), np.zeros(3), np.array([15.0, 5.0, 1.0]), 40)
        return float(cost[0]), figures, p[0]

    tries = itertools.product((185.0, 195.0, 205.0), (900.0, 1100.0, 1300.0, 1450.0), np.arange(1.1, 1.5, 0.05))
    _, figures, p = min((solve(Figures(LOW_MHZ, TOP_MHZ, c, k, float(r))) for c, k, r in tries), key=lambda x: x[0])
    return figures, (float(p[0]), float(p[1]), float(p[2]))


@dataclass(frozen=True)
class Judged:
    """Relative errors under the caps held out; energy under the cap called best over the least, less 1."""

    time: Array
    power: Array
    excess: float


def judged() -> Judged:
    figures, (sm, dram, kappa) = fit()
    model = gpu_model(made_up_kind(figures, IDLE_W, CAPS[-1]))
    phases = (Phase("gemm", 1.0, 1.0, Demand(u=sm, m=dram, kappa=kappa)),)
    points = [alone_point(model, phases, Setting(cap_w=float(cap))) for cap in CAPS]
    time, watts = np.array([1 / p.speeds[0] for p in points]), np.array([p.watts for p in points])
    known, at = rungs(), list(FITTED)
    time *= np.exp((np.log(known.time[at]) - np.log(time[at])).mean())
    energy, out = known.time * known.watts, list(HELD_OUT)
    excess = float(energy[(time * watts).argmin()] / energy.min() - 1)
    return Judged((time / known.time - 1)[out], (watts / known.watts - 1)[out], excess)


def full_w(figures: Figures) -> tuple[float, float]:
    """(SM watts of u = 1, DRAM watts of m = 1): a training GEMM held by the cap at 1422 MHz, a kernel that reads."""
    dram = _rungs()["unit-dram"]
    memory_w = float(dram["avg_power_w"]) - figures.context_w - DRAM_SM_W
    gemm = _rungs()["train-gemm"]
    dram_w = memory_w * float(gemm["mem_util_pct"]) / 100
    core = float(figures.core(np.array([float(gemm["sm_clock_avg_mhz"])]))[0])
    return (float(gemm["avg_power_w"]) - figures.context_w - dram_w) / core, memory_w


def main() -> None:
    figures, demand = fit()
    out, (core_w, memory_w) = judged(), full_w(figures)
    print(f"B300-SXM: {figures}, GEMM {demand}; u = 1: {core_w:.0f} W, m = 1: {memory_w:.0f} W")
    print(f"  held out, 550 and 900 W: time {out.time.round(3)}, power {out.power.round(3)}; excess {out.excess:.3f}")
    if "--write" in sys.argv:
        source = "b300_power: fitted on a GEMM under 450, 700 and 1100 W by benchmarks/calibration/b300_caps.py"
        write_power_model(
            "B300-SXM",
            {
                "context_w": (figures.context_w, source),
                "knee_mhz": (figures.knee_mhz, source),
                "voltage_rise": (round(figures.rise, 2), source),
                "core_w": (round(core_w / figures.rise**2, 1), "b300_power: training GEMM at 1422 MHz is u = 1"),
                "memory_w": (round(memory_w, 1), "b300_power: kernel unit-dram, 40 W of it taken for the SMs"),
            },
        )


if __name__ == "__main__":
    main()
