"""A reservation: when and where a blocked job will be able to start, and how others may run without delaying it.

Found on the real nodes, not on a count of GPUs: running jobs are released in a what-if in the order of their
expected ends until the placement finds room.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import ClusterState, NodeCounts
from goodwatt.policies.order import Placement, could_fit
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.view import View


class Reservation:
    """The start of a blocked job. `start_s` is infinite if it finds no room even when all others have ended."""

    def __init__(
        self,
        job: JobRequest,
        ends: Iterable[tuple[float, str, JobRequest]],
        state: ClusterState,
        view: View,
        placement: Placement,
    ) -> None:
        self.start_s = math.inf
        self._spare: dict[int, int] = {}
        self._job = job
        mark = state.checkpoint()
        for end_s, _, other in sorted(ends, key=lambda entry: entry[:2]):
            state.release(other)
            place = placement.place(job, state, view) if could_fit(job, state.free_gpus) else None
            if place is not None:
                self.start_s = end_s
                self._spare = {node: state.free_mask[node].bit_count() - count for node, count in place.nodes}
                break
        state.rollback(mark)

    def place_beside(self, job: JobRequest, state: ClusterState, view: View, placement: Placement) -> Place | None:
        """Place a job that will still run at `start_s` where the blocked job does not need the GPUs."""
        keep = self._kept(state)
        mark = state.checkpoint()
        if keep:
            block = JobRequest(
                job_id=f"reserved for {self._job.job_id}", submit_s=0.0, num_gpus=sum(c for _, c in keep)
            )
            state.allocate(block, keep)
        place = placement.place(job, state, view)
        state.rollback(mark)
        for node, count in place.nodes if place else ():
            if node in self._spare:
                self._spare[node] -= count
        return place

    def _kept(self, state: ClusterState) -> NodeCounts:
        """Free GPUs that must stay free on the nodes of the reservation."""
        free = ((node, state.free_mask[node].bit_count() - spare) for node, spare in self._spare.items())
        return tuple((node, count) for node, count in free if count > 0)
