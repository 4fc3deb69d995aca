"""How many iterations instances have made at any moment of a tick.

Within a tick an instance decodes at `each_s` an iteration, but for stretches in which prompts are computed, whose
iterations are known. Between the points where that changes the count grows evenly, so it is a broken line for each
instance. The lines of all instances stand in one, an instance after the other, so that one search serves all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]
APART = 4.0
"""Distance of two instances on the common axis, in ticks."""


class Stretches(NamedTuple):
    """Time in which prompts are computed: of which instance, from when to when, `iterations` in it."""

    positions: Positions
    begin_s: Floats
    end_s: Floats
    iterations: Floats

    def until(self, until_s: float) -> Stretches:
        """What of them is before a time; all begin before it."""
        end_s = np.minimum(self.end_s, until_s)
        share = (end_s - self.begin_s) / (self.end_s - self.begin_s)
        return Stretches(self.positions, self.begin_s, end_s, self.iterations * share)

    def followed_by(self, later: Stretches) -> Stretches:
        """Both."""
        return Stretches(*[np.concatenate(pair) for pair in zip(self, later, strict=True)])


class MadeIterations:
    """Counts from the beginning of the tick; `total` by instance at its end."""

    def __init__(self, from_s: float, until_s: float, each_s: Floats, stretches: Stretches) -> None:
        self._from_s, self._span_s = from_s, until_s - from_s
        everybody = np.arange(len(each_s)) * APART
        places = stretches.positions * APART
        axis = np.concatenate(
            [everybody, places + self._share(stretches.end_s), places + self._share(stretches.begin_s), everybody + 1.0]
        )
        ends = slice(len(each_s), len(each_s) + len(places))
        prompt_iterations = np.full(len(axis), np.nan)
        prompt_iterations[ends] = stretches.iterations
        order = axis.argsort(kind="stable")
        axis = axis[order]
        positions = (axis / APART).astype(np.int64)
        decoding = np.zeros_like(axis)
        np.subtract(axis[1:], axis[:-1], out=decoding[1:])
        decoding *= self._span_s / each_s[positions]
        more = prompt_iterations[order]
        more = np.where(np.isnan(more), decoding, more)
        first = axis.searchsorted(everybody)
        more[first] = 0.0
        self._axis, self._count = axis, more.cumsum()
        self._base = self._count[first]
        self.total: Floats = self._count[np.concatenate([first[1:], [len(axis)]]) - 1] - self._base

    def at(self, positions: Positions, time_s: Floats) -> Floats:
        """Iterations made by a time in the tick."""
        count: Floats = np.interp(positions * APART + self._share(time_s), self._axis, self._count)
        more: Floats = count - self._base[positions]
        return more

    def when(self, positions: Positions, iterations: Floats) -> Floats:
        """The time by which so many have been made."""
        place = np.interp(self._base[positions] + iterations, self._count, self._axis) - positions * APART
        time_s: Floats = self._from_s + np.minimum(np.maximum(place, 0.0), 1.0) * self._span_s
        return time_s

    def _share(self, time_s: Floats) -> Floats:
        share: Floats = np.maximum(time_s - self._from_s, 0.0) / self._span_s
        return share
