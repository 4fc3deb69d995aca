"""Fragmentation gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.cluster.bitset import first
from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.packing.typical import Demand, JobsInSight, Typical
from goodwatt.policies.per_state import PerState
from goodwatt.policies.placement import chooses_gpu, feasible_nodes, place_gang, room_on_gpus, single_node_job
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.view import View

_in_sight = PerState(lambda _: JobsInSight())


@dataclass(frozen=True, slots=True)
class Fgd:
    """The node, and for a share the GPU, where the GPU that other jobs cannot use increases least.

    The other jobs are those that run and the next in the queue, by class; the most common classes count that make up
    `popularity` of them. Increases are compared by the authors' scores from 0 to 100, which takes the first of nearly
    equal nodes; `exact` compares the increases themselves. Gangs take whole empty nodes. Source: Weng et al., "Beware
    of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent" (USENIX ATC 2023).
    """

    name: ClassVar[str] = "fgd"
    popularity: float = 0.95
    exact: bool = False

    def place(self, job: JobRequest, state: ClusterState, view: View) -> Place | None:
        """The feasible node and GPU of least increase."""
        if not single_node_job(job, state):
            return place_gang(job, state)
        feasible = feasible_nodes(job, state)
        if not feasible:
            return None
        if job.mig_profile is not None:  # the measure knows no instances
            return Place(job.job_id, ((first(feasible), 1),))
        from goodwatt.policies.packing.fragmentation import steepest  # brings numpy

        classes = self.workload(view) or ((Demand.of(job), 1),)
        chooses = chooses_gpu(job, view)
        node, room = steepest(job, feasible, classes, state, chooses, self.exact)
        nodes = ((node, job.num_gpus),)
        if not chooses:
            return Place(job.job_id, nodes)
        gpu = next(gpu for gpu, free in room_on_gpus(state, node).items() if free == room)
        return Place(job.job_id, nodes, (1 << gpu,))

    def workload(self, view: View) -> Typical:
        """The classes of jobs that fragmentation is measured for."""
        return _in_sight(view.state).typical(view, self.popularity)
