"""Nodes that are alike, with lines below what one of them draws at its feed, whatever its GPUs do.

    wall(heat) >= base_w + slope * heat     for every line; heat: watts of its GPUs and its host, fans excluded

A node's fans and supplies make its feed a curve of its heat (`power.facility.supply`); as it is convex where nodes run,
lines that touch it from below are tight, and by Jensen's inequality they hold for means over time and over nodes too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from goodwatt.cluster.bitset import bitset
from goodwatt.cluster.cluster import Cluster, Node
from goodwatt.cluster.host_power import SLEEPS, HostPower
from goodwatt.power.facility.supply import node_facts, node_wall_w
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.simulator.physics.truth import Truth

LINES = 5
"""Lines below the curve of a node; what they give away between two of them is below a thousandth."""
SAMPLES = 2000
SLACK_W = 0.01
"""What a curve may lie below its samples; curvature times the square of their distance is less."""


@dataclass(frozen=True, slots=True)
class Line:
    """`base_w + slope * heat_w`."""

    base_w: float
    slope: float


@dataclass(frozen=True, slots=True)
class Chips:
    """So many GPUs of a pool whose SMs draw at least `factor` times nominal."""

    factor: float
    gpus: int


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes of one kind, size and partition.

    `members`: their positions as a bit set; `gpus` of each. `idle_w`: of a GPU; `held_w`: what a context adds.
    `host_idle_w`, `host_swing_w`: host without jobs, and what it adds when all GPUs are held. `lines`: see the module.
    """

    kind: str
    partition: str | None
    members: int
    nodes: int
    gpus: int
    idle_w: float
    held_w: float
    host_idle_w: float
    host_swing_w: float
    asleep_w: float
    lines: tuple[Line, ...]
    chips: tuple[Chips, ...]

    @property
    def idle_heat_w(self) -> float:
        """A node that is awake and that nobody uses."""
        return self.gpus * self.idle_w + self.host_idle_w

    @property
    def hold_w(self) -> float:
        """Heat that holding a GPU adds, before any work."""
        return self.held_w + (self.host_swing_w / self.gpus if self.gpus else 0.0)

    def awake_w(self, line: Line) -> float:
        """What a node draws that nobody uses, by one of the lines."""
        return line.base_w + line.slope * self.idle_heat_w

    @property
    def awake_price_w(self) -> float:
        """What a GPU in use costs if its whole node is awake for its eighth (or whatever its part is) of it."""
        more = max(self.awake_w(line) for line in self.lines) - self.asleep_w
        return max(more, 0.0) / self.gpus + self.hold_w if self.gpus else 0.0


def full_pools(cluster: Cluster, truth: Truth, chip_bins: int) -> tuple[Pool, ...]:
    """Pools under full physics; `chip_bins`: into how many classes chips are put, each as good as its best."""
    models = {n: None if k.power_model is None else gpu_model(k) for n, k in cluster.kinds.items()}

    def pool(key: _Key, members: list[int]) -> Pool:
        kind, partition, gpus = key
        model = models[kind]
        idle_w, held_w = (0.0, 0.0) if model is None else (model.idle_w, model.context_w - model.idle_w)
        facts = node_facts(cluster.power)
        swing_w = facts.host_max_w - facts.host_idle_w if gpus else 0.0
        most_w = facts.host_max_w + gpus * (0.0 if model is None else _most_w(model))
        least_w = gpus * idle_w + facts.host_idle_w
        return Pool(
            kind, partition, bitset(members), len(members), gpus, idle_w, held_w, facts.host_idle_w, swing_w,
            asleep_w=(cluster.power.sleep or SLEEPS["off"]).asleep_w,
            lines=_lines(lambda heat: node_wall_w(heat - facts.host_idle_w, 0.0, facts), least_w, most_w),
            chips=_chips(cluster, members, model, truth, chip_bins),
        )  # fmt: skip

    return tuple(pool(key, members) for key, members in _alike(cluster).items())


def ideal_pools(cluster: Cluster) -> tuple[Pool, ...]:
    """Pools under ideal physics: idle or active, a linear host, nothing where a node sleeps."""

    def pool(key: _Key, members: list[int]) -> Pool:
        kind, partition, gpus = key
        host: HostPower = cluster.power
        facts = cluster.kinds[kind]
        idle_w = facts.idle_w if facts.idle_w is not None and facts.has_energy else 0.0
        swing_w = host.host_max_w - host.host_idle_w if gpus else 0.0
        return Pool(
            kind, partition, bitset(members), len(members), gpus, idle_w, 0.0, host.host_idle_w, swing_w,
            asleep_w=0.0, lines=(Line(0.0, 1.0),), chips=(Chips(1.0, gpus * len(members)),),
        )  # fmt: skip

    return tuple(pool(key, members) for key, members in _alike(cluster).items())


_Key = tuple[str, str | None, int]


def _alike(cluster: Cluster) -> dict[_Key, list[int]]:
    found: dict[_Key, list[int]] = {}
    for position, node in enumerate(cluster.nodes):
        found.setdefault((node.gpu_kind, node.partition, node.gpus), []).append(position)
    return found


def _most_w(model: GpuModel) -> float:
    """More than a GPU can draw at any cap."""
    return model.context_w + 3.0 * model.core_w[-1] + model.memory_w


def _lines(wall_w: Callable[[float], float], low: float, high: float) -> tuple[Line, ...]:
    """Lines below a rising curve on an interval, touching it at evenly spaced places of its lower half."""
    step = (high - low) / SAMPLES
    if step <= 0.0:
        return (Line(wall_w(low) - low, 1.0),)
    heats = [low + step * i for i in range(SAMPLES + 1)]
    walls = [wall_w(heat) for heat in heats]
    found = {}
    for i in range(LINES):
        at = i * SAMPLES // (2 * LINES)
        slope = (walls[at + 1] - walls[at]) / step
        base = min(wall - slope * heat for heat, wall in zip(heats, walls, strict=True)) - SLACK_W
        found[round(slope, 9)] = Line(base, slope)
    return tuple(found.values())


def _chips(cluster: Cluster, members: list[int], model: GpuModel | None, truth: Truth, bins: int) -> tuple[Chips, ...]:
    nodes: list[Node] = [cluster.nodes[i] for i in members]
    if model is None:
        return (Chips(1.0, sum(node.gpus for node in nodes)),)
    spread = model.power.chip_spread
    # Full physics rounds chips to hundredths.
    factors = Counter(round(truth.chip_factor(n.name, g, spread), 2) for n in nodes for g in range(n.gpus))
    return tuple(_binned(factors, bins))


def _binned(factors: Counter[float], bins: int) -> list[Chips]:
    """Classes of about equal size, each with its best factor."""
    size = math.ceil(sum(factors.values()) / bins)
    found: list[Chips] = []
    least, gpus = 0.0, 0
    for factor in sorted(factors):
        least, gpus = (factor, 0) if not gpus else (least, gpus)
        gpus += factors[factor]
        if gpus >= size:
            found.append(Chips(least, gpus))
            gpus = 0
    return [*found, Chips(least, gpus)] if gpus else found
