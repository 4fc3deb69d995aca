"""The linear program: what work can be done in the horizon at all, and with how few joules, fluidly.

Time is cut into slots. In each, groups of jobs do work y at some mixture of clocks on GPUs of some site (a pool of
nodes, a class of its chips), within

    backlog     work done by the end of a slot <= the most that can have been done by then
    GPUs        held GPU-seconds of a site <= its GPUs x the slot
    awake       held GPU-seconds of a pool <= GPUs of a node x N, node-seconds awake, N <= nodes x slot
    feed        joules of a pool >= base N + slope (heat), for every line below the curve of its nodes
    budget      joules of all pools in a slot <= budget x slot, if there is one

Every run satisfies them with its own means over the slots, so no run beats the optimum. Solved by HiGHS, of SciPy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goodwatt.errors import RunError
from goodwatt.policies.bounds.groups import Group
from goodwatt.policies.bounds.pools import Pool

Floats = NDArray[np.float64]
Vertex = tuple[float, float]
"""GPU-seconds held and joules above a GPU that is held, per unit of work."""


@dataclass(frozen=True, slots=True)
class Site:
    """A class of chips of a pool: where groups may work."""

    pool: int
    gpus: int
    prices: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Optimum:
    """`value` of the objective; `slope`: what one more unit of work would cost, where work was asked for."""

    value: float
    slope: float


def vertices(joules: Floats, prices: Sequence[float], held_s: float) -> tuple[Vertex, ...]:
    """Corners of all (seconds, joules) with joules + price x seconds >= support for each price, seconds >= held_s."""
    lines = list(zip(joules.tolist(), prices, strict=True))
    places = {held_s}
    for i, (high, price) in enumerate(lines):
        for other, cheaper in lines[:i]:
            if price > cheaper and (at := (high - other) / (price - cheaper)) > held_s:
                places.add(at)
    found = [(at, max(0.0, *(support - price * at for support, price in lines))) for at in sorted(places)]
    return tuple(_corners(found))


def _corners(points: Sequence[Vertex]) -> list[Vertex]:
    """Of points on a falling convex chain those that are corners, up to where it stops falling."""
    kept: list[Vertex] = []
    for point in points:
        if kept and point[1] >= kept[-1][1] * (1.0 - 1e-12):
            continue
        while len(kept) > 1 and _above(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    return kept


def _above(left: Vertex, middle: Vertex, right: Vertex) -> bool:
    """Whether the middle one lies on or above the line between the others."""
    share = (middle[0] - left[0]) / (right[0] - left[0])
    line = left[1] + share * (right[1] - left[1])
    return middle[1] >= line - 1e-9 * abs(line)


class Program:
    """One cluster, one horizon, one set of groups; solved for several objectives.

    Inside it counts in hours and kilowatts, so that all numbers are near 1.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        sites: Sequence[Site],
        groups: Sequence[Group],
        slots_s: Sequence[float],
        sleep: bool,
        budget_w: float | None,
    ) -> None:
        self._pools, self._sites, self._groups = pools, sites, groups
        self._slots_h = [slot / HOUR_S for slot in slots_s]
        self._sleep = sleep
        self._budget_kw = None if budget_w is None else budget_w / KILO
        self._rows = _Rows()
        self._lower: list[float] = []
        self._upper: list[float] = []
        self._kwh: dict[str, dict[int, float]] = {"gpu": {}, "it": {}}
        self._fixed_kwh = {"gpu": 0.0, "it": 0.0}
        self._corners = [_group_corners(group, sites) for group in groups]
        self._done: list[int] = []
        """The column of each group's work done by the end of the slot that was built last."""
        for slot in range(len(slots_s)):
            self._build(slot)

    # solving -----------------------------------------------------------------------------------------------------

    def most_work(self) -> float:
        """Reference GPU-seconds that can be done at most."""
        objective = np.zeros(len(self._upper))
        objective[self._done] = -1.0
        return -self._solve(objective, 0.0).value * HOUR_S

    def least_energy(self, scope: str, work: float) -> Optimum:
        """Joules (`gpu` or `it`) that so much work takes at least, and joules for one more unit of work there."""
        objective = np.zeros(len(self._upper))
        for column, kwh in self._kwh[scope].items():
            objective[column] = kwh
        found = self._solve(objective, work / HOUR_S)
        return Optimum((found.value + self._fixed_kwh[scope]) * J_PER_KWH, found.slope * KILO)

    def _solve(self, objective: Floats, work_h: float) -> Optimum:
        from scipy.optimize import linprog
        from scipy.sparse import coo_array

        at_most = self._rows.with_row(dict.fromkeys(self._done, -1.0), -work_h)
        matrix = coo_array(
            (at_most.values, (at_most.rows, at_most.columns)), shape=(len(at_most.limits), len(self._upper))
        )
        bounds = np.array([self._lower, self._upper]).T
        found: Any = linprog(objective, A_ub=matrix.tocsr(), b_ub=at_most.limits, bounds=bounds, method="highs")
        if found.status != 0:
            raise RunError(f"the linear program of the bound was not solved: {found.message}")
        return Optimum(float(found.fun), -float(found.ineqlin.marginals[-1]))

    # building ----------------------------------------------------------------------------------------------------

    def _build(self, slot: int) -> None:
        """Columns and rows of one slot."""
        uses = _Uses(len(self._sites))
        self._done = [self._group(i, slot, uses) for i in range(len(self._groups))]
        for site, held in zip(self._sites, uses.held, strict=True):
            self._rows.add(held, site.gpus * self._slots_h[slot])
        budget: dict[int, float] = {}
        for i, pool in enumerate(self._pools):
            asleep_kwh = self._pool(pool, self._slots_h[slot], uses.of_pool(i, self._sites), budget)
            self._fixed_kwh["it"] += asleep_kwh
            if self._budget_kw is not None:
                budget[FIXED] = budget.get(FIXED, 0.0) + asleep_kwh
        if self._budget_kw is not None:
            self._rows.add(budget, self._budget_kw * self._slots_h[slot] - budget.pop(FIXED, 0.0))

    def _group(self, index: int, slot: int, uses: _Uses) -> int:
        """Work of a group in a slot, where and how; the column of its work done so far."""
        done = self._column(self._groups[index].arrived[slot] / HOUR_S)
        terms = {done: 1.0}
        if slot:
            terms[self._done[index]] = -1.0
        for site, held, joules in self._corners[index]:
            column = self._column()
            terms[column] = -1.0
            uses.held[site][column] = held
            uses.kw[site][column] = joules / KILO
        self._rows.add(terms, 0.0)  # an inequality will do: nobody wants less work than was done
        return done

    def _pool(self, pool: Pool, hours: float, use: _PoolUse, budget: dict[int, float]) -> float:
        """Nodes awake in a pool and what they draw; kWh that it would draw asleep all the time."""
        most = pool.nodes * hours
        awake, feed = self._column(most, 0.0 if self._sleep else most), self._column()
        self._rows.add(use.held | {awake: -float(pool.gpus)}, 0.0)
        for line in pool.lines:
            heat = {column: line.slope * kw for column, kw in use.heat(pool.hold_w / KILO).items()}
            self._rows.add(heat | {awake: pool.awake_w(line) / KILO, feed: -1.0}, 0.0)
        asleep_kw = pool.asleep_w / KILO
        self._kwh["it"] |= {feed: 1.0, awake: -asleep_kw}
        self._kwh["gpu"] |= use.heat(pool.held_w / KILO) | {awake: pool.gpus * pool.idle_w / KILO}
        if self._budget_kw is not None:
            budget |= {feed: 1.0, awake: -asleep_kw}
        return most * asleep_kw

    def _column(self, upper: float = math.inf, lower: float = 0.0) -> int:
        self._lower.append(lower)
        self._upper.append(upper)
        return len(self._upper) - 1


HOUR_S, KILO, J_PER_KWH = 3600.0, 1000.0, 3.6e6
FIXED = -1
"""Stands for what no column changes."""


class _Rows:
    """Rows `sum of value x column <= limit` of a sparse matrix."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.columns: list[int] = []
        self.values: list[float] = []
        self.limits: list[float] = []

    def add(self, terms: Mapping[int, float], limit: float) -> None:
        """One more."""
        self.rows += [len(self.limits)] * len(terms)
        self.columns += terms
        self.values += terms.values()
        self.limits.append(limit)

    def with_row(self, terms: Mapping[int, float], limit: float) -> _Rows:
        """A copy with one more."""
        more = _Rows()
        for name in ("rows", "columns", "values", "limits"):
            setattr(more, name, getattr(self, name)[:])
        more.add(terms, limit)
        return more


class _Uses:
    """By site: GPU-hours held, and kilowatt-hours above held GPUs, for each column of work."""

    def __init__(self, sites: int) -> None:
        self.held: list[dict[int, float]] = [{} for _ in range(sites)]
        self.kw: list[dict[int, float]] = [{} for _ in range(sites)]

    def of_pool(self, pool: int, sites: Sequence[Site]) -> _PoolUse:
        """All sites of a pool together."""
        use = _PoolUse({}, {})
        for i, site in enumerate(sites):
            if site.pool == pool:
                use.held.update(self.held[i])
                use.kw.update(self.kw[i])
        return use


@dataclass(frozen=True, slots=True)
class _PoolUse:
    held: dict[int, float]
    kw: dict[int, float]

    def heat(self, hold_kw: float) -> dict[int, float]:
        """Kilowatt-hours by column if holding a GPU costs so much."""
        return {column: kw + hold_kw * self.held[column] for column, kw in self.kw.items()}


def _group_corners(group: Group, sites: Sequence[Site]) -> list[tuple[int, float, float]]:
    """(site, GPU-seconds held, joules) per unit of work, all ways in which a group may work."""
    return [
        (site, held, joules)
        for site, support, least in zip(group.sites, group.joules, group.held_s, strict=True)
        for held, joules in vertices(support, sites[site].prices, least)
    ]
