"""What power buys: goodput against watts of one leaf of a budget, concave and piecewise linear.

Any points may be given; the curve is their upper hull, which is what mixing two settings over time reaches.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from goodwatt.errors import InputError


@dataclass(frozen=True, slots=True)
class GoodputCurve:
    """Corners, ascending in watts and goodput, with falling slopes. Below the first watts nothing runs."""

    watts: tuple[float, ...]
    goodput: tuple[float, ...]

    def at(self, watts: float) -> float:
        """Goodput at these watts: 0 below the first corner, flat beyond the last."""
        if watts < self.watts[0]:
            return 0.0
        i = bisect_right(self.watts, watts) - 1
        if i == len(self.watts) - 1:
            return self.goodput[-1]
        return self.goodput[i] + self.slopes[i] * (watts - self.watts[i])

    @property
    def slopes(self) -> tuple[float, ...]:
        """Goodput per watt from each corner to the next."""
        corners = zip(self.watts, self.goodput, strict=True)
        return tuple((g1 - g0) / (w1 - w0) for (w0, g0), (w1, g1) in pairwise(corners))


def goodput_curve(points: Iterable[tuple[float, float]]) -> GoodputCurve:
    """The upper hull of (watts, goodput) up to its greatest goodput. Raises InputError if there is no point."""
    hull: list[tuple[float, float]] = []
    for point in sorted(points):
        if hull and point[1] <= hull[-1][1]:
            continue
        while hull and (point[0] == hull[-1][0] or (len(hull) > 1 and _under(hull[-2], hull[-1], point))):
            hull.pop()
        hull.append(point)
    if not hull:
        raise InputError("goodput curve: expected at least one point of watts and goodput, got none")
    return GoodputCurve(tuple(w for w, _ in hull), tuple(g for _, g in hull))


def _under(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether b lies on or under the line from a to c."""
    return (b[1] - a[1]) * (c[0] - a[0]) <= (c[1] - a[1]) * (b[0] - a[0])
