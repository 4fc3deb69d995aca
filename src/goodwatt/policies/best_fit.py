"""Best fit, aware of gangs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.cluster.bitset import first
from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.placement import place_gang, single_node_job
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class BestFit:
    """The node with the fewest free GPUs that suffice; gangs take whole empty nodes.

    Shares of a GPU go to a GPU that is shared already before they open another. Source: the consolidating placement
    of Lucid (Hu et al., ASPLOS 2023) and Tiresias (Gu et al., NSDI 2019).
    """

    name: ClassVar[str] = "best-fit"

    def place(self, job: JobRequest, state: ClusterState, view: View) -> Place | None:  # noqa: ARG002 - the contract
        """The fullest node that fits."""
        if not single_node_job(job, state):
            return place_gang(job, state)
        for _, nodes in state.single_node(job):
            if nodes:
                return Place(job.job_id, ((first(nodes), job.num_gpus),))
        return None
