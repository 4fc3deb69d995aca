"""Divides the budget of a tree among its leaves: pure, exact, every inner limit kept, nothing left that is of use.

Three ways, all after the floors: by goodput (water-filling on marginal goodput per watt), by proportion of demand or
of capacity, by priority. Limits of a tree form a polymatroid, so giving each next milliwatt to whoever makes the most
of it is optimal for concave curves (Federgruen and Groenevelt 1986). That what is in force never exceeds the budget on
the way from one division to the next is left to `simulator.power.power_book`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, zip_longest

from goodwatt.errors import InputError, UnknownNameError
from goodwatt.power.budgets.budget_tree import MILLI, BudgetTree, to_mw
from goodwatt.power.budgets.division_fill import Ask, Fill
from goodwatt.power.budgets.goodput_curve import GoodputCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What a leaf asks for.

    `floor_w`: less is of no use to it (nor is less than the first corner of its curve); `most_w`: more is neither, None
    stands for its last corner; `capacity_w`: its size, for division by capacity;
    `priority`: higher goes first, for division by priority; `curve`: what watts buy, for division by goodput.
    """

    floor_w: float = 0.0
    most_w: float | None = None
    capacity_w: float = 0.0
    priority: int = 0
    curve: GoodputCurve | None = None


@dataclass(frozen=True, slots=True)
class Division:
    """Grants in whole milliwatts, in the order of the tree's leaves.

    `short_mw`: how much of its floor each leaf did not get, because the floors together exceed a limit.
    """

    grant_mw: tuple[int, ...]
    short_mw: tuple[int, ...]

    @property
    def grant_w(self) -> tuple[float, ...]:
        """The same in watts."""
        return tuple(mw / MILLI for mw in self.grant_mw)


Rise = Callable[[Fill, Sequence[Want], Sequence[int]], None]
"""Raises the grants of all leaves up to what each wants (milliwatts, last), in a way of its own."""


def divide(tree: BudgetTree, wants: Sequence[Want], way: str = "goodput") -> Division:
    """The budget of `tree` divided among its leaves in one of WAYS; `wants` in the order of `tree.leaves`.

    First the floors (in proportion where they do not fit), then the rest. Raises UnknownNameError for the way,
    InputError for wants that contradict themselves.
    """
    if way not in WAYS:
        raise UnknownNameError("way to divide a budget", way, WAYS)
    rise, fill = WAYS[way], Fill(tree)
    most = [_most_mw(want, position) for position, want in enumerate(wants)]
    floors = [min(_floor_mw(want), top) for want, top in zip(wants, most, strict=True)]
    fill.together([Ask(leaf, mw, mw) for leaf, mw in enumerate(floors)])
    rise(fill, wants, most)
    short = tuple(max(floor - mw, 0) for floor, mw in zip(floors, fill.grant_mw, strict=True))
    return Division(tuple(fill.grant_mw), short)


def _by_goodput(fill: Fill, wants: Sequence[Want], most: Sequence[int]) -> None:
    """The steepest stretch of any curve first; equal ones rise together. Flat stretches are of no use."""
    curves = {id(want.curve): _stretches(want.curve) for want in wants}
    stretches = sorted(
        [(-slope, leaf, min(end, most[leaf])) for leaf, w in enumerate(wants) for slope, end in curves[id(w.curve)]]
    )
    grant = fill.grant_mw
    for _, group in groupby(stretches, key=lambda stretch: stretch[0]):
        if fill.exhausted:
            return
        asks = [(leaf, end - grant[leaf]) for _, leaf, end in group]
        if len(asks) == 1:
            fill.one(*asks[0])
        else:
            fill.together([Ask(leaf, mw, mw) for leaf, mw in asks])


@lru_cache(maxsize=4096)
def _stretches(curve: GoodputCurve | None) -> list[tuple[float, int]]:
    """(goodput per watt, milliwatts where it ends); what comes before the first corner is the floor's."""
    if curve is None:
        return []
    rising = [(s, int(end * MILLI)) for s, end in zip(curve.slopes, curve.watts[1:], strict=True) if s > 0.0]
    # Equal slopes are one stretch: two would both be served at once.
    return [here for here, after in zip_longest(rising, rising[1:]) if after is None or here[0] != after[0]]


def _by_demand(fill: Fill, _: Sequence[Want], most: Sequence[int]) -> None:
    """Everybody the same share of what he asks for above what he has."""
    _alike(fill, most, range(len(most)))


def _by_capacity(fill: Fill, wants: Sequence[Want], most: Sequence[int]) -> None:
    """Everybody the same share of his capacity above what he has; who wants less leaves the rest to others."""
    missing = enumerate(mw - granted for mw, granted in zip(most, fill.grant_mw, strict=True))
    fill.together([Ask(leaf, mw, wants[leaf].capacity_w) for leaf, mw in missing])


def _by_priority(fill: Fill, wants: Sequence[Want], most: Sequence[int]) -> None:
    """All that the highest want, then the next; equals by demand."""
    ordered = sorted(range(len(wants)), key=lambda leaf: -wants[leaf].priority)
    for _, equals in groupby(ordered, key=lambda leaf: wants[leaf].priority):
        _alike(fill, most, equals)


def _alike(fill: Fill, most: Sequence[int], leaves: Iterable[int]) -> None:
    missing = [(leaf, most[leaf] - fill.grant_mw[leaf]) for leaf in leaves]
    fill.together([Ask(leaf, mw, mw) for leaf, mw in missing])


WAYS: Mapping[str, Rise] = {
    "goodput": _by_goodput,
    "demand": _by_demand,
    "capacity": _by_capacity,
    "priority": _by_priority,
}


def _most_mw(want: Want, position: int) -> int:
    last = 0.0 if want.curve is None else want.curve.watts[-1]
    most = last if want.most_w is None else want.most_w
    if not 0.0 <= want.floor_w <= most:
        problem = f"expected 0 <= floor <= most, got {want.floor_w:g} and {most:g} W"
        raise InputError(f"leaf {position} of the budget: {problem}")
    return to_mw(most)


def _floor_mw(want: Want) -> int:
    """Rounded up: a milliwatt less may be of no use."""
    first = 0.0 if want.curve is None else want.curve.watts[0]
    return math.ceil(max(want.floor_w, first) * MILLI)
