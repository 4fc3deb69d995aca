"""A job that shares the GPUs of another, all of them: whether it may, and taking them."""

from __future__ import annotations

from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.packed import MOST_TENANTS, is_full
from goodwatt.cluster.shortage import find_host_shortage
from goodwatt.cluster.state import ClusterState, DoesNotFitError, Placement


def allocate_beside(state: ClusterState, job: JobRequest, host: JobRequest) -> Placement:
    """Hold exactly the GPUs that `host` holds, and CPU and memory as usual.

    Raises DoesNotFitError, and changes nothing, if the two cannot stand side by side.
    """
    if reason := shortage_beside(state, job, host):
        raise DoesNotFitError(f"job {job.job_id}: {reason}")
    placement = state.placements[host.job_id]
    state.take_back(job, placement)
    return placement


def shortage_beside(state: ClusterState, job: JobRequest, host: JobRequest) -> str | None:
    """Why the job cannot share the GPUs of `host` now; None if it can."""
    placement = state.placements.get(host.job_id)
    if placement is None:
        return f"{host.job_id} holds no GPUs"
    if min(job.gpu_milli, host.gpu_milli) < WHOLE_GPU_MILLI:
        return "shares of GPUs are not packed beside other jobs"
    if not job.num_gpus or job.num_gpus != host.num_gpus:
        return f"{job.num_gpus} GPUs wanted, {host.job_id} holds {host.num_gpus}"
    for node, mask in placement:
        if reason := _node_shortage(state, job, node, mask):
            return reason
    return None


def _node_shortage(state: ClusterState, job: JobRequest, node: int, mask: int) -> str | None:
    if not state.eligible(job).nodes >> node & 1:
        return f"{state.cluster.nodes[node].name} is not of the job's partition or not of its GPU kind"
    if is_full(state.packed[node], mask):
        return f"{MOST_TENANTS} jobs share a GPU of {state.cluster.nodes[node].name} already"
    return find_host_shortage(state, job, node, mask.bit_count())
