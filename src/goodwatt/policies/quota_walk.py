"""Deciding by rank with preemption: whoever is inside the pool's GPUs when walking the ranks runs.

Shared by the orders that stop jobs. Walk waiting and running jobs together in rank order with a budget of the pool's
GPUs, as many as there is power for, passing over jobs wider than what is left of it; running jobs outside the budget
are stopped, waiting ones inside are placed if fragmentation allows (Gu et al., NSDI 2019; Lucid's simulator).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from goodwatt.cluster.job import WHOLE_GPU_MILLI
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.order import HeldByQuota, Placement, hold
from goodwatt.simulator.decisions import Decision, Place, Preempt, WaitUntil
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import Pool, View

Ranking = Callable[[list[JobRun]], list[JobRun]]
"""Puts jobs into rank order; they come as running ones in order of their start, then waiting ones in queue order."""

ROUNDING = 1e-6
"""GPUs by which a sum of shares, which are thousandths, may miss its true value."""


def walk(view: View, placement: Placement, ranking: Ranking) -> list[Decision]:
    """The decisions for all pools in which something changed."""
    decisions: list[Decision] = []
    held = HeldByQuota(view)
    with view.what_if() as state:
        for pool in view.pools:
            if pool.changed and (pool.queue or pool.running):
                decisions += _walk_pool(pool, state, view, placement, ranking, held)
    if view.guardrails.min_run_s:
        decisions += _again(view)
    return decisions


def contended(view: View, decisions: Sequence[Decision]) -> Iterator[JobRun]:
    """Jobs that run, or start by these decisions, where others wait: their ranks matter later."""
    starts = {decision.job_id for decision in decisions if isinstance(decision, Place)}
    for pool in view.pools:
        if pool.queue:
            yield from pool.running.values()
            if starts:
                yield from (run for _, _, run in pool.queue if run.spec.job_id in starts)


def _again(view: View) -> Iterator[WaitUntil]:
    """When somebody who runs may be stopped for those who wait, and may not yet."""
    runs = (run for pool in view.pools if pool.queue for run in pool.running.values())
    times = (view.guardrails.left_alone_until_s(run.started_s) for run in runs)
    if (time_s := min((time_s for time_s in times if time_s > view.now_s), default=None)) is not None:
        yield WaitUntil(time_s, "a job will have run as long as it may before it is stopped")


def _walk_pool(
    pool: Pool, state: ClusterState, view: View, placement: Placement, ranking: Ranking, held: HeldByQuota
) -> list[Decision]:
    starts, stops = _split(pool, view, ranking, held)
    for run in stops:
        state.release(run.spec)
    places = [place for run in starts if (place := _try(run, state, view, placement)) is not None]
    return [*(Preempt(run.spec.job_id, "others rank before it") for run in stops), *places]


def _split(pool: Pool, view: View, ranking: Ranking, held: HeldByQuota) -> tuple[list[JobRun], list[JobRun]]:
    """Waiting jobs that the pool's GPUs suffice for, and running ones that they do not, both in rank order.

    The GPUs of jobs that must not be stopped, or of another pool, are not there to be given, whatever their rank.
    """
    movable = [run for run in pool.running.values() if view.may_stop(run)]
    gpus, fed = pool.gpus + ROUNDING, view.gpus_of(pool) + ROUNDING
    if len(movable) < len(pool.running) or len(view.pools) > 1:
        own = {run.spec.job_id for run in movable}
        taken = sum(milli for run, milli in view.holders(pool) if run.spec.job_id not in own) / WHOLE_GPU_MILLI
        gpus, fed = gpus - taken, fed - taken
    for run in movable:
        held.add(run.spec, -1)
    starts, stops, left = [], [], gpus  # the first may be wider than is believed to be fed, or it would never run
    for run in ranking([*movable, *[entry[2] for entry in pool.queue]]):
        if run.gpus <= left and not (held.by_quota(run.spec) if run.placement else held(run.spec)):
            if run.gpus:
                left = max(min(left, fed) - run.gpus, 0.0)
            held.add(run.spec)
            if not run.placement:
                starts.append(run)
        elif run.placement:
            stops.append(run)
    return starts, stops


def _try(run: JobRun, state: ClusterState, view: View, placement: Placement) -> Place | None:
    place = placement.place(run.spec, state, view)
    if place is not None:
        hold(run.spec, place, state, view)
    return place
