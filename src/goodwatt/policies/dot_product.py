"""Packing by the dot product of demand and free resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.placement import place_gang, single_node_job
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.view import View

if TYPE_CHECKING:
    from goodwatt.policies.packing.free_arrays import Array, FreeArrays


@dataclass(frozen=True, slots=True)
class DotProduct:
    """The node whose free CPU and GPU have the smallest dot product with what the job wants.

    Both are in parts of the largest node; gangs take whole empty nodes. Source: the baseline DotProd of Weng et al.
    (USENIX ATC 2023), which turns round the alignment score of Tetris (Grandl et al., SIGCOMM 2014) and compares
    whole scores from 0 to 100; `largest` takes the largest product, as Tetris does, `exact` compares without rounding.
    """

    name: ClassVar[str] = "dot-product"
    largest: bool = False
    exact: bool = False

    def place(self, job: JobRequest, state: ClusterState, view: View) -> Place | None:  # noqa: ARG002 - the contract
        """The feasible node with the smallest, or largest, dot product."""
        if not single_node_job(job, state):
            return place_gang(job, state)
        from goodwatt.policies.packing.free_arrays import place_lowest  # brings numpy

        return place_lowest(job, state, lambda free, nodes: self._score(job, free, nodes))

    def _score(self, job: JobRequest, free: FreeArrays, nodes: Array) -> Any:
        most_cpu = max(int(free.cpu_capacity.max()), 1)
        most_gpu = max(int(free.gpu_capacity.max()), 1)
        cpu = free.cpu[nodes] / most_cpu * (job.cpu_milli / most_cpu)
        gpu = free.gpu[nodes] / most_gpu * (job.num_gpus * job.gpu_milli / most_gpu)
        score = (cpu + gpu) / 2 if self.largest else 1 - (cpu + gpu) / 2
        return -score if self.exact else -(score * 100 // 1)
