"""EASY backfill: jobs may pass the head of the queue if they do not delay it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies import estimate
from goodwatt.policies.order import HeldByQuota, Placement, changed_pools, hold
from goodwatt.policies.reservation import Reservation
from goodwatt.simulator.decisions import Decision, Place
from goodwatt.simulator.view import Pool, View


@dataclass(frozen=True, slots=True)
class EasyBackfill(estimate.PlansAhead):
    """FIFO, but a job behind the blocked head may start if it ends before the head can or leaves it its GPUs.

    Durations are the users' limits (`estimate=requested`, predicted from history where a job has none), predictions
    (`predicted`) or the truth (`true`, an oracle). At most `depth` jobs of the queue are looked at. Source: Lifka,
    "The ANL/IBM SP scheduling system", 1995; Mu'alem and Feitelson, IEEE TPDS 2001; Slurm's sched/backfill.
    """

    name: ClassVar[str] = "easy-backfill"

    depth: int = 500

    def decide(self, view: View, placement: Placement) -> list[Decision]:
        """Serve each changed queue."""
        held = HeldByQuota(view)
        with view.what_if():
            return [place for pool in changed_pools(view) for place in self._serve(pool, view, placement, held)]

    def _serve(self, pool: Pool, view: View, placement: Placement, held: HeldByQuota) -> Iterator[Place]:
        state = view.state
        reservation: Reservation | None = None
        ends = [(estimate.end_s(run, view, self.estimate), run.spec) for run, _ in view.holders(pool)]
        hopeless: set[tuple[object, ...]] = set()
        for _, _, run in pool.queue[: self.depth]:
            job, end_s = run.spec, view.now_s + estimate.duration_s(run, view, self.estimate)
            beside = reservation if reservation is not None and end_s > reservation.start_s else None
            host = (job.cpu_milli, job.memory_mib)
            gpu = (job.num_gpus, job.gpu_milli, job.mig_profile, job.gpu_kind, job.gpu_memory_mib)
            request = (beside is None, *gpu, *host)
            if request in hopeless or held(job):
                continue
            place = beside.place(job, state, view, placement) if beside else placement.place(job, state, view)
            if place is not None:
                hold(job, place, state, view)
                held.add(job)
                ends.append((end_s, job))
                yield place
                continue
            hopeless.add(request)
            if reservation is None:
                reservation = Reservation(job, ends, state, view, placement)
