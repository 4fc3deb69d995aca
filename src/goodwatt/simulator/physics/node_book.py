"""What each node's GPUs draw and at which clocks they are, and whether the node is up: what the meter goes by."""

from __future__ import annotations

from collections.abc import Sequence

from goodwatt.cluster.bitset import members
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.state import Placement
from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.gpu.point import GpuPoint
from goodwatt.simulator.physics.power_meter import MICRO, NO_PARTS, GpuParts, PowerMeter


class NodeBook:
    """`parts[node][gpu]`: its microwatts by where they go; `meter`: sums of them, taken over by `close`."""

    def __init__(self, cluster: Cluster, models: Sequence[GpuModel | None]) -> None:
        idle = [idle_parts(model) for model in models]
        self.parts: list[tuple[GpuParts, ...]] = [(i,) * n.gpus for i, n in zip(idle, cluster.nodes, strict=True)]
        self.meter = PowerMeter(cluster)
        self._modes: dict[int, str] = {}
        self._dormant: dict[int, int] = {}
        self._clocks = [(0, 0)] * len(cluster.nodes)
        self._clocked = (0, 0)
        for node, parts in enumerate(self.parts):
            self.meter.on(node, parts, 0)

    def set_mode(self, node: int, mode: str) -> None:
        """A node is on, off or at a stage of sleep from now on."""
        if mode == "on":
            self._modes.pop(node, None)
        else:
            self._modes[node] = mode

    def mode(self, node: int) -> str:
        """As it was told."""
        return self._modes.get(node, "on")

    def launch(self, placement: Placement, up: int | None) -> None:
        """So many nodes of a placement are up and in use, the GPUs of the others dormant; None: all are."""
        for i, (node, mask) in enumerate(placement):
            dormant = self._dormant.pop(node, 0) & ~mask
            if up is not None and i >= up:
                dormant |= mask
            if dormant:
                self._dormant[node] = dormant

    def set_gpu(self, node: int, gpu: int, parts: GpuParts) -> None:
        """What a GPU draws."""
        here = list(self.parts[node])
        here[gpu] = parts
        self.parts[node] = tuple(here)

    def set_idle(self, node: int, mask: int, model: GpuModel | None) -> None:
        """Nobody holds these GPUs."""
        here = list(self.parts[node])
        for gpu in members(mask):
            here[gpu] = idle_parts(model)
        self.parts[node] = tuple(here)

    def in_use(self, node: int, tenants: Sequence[tuple[str, ...]]) -> int:
        """How many GPUs of a node jobs hold that have been launched; `tenants`: who is on each."""
        return sum(map(bool, tenants)) - self._dormant.get(node, 0).bit_count()

    def close(self, node: int, points: Sequence[GpuPoint | None], tenants: Sequence[tuple[str, ...]]) -> None:
        """Take over a node's clocks and watts."""
        khz = [round(point.clock_mhz * 1000.0) for point in points if point is not None]
        (old_khz, old_gpus), (all_khz, all_gpus) = self._clocks[node], self._clocked
        self._clocks[node] = sum(khz), len(khz)
        self._clocked = all_khz + sum(khz) - old_khz, all_gpus + len(khz) - old_gpus
        mode = self._modes.get(node, "on")
        if mode == "on":
            self.meter.on(node, self.parts[node], self.in_use(node, tenants))
        elif mode == "off":
            self.meter.off(node)
        else:
            self.meter.sleeping(node, mode)

    def shift(self, node: int, sm_uw: int, dram_uw: int, khz: int) -> None:
        """GPUs of a node that is on, held as before, draw so much more, at clocks that are so much higher together."""
        if khz:
            (node_khz, node_gpus), (all_khz, all_gpus) = self._clocks[node], self._clocked
            self._clocks[node], self._clocked = (node_khz + khz, node_gpus), (all_khz + khz, all_gpus)
        if sm_uw or dram_uw:
            self.meter.shift(node, sm_uw, dram_uw)

    def clocks(self) -> tuple[float, int]:
        """(sum of the clocks in MHz, number) of the GPUs that jobs hold; in whole kHz, so that sums are exact."""
        khz, gpus = self._clocked
        return khz / 1000.0, gpus

    def copy(self) -> NodeBook:
        """An independent copy."""
        twin = object.__new__(NodeBook)
        twin.parts, twin.meter, twin._modes = self.parts[:], self.meter.copy(), dict(self._modes)
        twin._dormant, twin._clocks, twin._clocked = dict(self._dormant), self._clocks[:], self._clocked
        return twin


def idle_parts(model: GpuModel | None) -> GpuParts:
    """Of a GPU that nobody holds."""
    return NO_PARTS if model is None else (round(model.idle_w * MICRO), 0, 0, 0)
