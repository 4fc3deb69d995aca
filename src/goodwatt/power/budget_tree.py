"""A power budget as a tree: site, rows, racks, nodes, GPUs, each with what it may draw and what it should get at least.

Facts only, in whole milliwatts, so that sums are exact: limits are rounded down, floors too. Nodes stand before their
children. How a budget is divided is in `division`, how grants change over time in `grants`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from goodwatt.errors import InputError

MILLI = 1000
NO_LIMIT = 1 << 62
"""Milliwatts that nothing reaches."""


@dataclass(frozen=True, slots=True)
class Level:
    """A node of the tree as people write it: limit None means no limit of its own; without children it is a leaf."""

    name: str
    limit_w: float | None = None
    floor_w: float = 0.0
    children: tuple[Level, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetTree:
    """The tree as arrays over its nodes, a parent always before its children; `leaves` in the order of the tree.

    `parent` is -1 for the root. `limit_mw`: most that the node's leaves may draw together; `floor_mw`: what they get
    at least, before anybody gets more, as far as they ask for it.
    """

    names: tuple[str, ...]
    parent: tuple[int, ...]
    limit_mw: tuple[int, ...]
    floor_mw: tuple[int, ...]
    leaves: tuple[int, ...]

    def path(self, node: int) -> Iterator[int]:
        """The node and all above it, upwards."""
        while node >= 0:
            yield node
            node = self.parent[node]

    def sums(self, leaf_mw: Sequence[int]) -> list[int]:
        """What each node draws when its leaves draw `leaf_mw`, in the order of `leaves`."""
        sums = [0] * len(self.names)
        for leaf, amount in zip(self.leaves, leaf_mw, strict=True):
            sums[leaf] += amount
        for node in range(len(sums) - 1, 0, -1):
            sums[self.parent[node]] += sums[node]
        return sums

    def over(self, leaf_mw: Sequence[int]) -> tuple[int, ...]:
        """The nodes whose limits `leaf_mw` exceeds."""
        drawn = enumerate(zip(self.sums(leaf_mw), self.limit_mw, strict=True))
        return tuple(node for node, (sum_mw, most_mw) in drawn if sum_mw > most_mw)

    def with_limits(self, changes: Iterable[tuple[int, float | None]]) -> BudgetTree:
        """The same tree with other limits in watts for some nodes: a feed that is lost, a budget of the hour."""
        limits = list(self.limit_mw)
        for node, watts in changes:
            limits[node] = limit_mw(watts)
        return replace(self, limit_mw=tuple(limits))


def budget_tree(root: Level) -> BudgetTree:
    """The tree below `root`, nodes breadth first. Raises InputError for watts below 0."""
    levels, parents = [root], [-1]
    for node, level in enumerate(levels):
        levels += level.children
        parents += [node] * len(level.children)
    return BudgetTree(
        names=tuple(level.name for level in levels),
        parent=tuple(parents),
        limit_mw=tuple(limit_mw(_checked(level, level.limit_w)) for level in levels),
        floor_mw=tuple(to_mw(_checked(level, level.floor_w) or 0.0) for level in levels),
        leaves=tuple(node for node, level in enumerate(levels) if not level.children),
    )


def to_mw(watts: float) -> int:
    """Whole milliwatts, rounded down."""
    return int(watts * MILLI)


def limit_mw(watts: float | None) -> int:
    """A limit in whole milliwatts, rounded down; None and inf are no limit."""
    return NO_LIMIT if watts is None or watts == math.inf else to_mw(watts)


def _checked(level: Level, watts: float | None) -> float | None:
    if watts is not None and not watts >= 0.0:
        raise InputError(f"budget of {level.name}: expected watts, 0 or more, got {watts:g}")
    return watts


def grant_w(mw: int) -> float:
    """Watts of a grant."""
    return mw / MILLI
