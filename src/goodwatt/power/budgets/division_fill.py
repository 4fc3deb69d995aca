"""Fills a budget tree: grants in whole milliwatts that rise together until somebody above or they themselves are full.

The one primitive of every division. It never exceeds a limit, because all room is counted in whole milliwatts, and
leaves nothing that one of its leaves could still take. What rises when, and how far, is left to `division`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from goodwatt.power.budgets.budget_tree import BudgetTree

_ROUNDING = 1.0 + 1e-12


class Ask(NamedTuple):
    """A leaf (position among the tree's leaves) that would take up to `most_mw` more, in step with its `weight`."""

    leaf: int
    most_mw: int
    weight: float


class Fill:
    """Grants so far and the room that is left at every node of the tree; `paths` lead from each leaf to the root."""

    __slots__ = ("grant_mw", "paths", "room_mw")

    def __init__(self, tree: BudgetTree) -> None:
        above = {parent: tuple(tree.path(parent)) for parent in {tree.parent[leaf] for leaf in tree.leaves}}
        self.paths = [(leaf, *above[tree.parent[leaf]]) for leaf in tree.leaves]
        self.room_mw = list(tree.limit_mw)
        self.grant_mw = [0] * len(tree.leaves)

    @property
    def exhausted(self) -> bool:
        """Whether the root has nothing left."""
        return self.room_mw[0] <= 0

    def one(self, leaf: int, most_mw: int) -> int:
        """Grants as much of `most_mw` as there is room for, and says how much."""
        path, room = self.paths[leaf], self.room_mw
        mw = min(most_mw, *[room[node] for node in path])
        if mw <= 0:
            return 0
        self.grant_mw[leaf] += mw
        for node in path:
            room[node] -= mw
        return mw

    def together(self, asks: Sequence[Ask]) -> None:
        """All rise at once, by weight, until each has what it asks for or a limit above it is reached.

        This is max-min fairness by weight under all limits of the tree; what rounding leaves goes to the first who
        can take it. A leaf stands in one ask only. O(n depth log n).
        """
        asks = [ask for ask in asks if ask.most_mw > 0 and ask.weight > 0.0]
        given = [self.one(asks[i].leaf, mw) for i, mw in _Rise(asks, self).run()] if len(asks) > 1 else [0] * len(asks)
        for ask, mw in zip(asks, given, strict=True):
            if mw < ask.most_mw:
                self.one(ask.leaf, ask.most_mw - mw)


class _Rise:
    """One level that rises for all asks; who is full stops.

    Only nodes that cannot give all that is asked below them matter. Such a node is full at the level
    (room - what stopped below) / (weights that still rise); that only grows as asks stop, so that an old entry of the
    heap is a lower bound and is looked at again.
    """

    def __init__(self, asks: Sequence[Ask], fill: Fill) -> None:
        self._asks, self._room = asks, fill.room_mw
        paths = [fill.paths[ask.leaf] for ask in asks]
        asked: dict[int, int] = {}
        for ask, path in zip(asks, paths, strict=True):
            for node in path:
                asked[node] = asked.get(node, 0) + ask.most_mw
        tight = {node for node, mw in asked.items() if mw > self._room[node]}
        self._paths = [[node for node in path if node in tight] for path in paths]
        self._weight = dict.fromkeys(tight, 0.0)
        self._stopped = dict.fromkeys(tight, 0.0)
        self._below: dict[int, set[int]] = {node: set() for node in tight}
        for i, tight_path in enumerate(self._paths):
            for node in tight_path:
                self._weight[node] += asks[i].weight
                self._below[node].add(i)

    def run(self) -> Iterator[tuple[int, int]]:
        """(position of the ask, milliwatts rounded down) in the order of the asks."""
        if not self._below:
            return iter([(i, ask.most_mw) for i, ask in enumerate(self._asks)])
        full = [0] * len(self._asks)
        for level, i in self._stops():
            full[i] = min(int(level * self._asks[i].weight), self._asks[i].most_mw)
        return iter(enumerate(full))

    def _stops(self) -> Iterator[tuple[float, int]]:
        """(level, position of an ask that stops there), rising."""
        heap = [(ask.most_mw / ask.weight, 1, i) for i, ask in enumerate(self._asks)]
        heap += [(self._full_at(node), 0, node) for node in self._below]
        heapq.heapify(heap)
        rising = [True] * len(self._asks)
        while heap:
            level, is_ask, key = heapq.heappop(heap)
            if is_ask:
                stopping = [key] if rising[key] else []
            elif not self._below[key]:
                continue
            elif (now := self._full_at(key)) > level * _ROUNDING:
                heapq.heappush(heap, (now, 0, key))
                continue
            else:
                stopping = sorted(self._below[key])
            for i in stopping:
                rising[i] = False
                self._stop(i, level)
                yield level, i

    def _full_at(self, node: int) -> float:
        return (self._room[node] - self._stopped[node]) / self._weight[node]

    def _stop(self, i: int, level: float) -> None:
        weight = self._asks[i].weight
        for node in self._paths[i]:
            self._below[node].discard(i)
            self._weight[node] -= weight
            self._stopped[node] += weight * level
