"""A power budget as a tree: site, rows, racks, whoever is below them, each with what it may draw.

Facts only, in whole milliwatts, rounded down, so that sums are exact. How a budget is divided is in `division`, what
may be in force at every instant in `simulator.power.power_book`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

MILLI = 1000
NO_LIMIT = 1 << 62
"""Milliwatts that nothing reaches."""


@dataclass(frozen=True, slots=True)
class BudgetTree:
    """The tree as arrays over its nodes, a parent always before its children; `leaves` in the order of the tree.

    `parent` is -1 for the root. `limit_mw`: most that the node's leaves may draw together.
    """

    names: tuple[str, ...]
    parent: tuple[int, ...]
    limit_mw: tuple[int, ...]
    leaves: tuple[int, ...]

    def path(self, node: int) -> Iterator[int]:
        """The node and all above it, upwards."""
        while node >= 0:
            yield node
            node = self.parent[node]


def to_mw(watts: float) -> int:
    """Whole milliwatts, rounded down."""
    return int(watts * MILLI)


def limit_mw(watts: float | None) -> int:
    """A limit in whole milliwatts, rounded down; None and inf are no limit."""
    return NO_LIMIT if watts is None or watts == math.inf else to_mw(watts)
