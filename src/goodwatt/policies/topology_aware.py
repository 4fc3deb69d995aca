"""Placing by how GPUs are wired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.placement import single_node_job
from goodwatt.policies.wiring import gang_in_domains, tightest_node
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class TopologyAware:
    """The smallest domain that holds the job: NVLink domain in a node, node, NVLink domain of nodes, rack, cluster.

    At each level the domain with the fewest GPUs left over is taken, so that large ones stay whole for large gangs; a
    gang wider than any domain takes as few as possible. Source: the topology tree of HiveD (Zhao et al., OSDI 2020)
    and of Kubernetes' Kueue (topology-aware scheduling), with best fit at each level.
    """

    name: ClassVar[str] = "topology-aware"

    def place(self, job: JobRequest, state: ClusterState, view: View) -> Place | None:  # noqa: ARG002 - the contract
        """The tightest domain that holds the job; inside a node its device manager chooses by the same rule."""
        if single_node_job(job, state):
            node = tightest_node(job, state)
            return None if node is None else Place(job.job_id, ((node, job.num_gpus),))
        nodes = gang_in_domains(job, state)
        return None if nodes is None else Place(job.job_id, nodes)
