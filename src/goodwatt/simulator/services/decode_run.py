"""Iterations of one batch that only decodes: each reads one token a sequence more than the one before.

The time and the energy of an iteration grow evenly with its context, all but exactly: the line is drawn through the
first iteration and the middle of the run, so it is right where the run ends as planned and nearly so where an event
cuts it short. However the run is asked about, in one piece or many, it answers the same.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from goodwatt.power.serving.iteration_law import Cost
from goodwatt.simulator.services.board import Setting


class DecodeRun(NamedTuple):
    """`times` iterations, the first of which begins at `begin_s`, when the instance had made `before`.

    `first`, `mean`: what the first costs, and all of them on average. `clock`, `watts`: as in `Ran`.
    """

    begin_s: float
    before: int
    times: int
    first: Cost
    mean: Cost
    clock: int
    watts: float
    setting: Setting

    @property
    def end_s(self) -> float:
        """When the last one ends."""
        return self.begin_s + self.times * float(self.mean.wall_s)

    @property
    def last_s(self) -> float:
        """When the last one begins."""
        return self.end_s - float(2.0 * self.mean.wall_s - self.first.wall_s)

    def begun_before(self, time_s: float) -> int:
        """How many begin before this time."""
        if time_s >= self.end_s:
            return self.times
        more_s = 2.0 * (self.mean.wall_s - self.first.wall_s) / max(1, self.times - 1)
        return min(self.times, begun_before(time_s - self.begin_s, self.first.wall_s, more_s))

    def cost(self, begin: int, end: int) -> Cost:
        """On average, of those from one to before another, counted from 0."""
        if self.times == 1 or end - begin == self.times:
            return self.mean
        share = (begin + end - 1) / (self.times - 1)
        return Cost(*[a + (b - a) * share for a, b in zip(self.first, self.mean, strict=True)])


def begun_before(span_s: float, first_s: float, more_s: float) -> int:
    """How many iterations begin within a span, the first at once and taking `first_s`, each `more_s` longer."""
    half = first_s - 0.5 * more_s  # n of them take half n + more n^2 / 2
    return max(1, math.ceil(2.0 * span_s / (half + math.sqrt(half * half + 2.0 * more_s * span_s))))
