"""The simplest power model: a GPU draws its idle or its active power, a host follows the share of GPUs in use.

Watts of a GPU kind are in the catalogue; kinds without figures (`GpuKind.has_energy` false) draw nothing here and
their number is reported, so that a total never pretends to be complete. What clocks, caps and sharing change is
left to richer models.
"""

from __future__ import annotations

from collections.abc import Sequence

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import WHOLE_GPU_MILLI
from goodwatt.cluster.state import ClusterState, Placement


class IdleActivePower:
    """Power of a cluster from counts alone: nodes that are up and GPU thousandths in use per node shape."""

    def __init__(self, state: ClusterState) -> None:
        cluster: Cluster = state.cluster
        kinds = [cluster.kinds[kind] for kind, _ in state.shapes]
        active = {name: kind.active_w if kind.has_energy else None for name, kind in cluster.kinds.items()}
        self._active_of = tuple(active[node.gpu_kind] for node in cluster.nodes)
        self._gpu_idle = [
            (k.idle_w or 0.0) * n if k.has_energy else 0.0 for k, (_, n) in zip(kinds, state.shapes, strict=True)
        ]
        self._gpu_swing = [
            ((k.active_w or 0.0) - (k.idle_w or 0.0)) / WHOLE_GPU_MILLI if k.has_energy else 0.0 for k in kinds
        ]
        host = cluster.power
        self._host_idle = host.host_idle_w
        self._host_swing = [
            (host.host_max_w - host.host_idle_w) / (WHOLE_GPU_MILLI * gpus) if gpus else 0.0 for _, gpus in state.shapes
        ]
        self.gpus_without_energy = sum(
            node.gpus for node in cluster.nodes if not cluster.kinds[node.gpu_kind].has_energy
        )

    def watts(self, up_nodes: Sequence[int], used_milli: Sequence[int]) -> tuple[float, float]:
        """(GPU watts, host watts) of the cluster now; per shape as `ClusterState` counts them."""
        gpu = host = 0.0
        for i, nodes in enumerate(up_nodes):
            gpu += self._gpu_idle[i] * nodes + self._gpu_swing[i] * used_milli[i]
            host += self._host_idle * nodes + self._host_swing[i] * used_milli[i]
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
