"""The simplest power model: a GPU draws its idle or its active power, a host follows the share of GPUs in use.

Watts of a GPU kind are in the catalogue; kinds without figures (`GpuKind.has_energy` false) draw nothing here and
their number is reported, so that a total never pretends to be complete. What clocks, caps and sharing change is
left to richer models.
"""

from __future__ import annotations

from collections.abc import Sequence

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.job import WHOLE_GPU_MILLI
from goodwatt.cluster.state import ClusterState, Placement


class IdleActivePower:
    """Power of a cluster from counts alone: nodes that are up and GPU thousandths in use per node shape."""

    def __init__(self, state: ClusterState) -> None:
        cluster: Cluster = state.cluster
        active = {name: kind.active_w if kind.has_energy else None for name, kind in cluster.kinds.items()}
        self._active_of = tuple(active[node.gpu_kind] for node in cluster.nodes)
        host = cluster.power
        self._host_idle = host.host_idle_w
        swing = host.host_max_w - host.host_idle_w
        self._shapes = [
            (*_gpu_watts(cluster.kinds[kind], gpus), swing / (WHOLE_GPU_MILLI * gpus) if gpus else 0.0)
            for kind, gpus in state.shapes
        ]
        self.gpus_without_energy = sum(
            node.gpus for node in cluster.nodes if not cluster.kinds[node.gpu_kind].has_energy
        )

    def watts(self, up_nodes: Sequence[int], used_milli: Sequence[int]) -> tuple[float, float]:
        """(GPU watts, host watts) of the cluster now; per shape as `ClusterState` counts them."""
        gpu = host = 0.0
        host_idle = self._host_idle
        for nodes, used, (gpu_idle, gpu_swing, host_swing) in zip(up_nodes, used_milli, self._shapes, strict=True):
            gpu += gpu_idle * nodes + gpu_swing * used
            host += host_idle * nodes + host_swing * used
        return gpu, host

    def job_watts(self, placement: Placement, gpu_milli: int) -> float | None:
        """What a job's GPUs draw while it runs; None if the power of one of them is unknown."""
        total = 0.0
        for node, mask in placement:
            active = self._active_of[node]
            if active is None:
                return None
            total += active * mask.bit_count() * gpu_milli / WHOLE_GPU_MILLI
        return total


def _gpu_watts(kind: GpuKind, gpus: int) -> tuple[float, float]:
    """(idle watts of a node's GPUs, watts more for each thousandth in use)."""
    if kind.idle_w is None or kind.active_w is None:
        return 0.0, 0.0
    return kind.idle_w * gpus, (kind.active_w - kind.idle_w) / WHOLE_GPU_MILLI
