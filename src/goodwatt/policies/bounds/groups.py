"""Jobs put together, so that a month of a hundred thousand of them makes a linear program of a few thousand rows.

Jobs that may use the same pools are cut into groups of like needs, greedily where most joules can be saved. A group
needs what the most frugal of its jobs needs, in every respect by itself, and any of its work counts as any other: both
only widen what is possible, so bounds stay bounds. `given_away` says how much that is at most.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Sites = tuple[int, ...]
"""Which (pool, class of chips) pairs a job may use, by position."""


@dataclass(frozen=True, slots=True)
class Needy:
    """A job as bounds see it.

    `sites` that it may use; `joules[site]` its support at that site's prices and `held_s[site]` its least GPU-seconds,
    per unit of work; `rate`: the most work per second that all its GPUs do together; `work`: reference GPU-seconds.
    """

    submit_s: float
    work: float
    rate: float
    sites: Sites
    joules: tuple[Floats, ...]
    held_s: tuple[float, ...]

    def done_by(self, time_s: float) -> float:
        """The most of it that can be done by then."""
        return min(self.work, max(0.0, time_s - self.submit_s) * self.rate)


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs together. `arrived[t]`: the most of their work that can be done by the end of slot t, cumulative."""

    sites: Sites
    joules: tuple[Floats, ...]
    held_s: tuple[float, ...]
    arrived: Floats


@dataclass(frozen=True, slots=True)
class Grouping:
    """`given_away`: by how much the joules of groups lie below those of their jobs, as a share of the latter, each
    taken where it costs least at its middle price."""

    groups: tuple[Group, ...]
    given_away: float


def group_jobs(jobs: Sequence[Needy], edges_s: Floats, most: int) -> Grouping:
    """At most about `most` groups (at least one for each set of sites); `edges_s`: ends of the slots."""
    by_sites: dict[Sites, list[Needy]] = {}
    for job in jobs:
        by_sites.setdefault(job.sites, []).append(job)
    parts = [_Part(found) for found in by_sites.values()]
    heap = [(-part.loss, i, part) for i, part in enumerate(parts)]
    heapq.heapify(heap)
    count = len(heap)
    while heap and len(heap) < most and heap[0][0] < 0.0:
        _, _, worst = heapq.heappop(heap)
        for half in worst.halves():
            heapq.heappush(heap, (-half.loss, count, half))
            count += 1
    done = [part for _, _, part in sorted(heap, key=lambda entry: entry[1])]
    whole = math.fsum(part.cost for part in done)
    lost = math.fsum(part.loss for part in done)
    return Grouping(tuple(part.group(edges_s) for part in done), lost / whole if whole > 0.0 else 0.0)


class _Part:
    """Jobs that may use the same sites; a row of `_table` are the supports and the least time of one, site by site."""

    def __init__(self, jobs: Sequence[Needy], table: Floats | None = None) -> None:
        self._jobs = jobs
        self._table = np.array([_row(job) for job in jobs]) if table is None else table
        self._work = np.array([job.work for job in jobs])
        self._least = self._table.min(axis=0)
        middle = self._middle()
        costs = self._table[:, middle].min(axis=1)
        self.cost = float(self._work @ costs)
        self.loss = float(self._work @ (costs - self._least[middle].min()))
        """Joules by which the group may lie below its jobs."""

    def _middle(self) -> list[int]:
        """The column of each site's middle price."""
        width = len(self._jobs[0].joules[0])
        sites = len(self._jobs[0].sites)
        return [i * (width + 1) + width // 2 for i in range(sites)]

    def halves(self) -> tuple[_Part, _Part]:
        """Cut at the middle of the work along the column that spreads most, relative to its least."""
        spread = self._work @ (self._table / np.maximum(self._least, 1e-300) - 1.0)
        column = self._table[:, int(np.argmax(spread))]
        order = np.argsort(column, kind="stable")
        sums = np.cumsum(self._work[order])
        at = int(np.searchsorted(sums, sums[-1] / 2.0))
        at = _between_values(column[order], at)
        return self._of(order[:at]), self._of(order[at:])

    def _of(self, positions: NDArray[np.int64]) -> _Part:
        return _Part([self._jobs[i] for i in positions], self._table[positions])

    def group(self, edges_s: Floats) -> Group:
        """What it needs at least, and when its work can be done."""
        sites, width = self._jobs[0].sites, len(self._jobs[0].joules[0])
        rows = self._least.reshape(len(sites), width + 1)
        submit, rate = (np.array([getattr(job, name) for job in self._jobs]) for name in ("submit_s", "rate"))
        arrived = np.array([np.minimum(self._work, np.maximum(0.0, edge - submit) * rate).sum() for edge in edges_s])
        return Group(sites, tuple(row[:-1] for row in rows), tuple(float(row[-1]) for row in rows), arrived)


def _row(job: Needy) -> list[float]:
    return [value for joules, held in zip(job.joules, job.held_s, strict=True) for value in (*joules, held)]


def _between_values(ordered: Floats, at: int) -> int:
    """The place nearest to `at` at which the value changes: equal jobs stay together, and neither part is empty."""
    changes = np.flatnonzero(np.diff(ordered)) + 1
    return int(changes[np.argmin(np.abs(changes - at))]) if len(changes) else max(1, min(at, len(ordered) - 1))
