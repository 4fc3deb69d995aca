"""Fits of a workload's demand to measured watts and times, with the package's own model of a GPU.

Used by the sources of `workloads`; nothing here knows a data set.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from measured import SHARED

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.workloads.demand import Demand, Setting
from goodwatt.power.workloads.workload import Phase

CAPPED = 0.985
"""Watts above this share of the cap are the cap's, not the workload's."""
KAPPA_OF_M = (1.3125, 1.25)
"""Where no clock or cap was varied: kappa = 1.3125 - 1.25 m. It passes through the assumed pairs of the design: dense
GEMM (m .25, kappa 1), training (.45, .75), decode (.85, .25)."""

TRAINING_KAPPA, KAPPA_SPREAD, TYPICAL_ERROR = 0.75, 0.2, 0.04
"""What is taken of kappa before a sweep is seen, and the relative error of a row. Without it a sweep often has two
solutions: a clock that falls little and matters much, or one that falls far, because memory takes the watts, and
matters little."""


@dataclass(frozen=True)
class CapRow:
    """One row of a sweep over power caps."""

    cap_w: float
    time_s: float
    watts: float


@dataclass(frozen=True)
class SweepFit:
    """A demand fitted to a sweep, and the errors on rows that were not fitted."""

    demand: Demand
    time_error: float
    power_error: float
    held_out: int


def rows_of(path: str) -> list[dict[str, str]]:
    """A table of the public data."""
    with gzip.open(Path(SHARED) / "data" / path, "rt", newline="") as text:
        return list(csv.DictReader(text))


def model_of(kind: str) -> GpuModel:
    return gpu_model(gpu_kind(kind))


def kappa_of(m: float) -> float:
    return round(min(1.0, max(0.0, KAPPA_OF_M[0] - KAPPA_OF_M[1] * m)), 3)


def m_of(kappa: float) -> float:
    return min(0.95, max(0.05, (KAPPA_OF_M[0] - kappa) / KAPPA_OF_M[1]))


def solve_u(kind: str, phases: Sequence[Phase], watts: float) -> tuple[Phase, ...]:
    """The phases with every u multiplied by one number so that they draw `watts` at the default setting.

    Watts at the cap tell no more than that u is at least so large: the least that reaches 98.5% of it is taken.
    """
    model = model_of(kind)
    wanted = min(watts, CAPPED * model.default_cap_w)

    def drawn(scale: float) -> float:
        return alone_point(model, _scaled(phases, scale)).watts

    low, high = 0.0, 0.01
    while drawn(high) < wanted and high < 20.0:  # from below: at the cap watts no longer rise with u
        low, high = high, high * 1.03
    return tuple(_rounded(phase) for phase in _scaled(phases, _bisect(drawn, wanted, low, high)))


def u_at_clock(kind: str, demand: Demand, clock_mhz: float, watts: float) -> float:
    """The u with which the demand draws `watts` at a clock that was read."""
    model = model_of(kind)
    return _bisect(lambda u: model.watts(replace(demand, u=u), clock_mhz), watts, 0.0, 5.0)


def fit_sweep(kind: str, rows: Sequence[CapRow], demand: Demand) -> SweepFit:
    """u, kappa and, tied to kappa, m from a sweep; the rest of `demand` is given.

    The catalogue's figures are fitted to all rows; the errors are those of a fit to every second row, from the
    greatest cap down, on the others.
    """
    ordered = sorted(rows, key=lambda row: -row.cap_w)
    trial = _fitted(kind, ordered[::2], demand)
    times, powers = _errors(kind, trial, ordered, ordered[1::2])
    fitted = _fitted(kind, ordered, demand)
    (phase,) = solve_u(kind, [Phase("all", 1.0, 0.05, fitted)], ordered[0].watts)
    return SweepFit(phase.demand, times, powers, len(ordered[1::2]))


def _fitted(kind: str, rows: Sequence[CapRow], demand: Demand) -> Demand:
    def trial(kappa: float, u: float) -> Demand:
        return replace(demand, kappa=kappa, m=m_of(kappa), u=u)

    def loss(place: tuple[float, float]) -> float:
        return _loss(kind, trial(*place), rows)

    best = min(((k / 10, u / 25) for k in range(11) for u in range(31)), key=loss)
    for step in (0.04, 0.02, 0.01, 0.005, 0.0025):
        near = [
            (min(1.0, max(0.0, best[0] + i * step)), max(0.0, best[1] + j * step))
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
        ]
        best = min(near, key=loss)
    return trial(*best)


def _loss(kind: str, demand: Demand, rows: Sequence[CapRow]) -> float:
    """Sum of errors of time and power, and how far kappa is off; rows come from the greatest cap down.

    Errors count by their size, not its square: at the lowest caps a board may leave the model altogether.
    """
    points = _predicted(kind, demand, rows)
    prior = TYPICAL_ERROR * abs(demand.kappa - TRAINING_KAPPA) / KAPPA_SPREAD
    return prior + math.fsum(
        abs(math.log(time_s / row.time_s)) + abs(math.log(watts / row.watts))
        for (time_s, watts), row in zip(points, rows, strict=True)
    )


def _predicted(kind: str, demand: Demand, rows: Sequence[CapRow]) -> list[tuple[float, float]]:
    """(time, watts) at each cap; times are those of the first row as predicted from it."""
    model = model_of(kind)
    phases = (Phase("all", 1.0, 0.05, demand),)
    points = [alone_point(model, phases, Setting(cap_w=row.cap_w)) for row in rows]
    first = points[0].speeds[0]
    return [(rows[0].time_s * first / point.speeds[0], point.watts) for point in points]


def _errors(kind: str, demand: Demand, rows: Sequence[CapRow], test: Sequence[CapRow]) -> tuple[float, float]:
    """Mean absolute relative errors of time and power on the test rows."""
    points = dict(zip((row.cap_w for row in rows), _predicted(kind, demand, rows), strict=True))
    times = [abs(points[row.cap_w][0] / row.time_s - 1.0) for row in test]
    powers = [abs(points[row.cap_w][1] / row.watts - 1.0) for row in test]
    return math.fsum(times) / len(times), math.fsum(powers) / len(powers)


def _scaled(phases: Sequence[Phase], scale: float) -> tuple[Phase, ...]:
    return tuple(replace(p, demand=replace(p.demand, u=p.demand.u * scale)) for p in phases)


def _rounded(phase: Phase) -> Phase:
    demand = phase.demand
    return replace(
        phase, demand=replace(demand, u=round(demand.u, 4), m=round(demand.m, 3), kappa=round(demand.kappa, 3))
    )


def _bisect(function: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Where a rising function reaches `wanted`; `low` where it lies above from the start."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if function(middle) >= wanted else (middle, high)
    return (low + high) / 2


def phase_content(phases: Sequence[Phase]) -> list[dict[str, Any]]:
    """As they stand in a file of the catalogue; defaults are left out."""
    plain = Demand(u=-1.0, m=-1.0, kappa=-1.0)
    rows = []
    for phase in phases:
        demand = {
            name: value if isinstance(value, int) else round(value, 4)
            for name in Demand.__dataclass_fields__
            if (value := getattr(phase.demand, name)) != getattr(plain, name)
        }
        rows.append({"name": phase.name, "share": phase.share, "length_s": phase.length_s, "demand": demand})
    return rows
