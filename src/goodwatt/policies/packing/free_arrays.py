"""What every node has and has free, as arrays, and choosing the node with the lowest score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.packing.node_watch import NodeWatch
from goodwatt.policies.per_state import PerState
from goodwatt.policies.placement import feasible_nodes
from goodwatt.simulator.decisions import Place

Array = npt.NDArray[np.int64]
Score = Callable[["FreeArrays", Array], npt.NDArray[Any]]
"""Scores of the nodes given by index; the lowest is taken."""


class FreeArrays:
    """Arrays over nodes: capacity and what is free of `cpu` (thousandths), `memory` (MiB), `gpu` (thousandths of all).

    A capacity of 0 stands for a resource that the node does not have or that is no limit there; so does its free
    amount.
    """

    def __init__(self, state: ClusterState) -> None:
        nodes = state.cluster.nodes
        self.cpu_capacity = np.array([node.cpu_milli or 0 for node in nodes], np.int64)
        self.memory_capacity = np.array([node.memory_mib or 0 for node in nodes], np.int64)
        self.gpu_capacity = np.array([node.gpus * WHOLE_GPU_MILLI for node in nodes], np.int64)
        self.cpu, self.memory, self.gpu = (np.zeros(len(nodes), np.int64) for _ in range(3))
        self._watch = NodeWatch()

    def follow(self, state: ClusterState) -> FreeArrays:
        """Take over what changed."""
        for node in self._watch(state):
            self.gpu[node] = free_gpu_milli(state, node)
            if self.cpu_capacity[node]:
                self.cpu[node] = state.free_cpu_milli[node]
            if self.memory_capacity[node]:
                self.memory[node] = state.free_memory_mib[node]
        return self


_of_state = PerState(FreeArrays)


def free_arrays(state: ClusterState) -> FreeArrays:
    """The arrays of a state as it is now."""
    return _of_state(state).follow(state)


def place_lowest(job: JobRequest, state: ClusterState, score: Score) -> Place | None:
    """The job on the feasible node with the lowest score, the lowest index among equals; None if none is feasible."""
    feasible = feasible_nodes(job, state)
    if not feasible:
        return None
    nodes = indices(feasible)
    chosen = int(nodes[np.argmin(score(free_arrays(state), nodes))])
    return Place(job.job_id, ((chosen, job.num_gpus),))


def indices(bits: int) -> Array:
    """The members of a set of nodes, ascending."""
    data = np.frombuffer(bits.to_bytes((bits.bit_length() + 7) // 8, "little"), np.uint8)
    return np.flatnonzero(np.unpackbits(data, bitorder="little")).astype(np.int64, copy=False)


def free_gpu_milli(state: ClusterState, node: int) -> int:
    """Thousandths of GPUs free on a node, whole GPUs and what is left of shared ones."""
    shares = state.shares[node]
    return WHOLE_GPU_MILLI * (state.free_mask[node].bit_count() + len(shares)) - sum(used for _, used in shares)
