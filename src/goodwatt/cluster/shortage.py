"""Why a placement cannot be made now: what of it is not free, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.node_choice import shared_gpu

if TYPE_CHECKING:
    from goodwatt.cluster.placement import NodeCounts
    from goodwatt.cluster.state import ClusterState


def find_shortage(state: ClusterState, job: JobRequest, nodes: NodeCounts, gpus: tuple[int, ...] | None) -> str | None:
    """Why the job cannot have so many GPUs of these nodes, those of the masks `gpus` if given; None if it can."""
    allowed = state.eligible(job).nodes & state.up
    wanted = 0
    for node, count in nodes:
        if type(node) is not int or type(count) is not int:  # a count of 1.0 would be held, and break what adds up
            return f"expected whole numbers (node, GPUs), got ({node!r}, {count!r})"
        wanted += count
        if not 0 <= node < len(state.capacity) or not allowed >> node & 1:
            return f"node {node} is down, not of the job's partition or not of its GPU kind"
        if count < 0:  # and nothing of what follows is meant for it
            wanted = -1
            break
        if reason := _node_shortage(state, job, node, count):
            return reason
    if wanted != job.num_gpus or (len(nodes) != 1 and not _names_nodes_once(nodes)):
        return f"{job.num_gpus} GPUs wanted, placement {nodes} gives another number, nothing, or names a node twice"
    return None if gpus is None else _gpu_shortage(state, job, nodes, gpus)


def find_host_shortage(state: ClusterState, job: JobRequest, node: int, count: int) -> str | None:
    """Why the node has too little CPU or memory for `count` of the job's GPUs; None if it has enough."""
    if state.limits_hosts:
        cpu, memory = host_share(job, count)
        if state.free_cpu_milli[node] < cpu or state.free_memory_mib[node] < memory:
            return f"{state.cluster.nodes[node].name}: {cpu} CPU thousandths and {memory} MiB wanted, less is free"
    return None


def host_share(job: JobRequest, gpus: int) -> tuple[int, int]:
    """CPU thousandths and MiB that the job takes on a node where it has `gpus` of its GPUs (rounded up)."""
    if not job.cpu_milli and not job.memory_mib:
        return 0, 0
    if gpus >= job.num_gpus:
        return job.cpu_milli, job.memory_mib
    return -(-job.cpu_milli * gpus // job.num_gpus), -(-job.memory_mib * gpus // job.num_gpus)


def _node_shortage(state: ClusterState, job: JobRequest, node: int, count: int) -> str | None:
    if job.mig_profile is not None:
        if count != 1 or state.slices.gpu_for(job, node, state.free_mask[node]) is None:
            return f"{state.cluster.nodes[node].name}: no GPU with room for a MIG instance {job.mig_profile}"
    elif job.gpu_milli < WHOLE_GPU_MILLI:
        if not shared_gpu(state.shares[node], state.free_mask[node], job.gpu_milli):
            return f"{state.cluster.nodes[node].name}: no GPU with {job.gpu_milli} thousandths free"
    elif state.free_mask[node].bit_count() < count:
        free = state.free_mask[node].bit_count()
        return f"{state.cluster.nodes[node].name}: {count} GPUs wanted, {free} free"
    return find_host_shortage(state, job, node, count)


def _gpu_shortage(state: ClusterState, job: JobRequest, nodes: NodeCounts, gpus: tuple[int, ...]) -> str | None:
    if len(gpus) != len(nodes):
        return f"{len(gpus)} GPU masks for {len(nodes)} nodes"
    for (node, count), mask in zip(nodes, gpus, strict=True):
        if type(mask) is not int:
            return f"expected GPUs as a mask, a whole number, got {mask!r}"
        if job.mig_profile is not None:
            if mask.bit_count() != 1 or state.slices.gpu_for(job, node, state.free_mask[node], mask) != mask:
                return f"GPU mask {mask:b} of node {node} has no room for a MIG instance {job.mig_profile}"
        elif job.gpu_milli < WHOLE_GPU_MILLI:
            if mask < 1 or mask.bit_count() != 1 or _room(state, node, mask) < job.gpu_milli:
                return f"GPU mask {mask:b} of node {node} has no room for {job.gpu_milli} thousandths"
        elif mask & ~state.free_mask[node] or mask.bit_count() != count:
            return f"GPU mask {mask:b} of node {node} is not {count} free GPUs"
    return None


def _room(state: ClusterState, node: int, mask: int) -> int:
    """Thousandths that shares may still take of the GPU of the mask."""
    used = dict(state.shares[node]).get(mask.bit_length() - 1)
    if used is not None:
        return WHOLE_GPU_MILLI - used
    return WHOLE_GPU_MILLI if mask & state.free_mask[node] else 0


def _names_nodes_once(nodes: NodeCounts) -> bool:
    """Whether a placement on several nodes names each once and takes GPUs there; a placement on none does not."""
    return 0 < len(dict(nodes)) == len(nodes) and min(count for _, count in nodes) > 0
