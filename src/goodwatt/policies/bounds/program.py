"""The linear program: what work can be done in the horizon at all, and with how few joules, fluidly.

Time is cut into slots. In each, groups of jobs do work y at some mixture of clocks on GPUs of some site (a pool of
nodes, a class of its chips), within

    backlog     work done by the end of a slot <= the most that can have been done by then
    GPUs        held GPU-seconds of a site <= its GPUs x the slot
    awake       held GPU-seconds of a pool <= GPUs of a node x N, node-seconds awake, N <= nodes x slot
    feed        joules of a pool >= base N + slope (heat), for every line below the curve of its nodes
    budget      joules of all pools in a slot <= budget x slot, if there is one

Every run satisfies them with its own means over the slots, so no run beats the optimum. What can say nothing is left
out: work of a group before any of it has arrived, and its backlog where no more has arrived since (the later row says
more, as work only adds up). So a trace of few jobs is a small program. Solved by HiGHS, of SciPy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
        budget_w: float | None,
    ) -> None:
        self._pools, self._sites, self._groups = pools, sites, groups
        self._slots_h = [slot / HOUR_S for slot in slots_s]
        self._budget_kw = None if budget_w is None else budget_w / KILO
        self._rows = _Rows()
        self._upper: list[float] = []
        self._kwh: dict[str, dict[int, float]] = {"gpu": {}, "it": {}}
        self._fixed_kwh = {"gpu": 0.0, "it": 0.0}
        self._corners = [_group_corners(group, sites) for group in groups]
        self._work = [_Backlog() for _ in groups]
        self._awake: dict[int, float] = {}
        """Columns of node-hours awake, and all of the pool's node-hours in the slot."""
        for slot in range(len(slots_s)):
            self._build(slot)
        self._rows.add(dict.fromkeys(self._done(), -1.0), 0.0)  # the work asked for, which `_solve` fills in
        self._matrix = self._rows.matrix(len(self._upper))

    # solving -----------------------------------------------------------------------------------------------------

    def most_work(self, sleep: bool) -> float | None:
        """Reference GPU-seconds that can be done at most, with nodes that sleep when nobody uses them or not.

        None where nodes that stay awake draw more than the budget without any work.
        """
        objective = np.zeros(len(self._upper))
        objective[self._done()] = -1.0
        found = self._solve(objective, 0.0, sleep)
        return None if found is None else -found.value * HOUR_S

    def least_energy(self, scope: str, work: float, sleep: bool) -> Optimum:
        """Joules (`gpu` or `it`) that so much work takes at least, and joules for one more unit of work there.

        `work`: not more than `most_work`. Raises RunError.
        """
        objective = np.zeros(len(self._upper))
        for column, kwh in self._kwh[scope].items():
            objective[column] = kwh
        found = self._solve(objective, work / HOUR_S, sleep)
        if found is None:
            raise RunError(f"the linear program of the bound has no solution with {work:g} GPU-s of work")
        return Optimum((found.value + self._fixed_kwh[scope]) * J_PER_KWH, found.slope * KILO)

    def _solve(self, objective: Floats, work_h: float, sleep: bool) -> Optimum | None:
        """None where nothing keeps within the limits."""
        from scipy.optimize import linprog

        bounds = np.zeros((len(self._upper), 2))
        bounds[:, 1] = self._upper
        if not sleep:
            bounds[list(self._awake), 0] = list(self._awake.values())
        limits = np.array(self._rows.limits)
        limits[-1] = -work_h
        found: Any = linprog(objective, A_ub=self._matrix, b_ub=limits, bounds=bounds, method="highs-ds")
        if found.status == INFEASIBLE:
            return None
        if found.status != SOLVED:
            raise RunError(f"the linear program of the bound was not solved: {found.message}")
        return Optimum(float(found.fun), -float(found.ineqlin.marginals[-1]))

    # building ----------------------------------------------------------------------------------------------------

    def _build(self, slot: int) -> None:
        """Columns and rows of one slot."""
        uses = _Uses(len(self._sites))
        for i in range(len(self._groups)):
            self._group(i, slot, uses)
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

    def _group(self, index: int, slot: int, uses: _Uses) -> None:
        """Work of a group in a slot, where and how, and how much of it there can be by the end of the slot."""
        arrived, backlog = self._groups[index].arrived, self._work[index]
        if arrived[slot] <= 0.0:
            return
        for site, held, joules in self._corners[index]:
            column = self._column()
            backlog.since.append(column)
            uses.held[site][column] = held
            uses.kw[site][column] = joules / KILO
        if slot + 1 < len(arrived) and arrived[slot + 1] <= arrived[slot]:
            return
        done = self._column(arrived[slot] / HOUR_S)
        terms = {done: 1.0, **dict.fromkeys(backlog.since, -1.0)}
        if backlog.done is not None:
            terms[backlog.done] = -1.0
        self._rows.add(terms, 0.0)  # an inequality will do: nobody wants less work than was done
        self._work[index] = _Backlog(done)

    def _done(self) -> list[int]:
        """The columns of the work that the groups have done by the end of the last slot."""
        return [backlog.done for backlog in self._work if backlog.done is not None]

    def _pool(self, pool: Pool, hours: float, use: _PoolUse, budget: dict[int, float]) -> float:
        """Nodes awake in a pool and what they draw; kWh that it would draw asleep all the time."""
        most = pool.nodes * hours
        awake, feed = self._column(most), self._column()
        self._awake[awake] = most
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

    def _column(self, upper: float = math.inf) -> int:
        self._upper.append(upper)
        return len(self._upper) - 1


HOUR_S, KILO, J_PER_KWH = 3600.0, 1000.0, 3.6e6
SOLVED, INFEASIBLE = 0, 2
"""SciPy's words."""
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

    def matrix(self, width: int) -> Any:
        """All of them over so many columns."""
        from scipy.sparse import coo_array

        return coo_array((self.values, (self.rows, self.columns)), shape=(len(self.limits), width)).tocsr()


@dataclass(slots=True)
class _Backlog:
    """Of a group while slots are built: the column of its work done by the last row of its backlog, and the columns of
    its work since."""

    done: int | None = None
    since: list[int] = field(default_factory=list)


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
