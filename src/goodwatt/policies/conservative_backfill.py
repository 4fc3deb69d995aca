"""Conservative backfill: every waiting job has a reservation that later ones must not delay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.cluster.job import WHOLE_GPU_MILLI
from goodwatt.policies import estimate
from goodwatt.policies.order import HeldByQuota, Placement, changed_pools, hold
from goodwatt.policies.profile import Profile, milli
from goodwatt.simulator.decisions import Decision, Place
from goodwatt.simulator.view import Pool, View


@dataclass(frozen=True, slots=True)
class ConservativeBackfill(estimate.PlansAhead):
    """Jobs in order of submission each reserve the earliest time at which enough GPUs are expected to be free.

    Reservations count the pool's GPUs; a job whose time has come but that fragmentation keeps out holds its share and
    tries again. `estimate` as in easy-backfill; at most `depth` jobs of the queue plan. Source: Mu'alem and Feitelson,
    IEEE TPDS 2001.
    """

    name: ClassVar[str] = "conservative-backfill"

    def decide(self, view: View, placement: Placement) -> list[Decision]:
        """Plan each changed queue anew."""
        held = HeldByQuota(view)
        with view.what_if():
            return [place for pool in changed_pools(view) for place in self._plan(pool, view, placement, held)]

    def _plan(self, pool: Pool, view: View, placement: Placement, held: HeldByQuota) -> Iterator[Place]:
        state = view.state
        ends = [(estimate.end_s(run, view, self.estimate), held_here) for run, held_here in view.holders(pool)]
        profile = Profile(view.now_s, pool.gpus * WHOLE_GPU_MILLI - sum(used for _, used in ends), ends)
        for _, _, run in pool.queue[: self.depth]:
            if held(run.spec):
                continue
            lasts = max(estimate.duration_s(run, view, self.estimate), 1.0)
            start_s = profile.earliest(milli(run.spec), lasts)
            profile.reserve(start_s, lasts, milli(run.spec))
            place = placement.place(run.spec, state, view) if start_s == view.now_s else None
            if place is not None:
                hold(run.spec, place, state, view)
                held.add(run.spec)
                yield place
