"""Figures of V100-PCIE, A40, RTX6000 and P100-PCIE from training jobs under power caps (zeus_power).

Each job was run once under each cap, so its clock is not known. A job is told by three numbers fitted on two of its
caps (about half of the greatest, and the greatest): SM watts, kappa, and the share of time that it waits for the
host. Its SM watts differ by thirds (-s, 0, +s), because real steps are not flat: without it the onset of a cap is too
sharp. DRAM watts cannot be told from SM watts by caps: they are DRAM_W * (1 - kappa).

Held out: the kind's figures (context, s, and knee and rise where no clock sweep gave them) are fitted on every cap of
all networks but one; the jobs of that one are fitted on two caps and predicted for the others. Caps that the board
does not hold fit nothing. Shipped: figures fitted on all networks, without the caps of the facts in
benchmarks/fidelity/facts.py.

    PYTHONPATH=benchmarks python -m calibration.zeus_power [--write]
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from calibration.curves import Array, Figures, at_caps, centred, coordinate_search, least_squares, on_gpu
from calibration.kind_file import write_power_model
from measured import SHARED, need

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.gpu_kind import GpuKind, PowerModel
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.workloads.demand import Demand, Setting
from goodwatt.power.workloads.workload import Phase

DRAM_W = 35.0
"""DRAM watts of a job that does not feel the clock; these boards draw 27 to 45 at full bandwidth."""
HELD = 1.02
HOST_BOUND = "ncf"
"""The network whose jobs draw little more than a context: caps tell nothing of them and their time is noise."""


@dataclass(frozen=True)
class Board:
    """One file of zeus_power: the kind, the caps that demands are fitted on, the caps kept for facts."""

    file: str
    kind: str
    fit_caps: tuple[int, int]
    fact_caps: tuple[int, ...]
    start: tuple[float, float, float]
    clock_sweep: bool = False
    """Knee and rise stand in the catalogue already, from kernels at locked clocks (`clock_sweeps`)."""


BOARDS = (
    Board("v100", "V100-PCIE", (125, 250), (100, 175), (1000.0, 1.3, 0.3), clock_sweep=True),
    Board("a40", "A40", (150, 300), (125,), (1450.0, 1.3, 0.3)),
    Board("rtx6000", "RTX6000", (150, 260), (), (1200.0, 1.4, 0.3)),
    Board("p100", "P100-PCIE", (150, 250), (), (950.0, 1.2, 0.3)),
)


@dataclass(frozen=True)
class Job:
    """A training configuration: seconds an epoch and mean watts by cap."""

    network: str
    name: str
    epoch_s: dict[int, float]
    watts: dict[int, float]


@cache
def jobs_of(file: str) -> tuple[Job, ...]:
    path = need(SHARED / "data" / "zeus_power" / f"summary_power_{file}.csv.gz")
    found: dict[tuple[str, ...], dict[int, tuple[float, float]]] = defaultdict(dict)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            key = (row["dataset"], row["network"], row["batch_size"], row["optimizer"])
            cap = int(float(row["power_limit"]))
            found[key][cap] = float(row["time_per_epoch"]), float(row["average_power"])
    return tuple(
        Job(
            f"{key[0]}/{key[1]}",
            " ".join(key),
            {c: t for c, (t, _) in rows.items()},
            {c: w for c, (_, w) in rows.items()},
        )
        for key, rows in sorted(found.items())
    )


def complete(board: Board, caps: Sequence[int] = (), host_bound: bool = False) -> list[Job]:
    """Jobs that were run under the two fit caps and `caps`."""
    wanted = {*board.fit_caps, *caps}
    return [j for j in jobs_of(board.file) if wanted <= j.epoch_s.keys() and (host_bound or HOST_BOUND not in j.name)]


def predicted(figures: Figures, demand: Array, caps: Array) -> tuple[Array, Array]:
    """(relative time, watts) [job, cap] for demand [job, (SM watts / 100, kappa, share of waiting)]."""
    clocks = np.linspace(figures.low_mhz, figures.top_mhz, 80)
    sm_w, kappa, wait = 100 * demand[:, 0], demand[:, 1], demand[:, 2]
    busy_s, busy_j = np.zeros((len(demand), len(caps))), np.zeros((len(demand), len(caps)))
    for third in (1 - figures.spread, 1.0, 1 + figures.spread):
        time, watts = at_caps(*on_gpu(figures, clocks, sm_w * third, DRAM_W * (1 - kappa), kappa), caps)
        busy_s, busy_j = busy_s + time / 3, busy_j + time * watts / 3
    gap_s = (wait / (1 - wait))[:, None]
    total = busy_s + gap_s
    return total, (busy_j + gap_s * figures.context_w) / total


def fit_demands(figures: Figures, jobs: Sequence[Job], caps: Sequence[int]) -> Array:
    """[job, 3] fitted on these caps; a weak pull towards a common job settles what they cannot tell."""
    time = np.log([[job.epoch_s[c] for c in caps] for job in jobs])
    power = np.log([[job.watts[c] for c in caps] for job in jobs])
    usual, loose = np.array([1.8, 0.7, 0.1]), np.array([20.0, 5.0, 2.5])
    at = np.array(caps, float)

    def residuals(demand: Array) -> Array:
        t, w = predicted(figures, demand, at)
        away = np.concatenate([centred(np.log(t)) - centred(time), np.log(w) - power], 1) / 0.02
        return np.concatenate([away, (demand - usual) / loose], 1)

    low, high = np.zeros(3), np.array([6.0, 1.0, 0.97])
    starts = ([1.5, 0.7, 0.05], [0.8, 0.4, 0.3], [0.3, 0.3, 0.7])
    tries = [least_squares(residuals, np.tile(start, (len(jobs), 1)), low, high, 20) for start in starts]
    best = np.argmin([cost for _, cost in tries], 0)
    return np.asarray(np.array([found for found, _ in tries])[best, np.arange(len(jobs))])


def lightest_w(board: Board) -> float:
    """The least mean watts of any job: a context alone draws no more."""
    return min(float(np.mean(list(job.watts.values()))) for job in jobs_of(board.file))


def held_caps(board: Board) -> set[int]:
    """Caps that the board really holds: the median busy job draws at most 2% more.

    All do but the A40 at 100 W, which is near what its contexts draw: there the mean is up to 117 W.
    """
    jobs = complete(board)
    drawn = {cap: [job.watts[cap] / cap for job in jobs if cap in job.watts] for job in jobs for cap in job.watts}
    return {cap for cap, shares in drawn.items() if float(np.median(shares)) <= HELD}


def fit_figures(board: Board, jobs: Sequence[Job], caps: Sequence[int], held_only: bool = True) -> Figures:
    """The kind's figures with which demands of two caps best tell the other `caps`."""
    kind = gpu_kind(board.kind)
    assert kind.min_clock_mhz is not None
    assert kind.max_clock_mhz is not None
    low, top = float(kind.min_clock_mhz), float(kind.max_clock_mhz)
    held = held_caps(board) if held_only else set(caps)
    others = [c for c in caps if c not in board.fit_caps and c in held]
    most_w = lightest_w(board)

    known = kind.power_model if board.clock_sweep else None

    def figures(v: Array) -> Figures:
        context, knee, rise, spread = (float(x) for x in v)
        if known is not None:
            knee, rise = known.knee_mhz, known.voltage_rise
        return Figures(low, top, context, knee, rise, spread)

    def score(v: Array) -> float:
        inside = 15 < v[0] <= most_w and low < v[1] < 0.98 * top and 1 < v[2] < 2 and 0 <= v[3] < 0.6
        if not inside:
            return 9.0
        time, energy = relative_errors(figures(v), board, jobs, others)
        return float(np.abs(time).mean() + np.abs(energy).mean())

    steps = np.array([5.0, 0.0, 0.0, 0.12]) if board.clock_sweep else np.array([5.0, 100.0, 0.05, 0.12])
    return figures(coordinate_search(score, np.array([most_w - 1, *board.start]), steps, rounds=3))


def relative_errors(figures: Figures, board: Board, jobs: Sequence[Job], caps: Sequence[int]) -> tuple[Array, Array]:
    """(time, energy), predicted over measured less 1, [job, cap]: demands from the two fit caps, by these arrays."""
    demand = fit_demands(figures, jobs, board.fit_caps)
    fit_time, _ = predicted(figures, demand, np.array(board.fit_caps, float))
    known = np.array([[job.epoch_s[c] for c in board.fit_caps] for job in jobs])
    scale = np.exp((np.log(known) - np.log(fit_time)).mean(1))[:, None]
    time, watts = predicted(figures, demand, np.array(caps, float))
    real_s = np.array([[job.epoch_s[c] for c in caps] for job in jobs])
    real_w = np.array([[job.watts[c] for c in caps] for job in jobs])
    return scale * time / real_s - 1, scale * time * watts / real_s / real_w - 1


def phases_of(power: PowerModel, demand: Array, spread: float) -> tuple[Phase, ...]:
    """A fitted job as phases long enough that each meets the cap by itself: three thirds and the wait."""
    sm_w, kappa, wait = 100 * float(demand[0]), float(demand[1]), float(demand[2])
    u = sm_w / (power.core_w * power.voltage_rise**2)
    m = DRAM_W * (1 - kappa) / power.memory_w
    thirds = [
        Phase(f"third {i}", (1 - wait) / 3, 1.0, Demand(u=u * third, m=m, kappa=kappa))
        for i, third in enumerate((1 - spread, 1.0, 1 + spread))
    ]
    return (*thirds, Phase("wait", wait, 1.0, Demand(u=0.0, m=0.0, kappa=0.0)))


def by_package(kind: GpuKind, demands: Array, spread: float, caps: Sequence[int]) -> tuple[Array, Array]:
    """(time, watts) [job, cap] as the package predicts them; times in units of one job each."""
    assert kind.power_model is not None
    model = gpu_model(kind)
    time, watts = np.empty((len(demands), len(caps))), np.empty((len(demands), len(caps)))
    for i, demand in enumerate(demands):
        phases = phases_of(kind.power_model, demand, spread)
        points = [alone_point(model, phases, Setting(cap_w=float(cap))) for cap in caps]
        time[i], watts[i] = [1 / p.speeds[0] for p in points], [p.watts for p in points]
    return time, watts


def with_figures(kind: GpuKind, figures: Figures) -> GpuKind:
    """The kind with fitted figures in place of its own."""
    assert kind.power_model is not None
    power = replace(
        kind.power_model,
        context_w=figures.context_w,
        knee_mhz=figures.knee_mhz,
        voltage_rise=figures.rise,
    )
    return replace(kind, power_model=power)


@dataclass(frozen=True)
class HeldOut:
    """Relative errors on caps that were not fitted, one row a job, figures from other networks only."""

    jobs: tuple[Job, ...]
    caps: tuple[int, ...]
    time: Array
    power: Array
    energy: Array

    def under(self, caps: set[int]) -> HeldOut:
        """Only some of the caps."""
        at = [i for i, cap in enumerate(self.caps) if cap in caps]
        return HeldOut(
            self.jobs, tuple(self.caps[i] for i in at), self.time[:, at], self.power[:, at], self.energy[:, at]
        )


def held_out(board: Board) -> HeldOut:
    """Leave one network out, then predict by the package the caps on which its jobs were not fitted."""
    caps = sorted(set.intersection(*(set(j.epoch_s) for j in complete(board, board.fact_caps))))
    jobs = complete(board, caps)
    test_caps = [c for c in caps if c not in board.fit_caps]
    rows: list[tuple[Job, Array, Array]] = []
    for network in sorted({job.network for job in jobs}):
        figures = fit_figures(board, [j for j in jobs if j.network != network], caps)
        left_out = [j for j in jobs if j.network == network]
        kind = with_figures(gpu_kind(board.kind), figures)
        demands = fit_demands(figures, left_out, board.fit_caps)
        time, watts = by_package(kind, demands, figures.spread, [*board.fit_caps, *test_caps])
        for i, job in enumerate(left_out):
            known = [job.epoch_s[c] for c in board.fit_caps]
            scale = float(np.exp(np.mean(np.log(known) - np.log(time[i, :2]))))
            real = np.array([[job.epoch_s[c], job.watts[c]] for c in test_caps])
            rows.append((job, scale * time[i, 2:] / real[:, 0] - 1, watts[i, 2:] / real[:, 1] - 1))
    time_error, power_error = np.array([t for _, t, _ in rows]), np.array([w for _, _, w in rows])
    energy = (1 + time_error) * (1 + power_error) - 1
    return HeldOut(tuple(job for job, _, _ in rows), tuple(test_caps), time_error, power_error, energy)


@cache
def shipped_figures(board: Board, held_only: bool = True) -> Figures:
    """Figures of the catalogue: all networks, without the caps of the facts and those that the board does not hold."""
    caps = sorted(set.intersection(*(set(j.epoch_s) for j in complete(board))) - set(board.fact_caps))
    return fit_figures(board, complete(board), caps, held_only)


def main() -> None:
    for board in BOARDS:
        figures, out = shipped_figures(board), held_out(board).under(held_caps(board))
        error = {name: float(np.abs(getattr(out, name)).mean()) for name in ("time", "power", "energy")}
        print(f"{board.kind}: {figures}")
        print(f"  held out: {len(out.jobs)} jobs x {out.time.shape[1]} caps, mean absolute relative error {error}")
        if "--write" in sys.argv:
            _write(board, figures, out)


def _write(board: Board, figures: Figures, out: HeldOut) -> None:
    """`core_w` and `memory_w` are scales of u and m: 1 is the greatest SM watts that these jobs were fitted to."""
    source = "zeus_power: fitted over caps by benchmarks/calibration/zeus_power.py"
    without = f", without the {' and '.join(map(str, board.fact_caps))} W" if board.fact_caps else ""
    demands = fit_demands(figures, complete(board), board.fit_caps)
    full_w = float(np.quantile(demands[:, 0], 0.9)) * 100 * (1 + figures.spread)
    error = f"zeus_power: held out, {len(out.jobs)} jobs x {out.time.shape[1]} caps, leaving out each network in turn"
    write_power_model(
        board.kind,
        {
            "context_w": (round(figures.context_w, 1), source + without),
            **(
                {}
                if board.clock_sweep
                else {
                    "knee_mhz": (round(figures.knee_mhz), source + without),
                    "voltage_rise": (round(figures.rise, 3), source + without),
                }
            ),
            "core_w": (
                round(full_w / figures.rise**2, 1),
                "zeus_power: heaviest third of the heaviest tenth of the jobs is u = 1",
            ),
            "time_error": (round(float(out.time.std()), 4), error),
            "power_error": (round(float(out.power.std()), 4), error),
        },
    )


if __name__ == "__main__":
    main()
