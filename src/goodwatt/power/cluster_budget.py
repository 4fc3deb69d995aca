"""The budget tree of a cluster: site, rows, racks, nodes, GPUs, all in watts of GPUs.

Limits of sites, rows and racks are at the feed, grants are for GPUs. What a node draws at its feed is convex in what
its GPUs draw (fans, losses), so a straight line from none to all of it, at full host load, lies above it:

    wall(g) <= fixed + slope * g            so   sum g <= (limit - sum fixed) / slope   keeps the limit

It is on the safe side by what the curve lies below the line. Dividing is left to `division`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from goodwatt.cluster.cluster import Cluster, Node
from goodwatt.cluster.host_power import NodePower
from goodwatt.errors import InputError
from goodwatt.power.budget_tree import BudgetTree, Level, budget_tree
from goodwatt.power.supply import node_facts, node_wall_w

K = TypeVar("K")
V = TypeVar("V")
SITE = "site"
MOST_GPU_W = 1500.0
"""Taken for the board of a GPU whose limit nobody published: no kind of the catalogue may draw more."""


@dataclass(frozen=True, slots=True)
class Chord:
    """What nodes add to their GPUs: `fixed_w` all together, and watts at the feed for each GPU watt."""

    fixed_w: float
    slope: float

    def gpu_w(self, wall_w: float | None) -> float | None:
        """What the GPUs may draw together under a limit at the feed; None: no limit."""
        return None if wall_w is None else max((wall_w - self.fixed_w) / self.slope, 0.0)


@dataclass(frozen=True, slots=True)
class ClusterBudget:
    """The tree; `gpus`: (node of the cluster, GPU) of each leaf, in the order of `tree.leaves`.

    `levels`: (node of the tree, chord) of SITE, of each rack by its name, and of each row by its name.
    """

    tree: BudgetTree
    gpus: tuple[tuple[int, int], ...]
    levels: Mapping[str, tuple[int, Chord]]

    def with_limits(self, wall_w: Mapping[str, float | None]) -> BudgetTree:
        """The tree with other limits at the feed: `{"rack-001": 60000.0}` after the loss of a feed."""
        changed = [(*self.levels[name], watts) for name, watts in wall_w.items()]
        return self.tree.with_limits((node, chord.gpu_w(watts)) for node, chord, watts in changed)


def cluster_budget(cluster: Cluster, site_w: float | None = None) -> ClusterBudget:
    """The tree of all limits that the cluster tells; `site_w`, at the feed, replaces the site's own."""
    return _Builder(cluster).build(cluster.power.site_limit_w if site_w is None else site_w)


class _Builder:
    """Joins levels upwards and remembers their chords."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._chords = [_chord(cluster, node) for node in cluster.nodes]
        self._of_level: dict[str, Chord] = {}

    def build(self, site_w: float | None) -> ClusterBudget:
        cluster = self._cluster
        by_rack = _grouped((node.rack, i) for i, node in enumerate(cluster.nodes))
        racks = {r: self._rack(r, nodes) for r, nodes in by_rack.items() if r is not None}
        by_row = _grouped((cluster.racks[r].row, r) for r in racks)
        rows = [
            self._level(
                row, cluster.rows[row].power_limit_w, [racks[r] for r in names], _flat(by_rack[r] for r in names)
            )
            for row, names in by_row.items()
            if row is not None
        ]
        loose = [self._node(i) for i in by_rack.get(None, [])]
        below = [*rows, *(racks[r] for r in by_row.get(None, [])), *loose]
        return self._numbered(self._level(SITE, site_w, below, range(len(cluster.nodes))))

    def _numbered(self, site: Level) -> ClusterBudget:
        """Nodes of the tree that stand for GPUs carry "node/GPU" as their name, the rest is found by theirs."""
        tree = budget_tree(site)
        gpus = [tree.names[leaf].split("/") for leaf in tree.leaves]
        levels = {name: (i, self._of_level[name]) for i, name in enumerate(tree.names) if name in self._of_level}
        return ClusterBudget(tree, tuple((int(node), int(gpu)) for node, gpu in gpus), levels)

    def _rack(self, name: str, nodes: Sequence[int]) -> Level:
        limit = self._cluster.racks[name].power_limit_w
        return self._level(name, limit, [self._node(i) for i in nodes], nodes)

    def _level(self, name: str, wall_w: float | None, below: Iterable[Level], nodes: Iterable[int]) -> Level:
        if name in self._of_level:
            raise InputError(
                f"budget: expected different names for the site, its rows and its racks, got {name!r} twice"
            )
        chords = [self._chords[i] for i in nodes]
        chord = Chord(math.fsum(c.fixed_w for c in chords), max((c.slope for c in chords), default=1.0))
        self._of_level[name] = chord
        return Level(name, chord.gpu_w(wall_w), 0.0, tuple(below))

    def _node(self, i: int) -> Level:
        node = self._cluster.nodes[i]
        limit = self._cluster.kinds[node.gpu_kind].max_w
        return Level(f"{i}/", None, 0.0, tuple(Level(f"{i}/{gpu}", limit) for gpu in range(node.gpus)))


def _chord(cluster: Cluster, node: Node) -> Chord:
    most_w = node.gpus * (cluster.kinds[node.gpu_kind].max_w or MOST_GPU_W)
    return chord(node_facts(cluster.power), most_w)


def chord(facts: NodePower, most_w: float) -> Chord:
    """The least line above the node's curve from none to `most_w` of GPU power, its host fully loaded.

    The curve is convex up to where the fans reach their most, and again from there, so only the ends of the two
    parts can touch the line.
    """
    fixed = node_wall_w(0.0, 1.0, facts)
    ends = [w for w in (facts.fan_full_w - facts.host_max_w, most_w) if 0.0 < w <= most_w]
    return Chord(fixed, max(((node_wall_w(w, 1.0, facts) - fixed) / w for w in ends), default=1.0))


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def _flat(lists: Iterable[Iterable[int]]) -> list[int]:
    return [value for values in lists for value in values]
