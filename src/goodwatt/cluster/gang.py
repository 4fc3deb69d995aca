"""Gangs: jobs wider than a node, which start on all their nodes at once or not at all.

A gang takes whole empty nodes, the largest first, and what is left over goes to the emptiest node that remains, as
in Lucid (Hu et al., ASPLOS 2023). Which node among equals is the lowest index.
"""

from __future__ import annotations

from goodwatt.cluster.bitset import first, lowest, members
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.mig import profiles
from goodwatt.cluster.state import ClusterState, NodeCounts, host_share
from goodwatt.errors import UnknownNameError


def gang_nodes(job: JobRequest, state: ClusterState, among: int = -1) -> NodeCounts | None:
    """Nodes of `among` for a job that no single node can hold; None if they are not all free now."""
    taken: list[tuple[int, int]] = []
    left = job.num_gpus
    allowed = state.eligible(job).nodes & among
    for size in range(state.max_gpus, 0, -1):
        if left < size:
            continue
        empty = state.by_free[size] & state.full_of[size] & allowed
        for node in members(lowest(state.host_fit(empty, *host_share(job, size)), left // size)):
            taken.append((node, size))
            left -= size
        if not left:
            return tuple(taken)
        if taken and left < size and (rest := _emptiest(job, state, allowed, left, taken)) is not None:
            return (*taken, (rest, left))
    rest = _emptiest(job, state, allowed, left, taken)
    return None if rest is None else (*taken, (rest, left))


def _emptiest(
    job: JobRequest, state: ClusterState, allowed: int, gpus: int, taken: list[tuple[int, int]]
) -> int | None:
    for node, _ in taken:
        allowed &= ~(1 << node)
    for free in range(state.max_gpus, gpus - 1, -1):
        nodes = state.host_fit(state.by_free[free] & allowed, *host_share(job, gpus))
        if nodes:
            return first(nodes)
    return None


def never_fits(job: JobRequest, empty: ClusterState) -> str | None:
    """Why the job could not run even if the cluster, given here in its empty state, did nothing else; else None."""
    if job.mig_profile is not None and job.num_gpus != 1:
        return f"it wants {job.num_gpus} MIG instances at once; a job gets one"
    eligible = empty.eligible(job)
    if not eligible.nodes:
        return _unknown_profile(job, empty) or "no node has its partition, GPU kind and GPU memory, or MIG profile"
    if job.num_gpus <= eligible.largest_node or job.gpu_milli < WHOLE_GPU_MILLI:
        fits = any(nodes for _, nodes in empty.single_node(job))
        return None if fits else "no node has so many GPUs, CPUs and so much memory together"
    if gang_nodes(job, empty) is None:
        total = sum(empty.capacity[node] for node in members(eligible.nodes))
        if total < job.num_gpus:
            return f"it wants {job.num_gpus} GPUs at once and the nodes it may use have {total}"
        return f"its {job.num_gpus} GPUs do not find the CPUs and memory that it wants beside them on any nodes"
    return None


def _unknown_profile(job: JobRequest, empty: ClusterState) -> str | None:
    """What is wrong with a MIG profile that no GPU kind of the cluster has."""
    known = {name for kind in empty.cluster.kinds.values() for name in profiles(kind)}
    if job.mig_profile is None or job.mig_profile in known:
        return None
    return str(UnknownNameError("MIG profile", job.mig_profile, known)) if known else "no GPU of the cluster has MIG"


class Feasibility:
    """`never_fits` for many jobs, looked up once per distinct request."""

    def __init__(self, empty: ClusterState) -> None:
        self._empty = empty
        self._known: dict[tuple[object, ...], str | None] = {}

    def __call__(self, job: JobRequest) -> str | None:
        """Why the job could never run on the empty cluster; None if it could."""
        host = job.cpu_milli, job.memory_mib, job.gpu_memory_mib
        request = (job.num_gpus, job.gpu_milli, job.partition, job.gpu_kind, job.mig_profile, host)
        if request not in self._known:
            self._known[request] = never_fits(job, self._empty)
        return self._known[request]
