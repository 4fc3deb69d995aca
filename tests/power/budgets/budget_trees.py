"""Budget trees as people write them, and the sums that a division of them must keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goodwatt.power.budgets.budget_tree import BudgetTree, limit_mw


@dataclass(frozen=True, slots=True)
class Level:
    """A node of the tree: limit None means no limit of its own; without children it is a leaf."""

    name: str
    limit_w: float | None = None
    children: tuple[Level, ...] = ()


def budget_tree(root: Level) -> BudgetTree:
    """The tree below `root`, nodes breadth first."""
    levels, parents = [root], [-1]
    for node, level in enumerate(levels):
        levels += level.children
        parents += [node] * len(level.children)
    return BudgetTree(
        names=tuple(level.name for level in levels),
        parent=tuple(parents),
        limit_mw=tuple(limit_mw(level.limit_w) for level in levels),
        leaves=tuple(node for node, level in enumerate(levels) if not level.children),
    )


def sums(tree: BudgetTree, leaf_mw: Sequence[int]) -> list[int]:
    """What each node draws when its leaves draw `leaf_mw`, in the order of `leaves`."""
    drawn = [0] * len(tree.names)
    for leaf, amount in zip(tree.leaves, leaf_mw, strict=True):
        for node in tree.path(leaf):
            drawn[node] += amount
    return drawn


def over(tree: BudgetTree, leaf_mw: Sequence[int]) -> tuple[int, ...]:
    """The nodes whose limits `leaf_mw` exceeds."""
    drawn = enumerate(zip(sums(tree, leaf_mw), tree.limit_mw, strict=True))
    return tuple(node for node, (sum_mw, most_mw) in drawn if sum_mw > most_mw)
