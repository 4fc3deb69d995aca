"""Deciding by rank with preemption: whoever is inside the pool's GPUs when walking the ranks runs.

Shared by the orders that stop jobs. Walk waiting and running jobs together in rank order with a budget of the
pool's GPUs, passing over jobs wider than what is left of it; running jobs outside the budget are stopped, waiting
ones inside are placed if fragmentation allows (Gu et al., NSDI 2019; Lucid's simulator).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from goodwatt.cluster.state import ClusterState
from goodwatt.policies.order import HeldByQuota, Placement
from goodwatt.simulator.decisions import Decision, Place, Preempt, WaitUntil
from goodwatt.simulator.job_run import JobRun
from goodwatt.simulator.view import Pool, View

Rank = Callable[[JobRun], Any]
Wake = Callable[[JobRun, float], float | None]
"""When a running job's rank will change by itself; None if it will not."""


def walk(view: View, placement: Placement, rank: Rank, wake: Wake | None = None) -> list[Decision]:
    """The decisions for all pools in which something changed, and when ranks change next."""
    decisions: list[Decision] = []
    with view.what_if() as state:
        for pool in view.pools:
            if pool.changed and (pool.queue or pool.running):
                decisions += _walk_pool(pool, state, view, placement, rank)
    if wake is not None and (time_s := _next_change(view, wake)) is not None:
        decisions.append(WaitUntil(time_s, "a running job changes rank"))
    return decisions


def _walk_pool(pool: Pool, state: ClusterState, view: View, placement: Placement, rank: Rank) -> list[Decision]:
    inside, outside = _split(pool, view, rank)
    stops = [run for run in outside if run.placement and run.spec.preemptible]
    for run in stops:
        state.release(run.spec)
    places = [place for run in inside if not run.placement and (place := _try(run, state, view, placement))]
    return [*(Preempt(run.spec.job_id, "others rank before it") for run in stops), *places]


def _split(pool: Pool, view: View, rank: Rank) -> tuple[list[JobRun], list[JobRun]]:
    """The jobs that the pool's GPUs suffice for, and the others, both in rank order."""
    left: float = pool.gpus
    held = HeldByQuota(view)
    for run in pool.running.values():
        held.add(run.spec, -1)
    inside, outside = [], []
    for run in sorted([*pool.running.values(), *(entry[2] for entry in pool.queue)], key=rank):
        if run.gpus <= left and not held(run.spec):
            held.add(run.spec)
            inside.append(run)
            left -= run.gpus
        else:
            outside.append(run)
    return inside, outside


def _try(run: JobRun, state: ClusterState, view: View, placement: Placement) -> Place | None:
    place = placement.place(run.spec, state, view)
    if place is not None:
        state.allocate(run.spec, place.nodes, place.gpus)
    return place


def _next_change(view: View, wake: Wake) -> float | None:
    """The earliest time after now at which a running job's rank changes, if jobs wait that could profit."""
    times = (
        time_s
        for pool in view.pools
        if pool.queue
        for run in pool.running.values()
        if (time_s := wake(run, view.now_s)) is not None and time_s > view.now_s
    )
    return min(times, default=None)
