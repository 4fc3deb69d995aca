"""Failures as they happen: who is stopped, what is away and when it is back, and GPUs that only run slow.

When what fails is `failures`, how slow which GPU is `stragglers`. Jobs that a failure stops go back to the queue with
the work since their last checkpoint undone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from goodwatt.simulator import nodes
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action
from goodwatt.simulator.power import racks

if TYPE_CHECKING:
    from goodwatt.simulator.failures.schedule import Taken
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.simulation import Simulation


def begin(sim: Simulation) -> None:
    """Put the first failure on the clock."""
    if sim.failures is not None and sim.failures.next_s < math.inf:
        sim.timers.set(max(sim.failures.next_s, sim.now_s), Kind.NODE, component_fails)


@action
def component_fails(sim: Simulation) -> None:
    """The next component fails; the one after it is put on the clock."""
    assert sim.failures is not None  # noqa: S101 - `begin` has asked
    failure = sim.failures.pop()
    sim.recorder.failures += 1
    for taken in sim.failures.taken(failure):
        _take(sim, taken)
    if failure.kind == "feed":
        from goodwatt.simulator.failures.schedule import feed_of

        racks.lose_feed(sim, *feed_of(failure), failure.back_s)
    if not _over(sim):
        begin(sim)


def _take(sim: Simulation, taken: Taken) -> None:
    for run in nodes.jobs_on(sim, taken.node):
        if taken.host or any(node == taken.node and mask & taken.mask for node, mask in run.placement):
            sim.stop(run, failed=True)
    if taken.host:
        nodes.hold(sim, taken.node)
        sim.timers.set(taken.until_s, Kind.NODE, node_is_back, taken.node)
    else:
        mask = nodes.lose(sim, taken.node, taken.mask)
        sim.timers.set(taken.until_s, Kind.NODE, gpus_are_back, taken.node, mask)


@action
def node_is_back(sim: Simulation, node: int) -> None:
    """A node is repaired."""
    nodes.free(sim, node)


@action
def gpus_are_back(sim: Simulation, node: int, mask: int) -> None:
    """GPUs of a node are repaired."""
    nodes.regain(sim, node, mask)


def watch(sim: Simulation, run: JobRun) -> None:
    """A job has started: if it holds a straggler, follow how slow that one is."""
    if sim.stragglers is not None and sim.stragglers.nodes:
        _follow(sim, run)


@action
def straggler_changes(sim: Simulation, job_id: str, started_s: float) -> None:
    """A straggler of a job gets slower or recovers."""
    run = sim.live.get(job_id)
    if run is not None and run.placement and run.started_s == started_s:
        _follow(sim, run)


def _follow(sim: Simulation, run: JobRun) -> None:
    assert sim.stragglers is not None  # noqa: S101 - `watch` has asked
    now = sim.now_s
    sim.straggle(run, sim.stragglers.slowdown(run.placement, now))
    next_s = sim.stragglers.next_change_s(run.placement, now)
    if next_s < math.inf:
        sim.timers.set(next_s, Kind.SETTLE, straggler_changes, run.spec.job_id, run.started_s)


def _over(sim: Simulation) -> bool:
    """Whether nothing can happen any more but failures: no job runs or will come, and nothing has a time at which it
    will happen. Jobs may wait still, but nobody has asked to be asked about them."""
    waiting = sim.timers.waiting or sim.wake_s < math.inf or sim.next_outage < len(sim.outages)
    return not sim.state.placements and sim.next_arrival == len(sim.jobs) and not waiting
