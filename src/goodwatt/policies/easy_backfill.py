"""EASY backfill: jobs may pass the head of the queue if they do not delay it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies import estimate
from goodwatt.policies.history import History
from goodwatt.policies.order import HeldByQuota, Placement, QueueOrder, changed_pools
from goodwatt.policies.reservation import Reservation
from goodwatt.simulator.decisions import Decision, Place
from goodwatt.simulator.job_run import JobRun
from goodwatt.simulator.view import Pool, View


@dataclass(frozen=True, slots=True)
class EasyBackfill(QueueOrder):
    """FIFO, but a job behind the blocked head may start if it ends before the head can or leaves it its GPUs.

    Durations are the users' limits (`estimate=requested`, predicted from history where a job has none), predictions
    (`predicted`) or the truth (`true`, an oracle). At most `depth` jobs of the queue are looked at. Source: Lifka,
    "The ANL/IBM SP scheduling system", 1995; Mu'alem and Feitelson, IEEE TPDS 2001; Slurm's sched/backfill.
    """

    name: ClassVar[str] = "easy-backfill"
    head_only: ClassVar[bool] = False

    estimate: estimate.Source = "requested"
    depth: int = 500

    @property
    def oracle(self) -> bool:
        """If it plans with true durations."""
        return self.estimate == "true"

    def new_memory(self) -> History:
        """What has ended so far."""
        return History()

    def decide(self, view: View, placement: Placement) -> list[Decision]:
        """Serve each changed queue."""
        pools = changed_pools(view)
        with view.what_if():
            return [place for pool in pools for place in self._serve(pool, view, placement)]

    def _serve(self, pool: Pool, view: View, placement: Placement) -> Iterator[Place]:
        state, now, held = view.state, view.now_s, HeldByQuota(view)
        started: list[tuple[float, JobRun]] = [
            (estimate.end_s(r, view, self.estimate), r) for r in pool.running.values()
        ]
        reservation: Reservation | None = None
        hopeless: set[tuple[object, ...]] = set()
        for _, _, run in pool.queue[: self.depth]:
            shape = (run.spec.num_gpus, run.spec.gpu_milli, run.spec.cpu_milli, run.spec.memory_mib, run.spec.gpu_kind)
            if shape in hopeless or held(run.spec):
                continue
            ends = now + estimate.duration_s(run, view, self.estimate)
            if reservation is None or ends <= reservation.start_s:
                place = placement.place(run.spec, state, view)
                if place is None:
                    hopeless.add(shape)
            else:
                place = reservation.place_beside(run.spec, state, view, placement)
            if place is not None:
                state.allocate(run.spec, place.nodes, place.gpus)
                held.add(run.spec)
                started.append((ends, run))
                yield place
            elif reservation is None:
                reservation = Reservation(
                    run.spec, [(end, r.spec.job_id, r.spec) for end, r in started], state, view, placement
                )
