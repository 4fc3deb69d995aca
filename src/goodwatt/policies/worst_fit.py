"""Worst fit: spread jobs out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.cluster.bitset import first, members
from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.placement import chooses_gpu, feasible_nodes, place_gang, room_on_gpus, single_node_job
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class WorstFit:
    """The node with the most free GPUs, and there for a share the GPU with the most room; gangs take whole nodes.

    It keeps jobs apart from each other, and large holes small. Source: the textbook rule (Johnson, "Near-optimal bin
    packing algorithms", 1973); the default of kube-scheduler, LeastAllocated, has the same aim.
    """

    name: ClassVar[str] = "worst-fit"

    def place(self, job: JobRequest, state: ClusterState, view: View) -> Place | None:
        """The emptiest node that fits."""
        if not single_node_job(job, state):
            return place_gang(job, state)
        feasible = feasible_nodes(job, state)
        if not feasible:
            return None
        node = _emptiest(feasible, state)
        if not chooses_gpu(job, view):
            return Place(job.job_id, ((node, job.num_gpus),))
        room = room_on_gpus(state, node)
        return Place(job.job_id, ((node, 1),), (1 << max(room, key=room.__getitem__),))


def _emptiest(nodes: int, state: ClusterState) -> int:
    for free in range(state.max_gpus, 0, -1):
        if found := state.by_free[free] & nodes:
            return first(found)
    return max(members(nodes), key=lambda node: max(room_on_gpus(state, node).values(), default=0))
