"""What placements share: which nodes can hold a job, which GPU a share takes, and how gangs spread over nodes."""

from __future__ import annotations

from goodwatt.cluster.gang import gang_nodes
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.view import View


def single_node_job(job: JobRequest, state: ClusterState) -> bool:
    """Whether the largest node that the job may use has as many GPUs as it wants."""
    return job.gpu_milli < WHOLE_GPU_MILLI or job.num_gpus <= state.eligible(job).largest_node


def feasible_nodes(job: JobRequest, state: ClusterState) -> int:
    """The set of nodes that could take the whole job now."""
    feasible = 0
    for _, nodes in state.single_node(job):
        feasible |= nodes
    return feasible


def chooses_gpu(job: JobRequest, view: View) -> bool:
    """Whether the placement says which GPU the job gets: a share, on an engine that leaves the choice to policies.

    Whole GPUs are all alike to placements that do not look at NVLink, and the node chooses them well, as it does where
    a MIG instance is to be had.
    """
    return job.gpu_milli < WHOLE_GPU_MILLI and job.mig_profile is None and view.engine.gpu_choice == "policy"


def room_on_gpus(state: ClusterState, node: int) -> dict[int, int]:
    """Thousandths free of each GPU of a node that is not wholly in use, ascending by GPU."""
    free = {gpu: WHOLE_GPU_MILLI for gpu in range(state.capacity[node]) if state.free_mask[node] >> gpu & 1}
    shared = {gpu: WHOLE_GPU_MILLI - used for gpu, used in state.shares[node]}
    return dict(sorted({**free, **shared}.items()))


def place_gang(job: JobRequest, state: ClusterState, among: int = -1) -> Place | None:
    """The gang on whole empty nodes and the rest on the emptiest node left; None if they are not free."""
    nodes = gang_nodes(job, state, among)
    return None if nodes is None else Place(job.job_id, nodes)
