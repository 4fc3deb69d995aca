"""The packing that a Kubernetes scheduler offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.placement import place_gang, single_node_job
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.view import View

if TYPE_CHECKING:
    from goodwatt.policies.packing.free_arrays import Array, FreeArrays

MAX_SCORE = 100


@dataclass(frozen=True, slots=True)
class MostAllocated:
    """The node with the highest weighted mean of the shares in use of its CPU, memory and GPUs, the job included.

    Shares are whole percents, as in Kubernetes; a resource that a node does not limit counts for nothing, nor do GPUs
    for a job that wants none. Gangs take whole empty nodes. Source: scoring strategy MostAllocated of the plugin
    NodeResourcesFit of kube-scheduler; the default weights are those of its documentation's example, 3 for devices.
    """

    name: ClassVar[str] = "most-allocated"
    cpu: int = 1
    memory: int = 1
    gpu: int = 3

    def place(self, job: JobRequest, state: ClusterState, view: View) -> Place | None:  # noqa: ARG002 - the contract
        """The feasible node with the highest score."""
        if not single_node_job(job, state):
            return place_gang(job, state)
        from goodwatt.policies.packing.free_arrays import place_lowest  # brings numpy

        return place_lowest(job, state, lambda free, nodes: -self._score(job, free, nodes))

    def _score(self, job: JobRequest, free: FreeArrays, nodes: Array) -> Array:
        wanted = job.num_gpus * job.gpu_milli
        resources = (
            (self.cpu, free.cpu_capacity[nodes], free.cpu[nodes], job.cpu_milli),
            (self.memory, free.memory_capacity[nodes], free.memory[nodes], job.memory_mib),
            (self.gpu if wanted else 0, free.gpu_capacity[nodes], free.gpu[nodes], wanted),
        )
        score: Array = nodes * 0
        weights: Array = nodes * 0
        for weight, capacity, left, asked in resources:
            score = score + weight * ((capacity - left + asked) * MAX_SCORE * (capacity > 0) // capacity.clip(1))
            weights = weights + weight * (capacity > 0)
        mean: Array = score // weights.clip(1)
        return mean
