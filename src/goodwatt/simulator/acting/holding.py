"""A job takes GPUs, sets to work on them, and gives them back: everybody who keeps account of it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodwatt.cluster.beside import allocate_beside
from goodwatt.cluster.packed import most_jobs
from goodwatt.cluster.state import DoesNotFitError, NodeCounts
from goodwatt.simulator import partitions
from goodwatt.simulator.acting import restarting
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.failures import breakdowns, faults, memory_fit
from goodwatt.simulator.failures.checkpoints import plan_of
from goodwatt.simulator.power import observation, power_control, ramping
from goodwatt.simulator.services import service_run

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.simulation import Simulation


def take(
    sim: Simulation, run: JobRun, counts: NodeCounts, gpus: tuple[int, ...] | None, beside: JobRun | None, granted: bool
) -> None:
    """GPUs on these nodes, or those of `beside`; DoesNotFitError, and nothing happened, if they or power are short.

    `granted`: the power has been looked at together with what else happens at this instant.
    """
    if beside is None:
        run.placement = sim.state.allocate(run.spec, counts, gpus)
    else:
        run.placement = allocate_beside(sim.state, run.spec, beside.spec)
    ramping.prepare(sim, run)
    if sim.book is not None and not granted and (reason := sim.book.lacks([(run, run.placement, run.cap_w)])):
        sim.state.release(run.spec)
        run.placement = ()
        ramping.forget(sim, run)
        sim.follow()  # others may have been brought up for it
        raise DoesNotFitError(reason)
    if beside is not None:
        sim.recorder.shared(max(most_jobs(sim.state.packed[node]) for node, _ in run.placement))


def set_to_work(sim: Simulation, run: JobRun) -> None:
    """A job that has left the queue and has its GPUs begins, and is watched."""
    plan_checkpoints(sim, run)
    run.begin(sim.clock.now, sim.engine.completion_lag_s)
    service_run.placed(sim, run)
    if (sim.resetting or run.spec.mig_profile is not None) and not service_run.ran_already(sim, run):
        run._truth.overhead_s += partitions.wait_s(sim, run)
    sim.physics.placed(run)
    if sim.book is not None:
        sim.book.enter(run)
    restarting.begin(sim, run)
    service_run.disturbed(sim, run.placement)
    ramping.launch(sim, run)
    if sim.quotas is not None:
        sim.quotas.add(run.spec, 1)
    sim.follow()
    breakdowns.watch(sim, run)
    observation.watch(sim, run)
    memory_fit.watch(sim, run)
    faults.watch(sim, run)


def give_back(sim: Simulation, run: JobRun) -> None:
    """Nothing of it is left on its GPUs, and what was to happen to it there does not happen."""
    service_run.left(sim, run)
    sim.timers.cancel(run.command)
    sim.timers.cancel(run._truth.fault)
    run.command = run._truth.fault = 0
    if run.spec.mig_profile is not None:
        partitions.leave(sim, run)
    sim.physics.left(run)
    sim.state.release(run.spec)
    placement, run.placement, run.serving = run.placement, (), 0.0
    service_run.disturbed(sim, placement)
    ramping.forget(sim, run)
    if sim.book is not None:
        sim.book.leave(run, placement)
        if sim.book.wishes:  # not at once: what follows in the same decision may need the room
            sim.timers.set(sim.clock.now, Kind.SETTLE, power_control.room_is_free)
    if sim.quotas is not None:
        sim.quotas.add(run.spec, -1)
    sim.follow()


def plan_checkpoints(sim: Simulation, run: JobRun) -> None:
    """How often it writes one on the GPUs that it has now, and how long that takes."""
    size_mib = sim.physics.checkpoint_mib(run)
    plan = plan_of(run.spec, run.placement, size_mib, sim.cluster, sim.engine)
    run._truth.interval_s, run._truth.write_s = plan.interval_s, plan.write_s
