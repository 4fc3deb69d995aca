"""What placements share: which jobs one node can hold, and how gangs spread over nodes."""

from __future__ import annotations

from goodwatt.cluster.gang import gang_nodes
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.simulator.decisions import Place


def single_node_job(job: JobRequest, state: ClusterState) -> bool:
    """Whether the largest node that the job may use has as many GPUs as it wants."""
    return job.gpu_milli < WHOLE_GPU_MILLI or job.num_gpus <= state.eligible(job).largest_node


def place_gang(job: JobRequest, state: ClusterState, among: int = -1) -> Place | None:
    """The gang on whole empty nodes and the rest on the emptiest node left; None if they are not free."""
    nodes = gang_nodes(job, state, among)
    return None if nodes is None else Place(job.job_id, nodes)
