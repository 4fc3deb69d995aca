"""Watts of every node and of the cluster, kept as whole microwatts so that sums are exact in any order of changes."""

from __future__ import annotations

from collections.abc import Sequence

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.host_power import SLEEPS
from goodwatt.power.facility.supply import node_facts, node_watts
from goodwatt.simulator.physics.contract import ASLEEP, FALLING, ClusterPower

MICRO = 1_000_000
GpuParts = tuple[int, int, int, int]
"""Microwatts of one GPU: idle (nobody holds it), idle and context (held), SM, DRAM."""
NO_PARTS: GpuParts = (0, 0, 0, 0)
_NOTHING = (0, 0, 0, 0, 0, 0, 0)


class PowerMeter:
    """The power of each node by the parts of `ClusterPower`, and their sums.

    `wall_uw[node]` is what a node draws from its feed, `rack_uw[i]` what the nodes of `rack_names[i]` draw together
    (the last entry: of nodes without a rack). `moved` names racks that draw something else since it was last emptied.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._facts = node_facts(cluster.power)
        self._sleep = cluster.power.sleep or SLEEPS["off"]
        self._gpus = [node.gpus for node in cluster.nodes]
        self.parts: list[tuple[int, ...]] = [_NOTHING] * len(cluster.nodes)
        self._held = [0.0] * len(cluster.nodes)
        self.wall_uw = [0] * len(cluster.nodes)
        self.totals = [0] * len(_NOTHING)
        self.rack_names = tuple(dict.fromkeys([*cluster.racks, *(n.rack for n in cluster.nodes if n.rack), ""]))
        self.racks = {name: i for i, name in enumerate(self.rack_names)}
        self._rack_of = [self.racks[node.rack or ""] for node in cluster.nodes]
        self.rack_uw = [0] * len(self.rack_names)
        self.moved: dict[int, None] = {}

    def on(self, node: int, gpus: Sequence[GpuParts], held: int) -> None:
        """A node is awake; `held` of its GPUs are held by jobs."""
        self._held[node] = held / self._gpus[node] if gpus else 0.0
        self._on(node, *(map(sum, zip(*gpus, strict=True)) if gpus else NO_PARTS))

    def shift(self, node: int, sm: int, dram: int) -> None:
        """GPUs of a node that is awake, held as before, draw so much more."""
        idle, context, old_sm, old_dram, *_ = self.parts[node]
        self._on(node, idle, context, old_sm + sm, old_dram + dram)

    def _on(self, node: int, idle: int, context: int, sm: int, dram: int) -> None:
        watts = node_watts((idle + context + sm + dram) / MICRO, self._held[node], self._facts)
        host = round((watts.host_w + watts.fans_w) * MICRO)
        loss = round((watts.psu_loss_w + watts.distribution_loss_w) * MICRO)
        self._set(node, (idle, context, sm, dram, host, loss, 0))

    def off(self, node: int) -> None:
        """A node draws nothing."""
        self._set(node, _NOTHING)

    def sleeping(self, node: int, stage: str) -> None:
        """A node sleeps, or is on the way there or back, when its watts count as its host's."""
        idle, held, sm, dram, host, loss, asleep = _NOTHING
        if stage == ASLEEP:
            asleep = round(self._sleep.asleep_w * MICRO)
        else:
            host = round((self._sleep.suspend_w if stage == FALLING else self._sleep.wake_w) * MICRO)
        self._set(node, (idle, held, sm, dram, host, loss, asleep))

    def power(self) -> ClusterPower:
        """The sums in watts."""
        return ClusterPower(*(total / MICRO for total in self.totals))

    def copy(self) -> PowerMeter:
        """An independent copy."""
        twin = object.__new__(PowerMeter)
        twin.__dict__.update(self.__dict__)
        twin.parts, twin.wall_uw, twin.totals = self.parts[:], self.wall_uw[:], self.totals[:]
        twin._held = self._held[:]
        twin.rack_uw, twin.moved = self.rack_uw[:], dict(self.moved)
        return twin

    def _set(self, node: int, parts: tuple[int, ...]) -> None:
        totals = self.totals
        for i, (new, old) in enumerate(zip(parts, self.parts[node], strict=True)):
            totals[i] += new - old
        self.parts[node] = parts
        wall = sum(parts)
        if more := wall - self.wall_uw[node]:
            self.wall_uw[node] = wall
            rack = self._rack_of[node]
            self.rack_uw[rack] += more
            self.moved[rack] = None
