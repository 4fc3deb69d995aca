"""GPUs that batch jobs give back to a service: which jobs on which node, so that the least work is lost.

A service's instances drain while it has little to do, and jobs take their GPUs. When its load returns, an instance that
finds no free GPUs takes some of theirs at the same moment, in one group with the stops: so it is placed as soon as in
an empty cluster. Who may not be stopped keeps what he has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from goodwatt.cluster.bitset import members
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.packed import packed_gpus
from goodwatt.cluster.state import DoesNotFitError, NodeCounts
from goodwatt.simulator.decisions import Group, Place, Preempt
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.services.services_view import InstanceView
from goodwatt.simulator.view import View


class _Offer(NamedTuple):
    """What stopping these jobs costs, in GPU-seconds, to make room on a node."""

    lost_gpu_s: float
    node: int
    gone: tuple[JobRun, ...]


class Reclaim:
    """Of one moment. Who is stopped is released in the view's state, which has to be a what-if."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._jobs: dict[int, dict[str, JobRun]] | None = None
        self._offers: dict[tuple[int, int], dict[int, _Offer]] = {}

    def room_for(self, one: InstanceView, role: str, reason: str) -> Group | None:
        """Jobs that stop and the instance in their place; None where nobody's GPUs would do."""
        job = one.run.base
        offers = self._offers_to(job)
        while offers:
            node = min(offers.values())[1]
            gone = self._taken(job, node, offers.pop(node).gone)
            if gone is not None:
                place = Place(one.job_id, ((node, job.num_gpus),), role=role)
                return Group((*(Preempt(run.spec.job_id, reason) for run in gone), place), reason)
        return None

    def _taken(self, job: JobRequest, node: int, gone: Iterable[JobRun]) -> list[JobRun] | None:
        """Stop those who are needed, place the instance; None, and nothing is changed, where it does not fit."""
        view, nodes = self._view, ((node, job.num_gpus),)
        with view.what_if():
            if not self._fits(job, nodes, gone):
                return None
        needed = list(gone)
        for run in reversed(list(gone)):  # dearest first: who is not needed stays
            others = [other for other in needed if other is not run]
            with view.what_if():
                needed = others if self._fits(job, nodes, others) else needed
        self._fits(job, nodes, needed)
        self._renew({node, *(where for run in needed for where in self._forget(run))})
        return needed

    def _fits(self, job: JobRequest, nodes: NodeCounts, gone: Iterable[JobRun]) -> bool:
        """Release them and place the instance."""
        for run in gone:
            self._view.state.release(run.spec)
        try:
            self._view.state.allocate(job, nodes)
        except DoesNotFitError:
            return False
        return True

    # what could be had -------------------------------------------------------------------------------------------

    def _offers_to(self, job: JobRequest) -> dict[int, _Offer]:
        """By node, for an instance like this one."""
        allowed = self._view.state.eligible(job).nodes & ~self._view.kept
        key = job.num_gpus, allowed
        if key not in self._offers:
            found = ((node, self._offer(node, job.num_gpus)) for node in members(allowed))
            self._offers[key] = {node: offer for node, offer in found if offer is not None}
        return self._offers[key]

    def _renew(self, nodes: Iterable[int]) -> None:
        """Others hold GPUs there now."""
        for (gpus, allowed), offers in self._offers.items():
            for node in nodes:
                offers.pop(node, None)
                if allowed >> node & 1 and (offer := self._offer(node, gpus)) is not None:
                    offers[node] = offer

    def _offer(self, node: int, gpus: int) -> _Offer | None:
        """The jobs that lose least for each GPU that they hold there, until there are enough."""
        free, gone = self._view.state.free_mask[node], list[JobRun]()
        lost = 0.0
        for run in sorted(self._here(node), key=lambda run: (self._lost(run) / _held(run, node), -run.started_s)):
            if free.bit_count() >= gpus:
                break
            free |= dict(run.placement)[node]
            lost += self._lost(run)
            gone.append(run)
        return _Offer(lost, node, tuple(gone)) if gone and free.bit_count() >= gpus else None

    def _lost(self, run: JobRun) -> float:
        """GPU-seconds: what it did since its last checkpoint, if it or the engine says how often it makes one, and the
        restart."""
        engine = self._view.engine
        interval_s = run.spec.checkpoint_interval_s or engine.checkpoint_interval_s
        since_s = (self._view.now_s - run.started_s) % interval_s if interval_s else 0.0
        return run.spec.gpus * (since_s + engine.restart_s(run.spec.num_gpus))

    def _here(self, node: int) -> Iterable[JobRun]:
        """Jobs that have GPUs of a node for themselves and may be stopped."""
        if self._jobs is None:
            self._jobs = {}
            for pool in self._view.pools:
                for job_id, run in pool.running.items():
                    if job_id in self._view.state.placements and self._view.may_stop(run) and self._alone(run):
                        for where, _ in run.placement:
                            self._jobs.setdefault(where, {})[job_id] = run
        return self._jobs.get(node, {}).values()

    def _alone(self, run: JobRun) -> bool:
        packed = self._view.state.packed
        whole = run.spec.num_gpus > 0 and run.spec.gpu_milli == WHOLE_GPU_MILLI
        return whole and not any(packed_gpus(packed[node]) & mask for node, mask in run.placement)

    def _forget(self, run: JobRun) -> list[int]:
        """It has been stopped; the nodes that it held."""
        assert self._jobs is not None  # noqa: S101 - it was found there
        for where, _ in run.placement:
            self._jobs[where].pop(run.spec.job_id, None)
        return [where for where, _ in run.placement]


def _held(run: JobRun, node: int) -> int:
    return dict(run.placement)[node].bit_count()
