"""A reservation: when and where a blocked job will be able to start, and how others may run without delaying it.

Found on the real nodes, not on a count of GPUs: running jobs are released in a what-if in the order of their
expected ends until the placement finds room. What its nodes will have left then, GPUs, CPU and memory, is spare:
only that may go to jobs that will still be running.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.state import ClusterState, host_share
from goodwatt.policies.order import Placement, could_fit, hold
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.view import View


class Reservation:
    """The start of a blocked job. `start_s` is infinite if it finds no room even when all others have ended."""

    def __init__(
        self,
        job: JobRequest,
        ends: Iterable[tuple[float, JobRequest]],
        state: ClusterState,
        view: View,
        placement: Placement,
    ) -> None:
        self.start_s = math.inf
        self._spare: dict[int, tuple[int, int, int]] = {}
        mark = state.checkpoint()
        for end_s, other in sorted(ends, key=lambda end: (end[0], end[1].job_id)):
            state.release(other)
            place = placement.place(job, state, view) if could_fit(job, state.free_gpus) else None
            if place is not None:
                self.start_s = end_s
                hold(job, place, state, view)
                self._spare = {node: _free(state, node) for node, _ in place.nodes}
                break
        state.rollback(mark)

    def place(self, job: JobRequest, state: ClusterState, view: View, placement: Placement) -> Place | None:
        """Place a job that will still run at `start_s` where the blocked job does not need what it takes."""
        mark = state.checkpoint()
        for node, spare in self._spare.items():
            _keep(state, node, spare)
            if job.gpu_milli < WHOLE_GPU_MILLI and not spare[0]:
                _keep_started(state, node)
        place = placement.place(job, state, view)
        state.rollback(mark)
        if place is not None and place.beside is not None:
            return None  # it would hold its neighbour's GPUs past the end on which the reservation counts
        for node, count in place.nodes if place else ():
            if node in self._spare:  # a share is counted as the GPU that it may keep from becoming free
                gpus, cpu_milli, memory_mib = self._spare[node]
                cpu, memory = host_share(job, count)
                self._spare[node] = gpus - count, cpu_milli - cpu, memory_mib - memory
        return place


def _free(state: ClusterState, node: int) -> tuple[int, int, int]:
    """Wholly free GPUs, CPU and memory."""
    return state.free_mask[node].bit_count(), state.free_cpu_milli[node], state.free_memory_mib[node]


def _keep(state: ClusterState, node: int, spare: tuple[int, int, int]) -> None:
    """Take all but what is spare."""
    gpus, cpu_milli, memory_mib = (max(free - left, 0) for free, left in zip(_free(state, node), spare, strict=True))
    if gpus or cpu_milli or memory_mib:
        block = JobRequest(
            job_id=f"kept on node {node}", submit_s=0.0, num_gpus=gpus, cpu_milli=cpu_milli, memory_mib=memory_mib
        )
        state.allocate(block, ((node, gpus),))


def _keep_started(state: ClusterState, node: int) -> None:
    """Take what is left of GPUs that shares have started: they may all be whole again by then."""
    for gpu, used in state.shares[node]:
        if used < WHOLE_GPU_MILLI:
            name = f"kept on GPU {gpu} of node {node}"
            block = JobRequest(job_id=name, submit_s=0.0, num_gpus=1, gpu_milli=WHOLE_GPU_MILLI - used)
            state.allocate(block, ((node, 1),), (1 << gpu,))
