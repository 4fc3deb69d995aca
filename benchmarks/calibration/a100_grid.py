"""Figures of the A100-PCIE-80GB from kernels on a grid of SM clocks and caps (a100_rtxpro6000_clock_x_cap).

Figures and kernels are fitted on three clocks (least, middle, greatest) under the greatest cap, figures without the
memory-bound kernel, on which a fact of benchmarks/fidelity/facts.py rests; every other point of
the grid is held out: the two to five clocks between, and all points under lower caps. The RTX PRO 6000 is judged in
the same way; it is no kind of the catalogue.

    PYTHONPATH=benchmarks python -m calibration.a100_grid [--write]
"""

from __future__ import annotations

import csv
import gzip
import itertools
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from calibration.clock_sweeps import Swept, fit_kernels, made_up_kind, three
from calibration.curves import Array, Figures, centred, figures_by_least_squares, on_gpu
from calibration.kind_file import write_power_model
from measured import SHARED, need

from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.workloads.demand import Demand, Setting
from goodwatt.power.workloads.workload import Phase

PEAK_GBPS = 1935.0
"""NVIDIA A100 data sheet, 80GB PCIe."""
MEMORY_BOUND = "babelstream"
Grid = dict[str, dict[tuple[int, int], tuple[float, float]]]
"""By kernel: (clock, cap) -> (seconds, watts)."""


@dataclass(frozen=True)
class Board:
    """One GPU of the data. `contexts`, `knees`: what to try."""

    gpu: str
    kind: str | None
    low_mhz: float
    idle_w: float
    contexts: tuple[float, ...]
    knees: tuple[float, ...]


BOARDS = (
    Board("A100-80GB-PCIe", "A100-PCIE-80GB", 210, 45.0, (50.0, 62.0, 75.0), (1005.0, 1050.0, 1100.0, 1150.0)),
    Board("RTX-PRO-6000-Blackwell", None, 180, 15.0, (20.0, 35.0, 50.0), (1000.0, 1200.0, 1400.0, 1600.0, 1800.0)),
)
RISES = (1.3, 1.35, 1.4, 1.45, 1.5)


@cache
def _rows() -> tuple[dict[str, str], ...]:
    path = need(SHARED / "data" / "a100_rtxpro6000_clock_x_cap" / "clock_powercap_grid.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return tuple(csv.DictReader(lines))


def grid_of(gpu: str) -> Grid:
    """Kernels that were run over all clocks under the greatest cap."""
    found: Grid = defaultdict(dict)
    for row in _rows():
        if row["gpu"] == gpu:
            at = int(row["sm_clock_mhz"]), int(row["power_cap_w"])
            found[row["benchmark"]][at] = float(row["time_s"]), float(row["avg_power_w"])
    top = max(clock for points in found.values() for clock, _ in points)
    return {name: points for name, points in found.items() if any(clock == top for clock, _ in points)}


def sweep_of(grid: Grid) -> Swept:
    """The points under the greatest cap."""
    cap = max(cap for points in grid.values() for _, cap in points)
    clocks = sorted({clock for points in grid.values() for clock, _ in points})
    values = np.array([[points[clock, cap] for clock in clocks] for points in grid.values()])
    return Swept(tuple(grid), np.array(clocks, float), values[:, :, 0], values[:, :, 1])


@cache
def fit_figures(board: Board) -> Figures:
    """Context, knee and rise that leave the least on the three clocks of the kernels that compute."""
    sweep = sweep_of({name: points for name, points in grid_of(board.gpu).items() if name != MEMORY_BOUND})
    known = sweep.part(three(len(sweep.clock_mhz)))
    top = float(sweep.clock_mhz[-1])
    tries = [Figures(board.low_mhz, top, c, k, r) for c, k, r in itertools.product(board.contexts, board.knees, RISES)]

    def score(figures: Figures) -> float:
        kernels = fit_kernels(figures, known)
        time, watts = on_gpu(figures, known.clock_mhz, 100 * kernels[:, 0], 100 * kernels[:, 1], kernels[:, 2])
        away = centred(np.log(time)) - centred(np.log(known.time))
        return float((away**2).sum() + ((np.log(watts) - np.log(known.watts)) ** 2).sum())

    return min(tries, key=score)


@cache
def figures_without(board: Board, name: str) -> Figures:
    """By least squares of the watts of all other kernels, at every clock under the greatest cap."""
    sweep = sweep_of({other: points for other, points in grid_of(board.gpu).items() if other != name})
    return figures_by_least_squares(board.low_mhz, board.idle_w, sweep.clock_mhz, sweep.time, sweep.watts)


@dataclass(frozen=True)
class Judged:
    """Relative errors at the points held out, and per kernel the energy at the clock called best over the least."""

    names: tuple[str, ...]
    time: Array
    power: Array
    excess: Array


def judged(board: Board, leave_out: bool = False) -> Judged:
    """Predict every point of the grid that was not fitted, by the package.

    `leave_out`: each kernel with the figures of the others instead of those of the catalogue.
    """
    grid = grid_of(board.gpu)
    sweep = sweep_of(grid)
    known = sweep.part(three(len(sweep.clock_mhz)))
    top_cap = max(cap for points in grid.values() for _, cap in points)
    time_errors, power_errors, excess = [], [], []
    for i, (name, known_s) in enumerate(zip(sweep.names, known.time, strict=True)):
        figures = figures_without(board, name) if leave_out else fit_figures(board)
        model = gpu_model(made_up_kind(figures, board.idle_w, top_cap))
        kernel = fit_kernels(figures, known)[i]
        demand = Demand(u=float(kernel[0]), m=float(kernel[1]), kappa=float(kernel[2]))
        phases = (Phase(name, 1.0, 1.0, demand),)
        told = {at: alone_point(model, phases, Setting(float(at[0]), float(at[1]))) for at in grid[name]}
        fitted = [(int(clock), top_cap) for clock in known.clock_mhz]
        scale = float(np.exp(np.mean([np.log(s * told[at].speeds[0]) for s, at in zip(known_s, fitted, strict=True)])))
        for at, (seconds, watts) in grid[name].items():
            if at not in fitted:
                time_errors.append(scale / told[at].speeds[0] / seconds - 1)
                power_errors.append(told[at].watts / watts - 1)
        excess.append(_excess(grid[name], {at: p.watts / p.speeds[0] for at, p in told.items()}, top_cap))
    return Judged(sweep.names, np.array(time_errors), np.array(power_errors), np.array(excess))


def _excess(real: dict[tuple[int, int], tuple[float, float]], told: dict[tuple[int, int], float], cap: int) -> float:
    energy = {at: seconds * watts for at, (seconds, watts) in real.items() if at[1] == cap}
    return energy[min(energy, key=told.__getitem__)] / min(energy.values()) - 1


def memory_w(board: Board, kernels: Sequence[Sequence[float]], names: Sequence[str]) -> float:
    """DRAM watts at full bandwidth, by the kernel that reads at a known rate."""
    rate = next(
        float(row["bandwidth_gbs"])
        for row in _rows()
        if row["gpu"] == board.gpu and row["benchmark"] == MEMORY_BOUND and row["bandwidth_gbs"]
    )
    return 100 * kernels[list(names).index(MEMORY_BOUND)][1] / (rate / PEAK_GBPS)


def main() -> None:
    for board in BOARDS:
        figures, out = fit_figures(board), judged(board)
        print(f"{board.gpu}: {figures}")
        print(
            f"  held out: {len(out.time)} points of {len(out.names)} kernels, mean absolute relative error of time "
            f"{np.abs(out.time).mean():.3f}, power {np.abs(out.power).mean():.3f}; energy over the least at the clock "
            f"called best: {dict(zip(out.names, out.excess.round(3).tolist(), strict=True))}"
        )
        if "--write" in sys.argv and board.kind is not None:
            _write(board, board.kind, figures, out)


def _write(board: Board, kind: str, figures: Figures, out: Judged) -> None:
    sweep = sweep_of(grid_of(board.gpu))
    kernels = fit_kernels(figures, sweep.part(three(len(sweep.clock_mhz))))
    source = "a100_rtxpro6000_clock_x_cap: fitted on three clocks of two kernels by benchmarks/calibration/a100_grid.py"
    error = f"a100_rtxpro6000_clock_x_cap: held out, {len(out.time)} points of clock and cap"
    write_power_model(
        kind,
        {
            "context_w": (figures.context_w, source),
            "knee_mhz": (figures.knee_mhz, source),
            "voltage_rise": (figures.rise, source),
            "memory_w": (round(memory_w(board, kernels.tolist(), sweep.names), 1), source + ", babelstream"),
            "time_error": (round(float(out.time.std()), 4), error),
            "power_error": (round(float(out.power.std()), 4), error),
        },
    )


if __name__ == "__main__":
    main()
