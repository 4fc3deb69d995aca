"""Carrying out decisions on power: clocks and caps take effect after a delay, nodes need time to sleep and to wake.

How long a command takes is in `power.gpu.transient`; until it has settled the GPU goes on as it was.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from goodwatt.cluster.host_power import SLEEPS, NodeSleep
from goodwatt.power.gpu.transient import actuation_delay_s
from goodwatt.simulator import nodes
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action
from goodwatt.simulator.power import observation, ramping
from goodwatt.simulator.services import service_run

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.simulation import Simulation


def set_gpus(sim: Simulation, run: JobRun, clock_mhz: float | None, cap_w: float | None) -> None:
    """Ask for a clock and a cap on a running job's GPUs; both settle together, and only the last wish does.

    Where budgets are enforced, a wish for which there is no room yet waits until others have come down; where ramps
    are kept, caps rise in steps.
    """
    if sim.ramp is not None and ramping.takes(sim, run, clock_mhz, cap_w):
        return
    if sim.book is not None and not sim.book.ask(run, clock_mhz, cap_w):
        return
    sim.timers.cancel(run.command)
    settled_s = sim.now_s + delay_s(sim)
    run.command = sim.timers.set(settled_s, Kind.SETTLE, gpus_settle, run.spec.job_id, clock_mhz, cap_w)


def wished(sim: Simulation, run: JobRun) -> tuple[float | None, float | None]:
    """The clock and the cap that were last asked for on a running job's GPUs, settled or not."""
    if sim.book is not None and run.spec.job_id in sim.book.wishes:
        return sim.book.wishes[run.spec.job_id]
    if sim.ramp is not None and run.spec.job_id in sim.ramp.rising:
        rise = sim.ramp.rising[run.spec.job_id]
        return rise.clock_mhz, rise.cap_w
    if run.command in sim.timers.waiting:
        _, clock_mhz, cap_w = sim.timers.waiting[run.command].args
        return clock_mhz, cap_w
    return run.clock_mhz, run.cap_w


def set_now(sim: Simulation, run: JobRun, clock_mhz: float | None, cap_w: float | None) -> bool:
    """Set a running job's GPUs without delay, if a budget has room for it; `sim.follow` is left to the caller."""
    if sim.book is not None and not sim.book.ask(run, clock_mhz, cap_w):
        return False
    run.clock_mhz, run.cap_w = clock_mhz, cap_w
    sim.physics.reset(run)
    service_run.tune(sim, run)
    if sim.book is not None:
        sim.book.settled(run)
    return True


@action
def gpus_settle(sim: Simulation, job_id: str, clock_mhz: float | None, cap_w: float | None) -> None:
    """The GPUs of a job are where they were asked to be."""
    run = sim.live[job_id]
    run.command = 0
    run.clock_mhz, run.cap_w = clock_mhz, cap_w
    sim.physics.reset(run)
    service_run.tune(sim, run)
    if sim.book is not None and sim.book.settled(run):
        room_is_free(sim)
    sim.follow()
    observation.watch(sim, run)


@action
def room_is_free(sim: Simulation) -> None:
    """Something may draw less than before: send what has waited for room, in the order in which it was wished."""
    if sim.book is None:
        return
    for job_id, (clock_mhz, cap_w) in list(sim.book.wishes.items()):
        set_gpus(sim, sim.live[job_id], clock_mhz, cap_w)
    if any(pool.queue for pool in sim.view.pools):
        sim.change_all()


def delay_s(sim: Simulation) -> float:
    """How long the next command takes; from a stream of random numbers of its own."""
    return actuation_delay_s(random.Random(f"{sim.options.seed}/actuation/{sim.timers.count}"))


def sleep(sim: Simulation, node: int) -> None:
    """An empty node stops taking jobs now and sleeps once it has shut down."""
    sim.asleep[node] = nodes.FALLING
    nodes.hold(sim, node)
    sim.timers.set(sim.now_s + sleep_of(sim).suspend_s, Kind.NODE, node_sleeps, node)


def wake(sim: Simulation, node: int) -> None:
    """A sleeping node begins to boot."""
    sim.asleep[node] = nodes.WAKING
    nodes.show(sim, node)
    sim.timers.set(sim.now_s + sleep_of(sim).wake_s, Kind.NODE, node_wakes, node)


@action
def node_sleeps(sim: Simulation, node: int) -> None:
    """The node has shut down."""
    sim.asleep[node] = nodes.ASLEEP
    nodes.show(sim, node)
    if sim.late:  # somebody may need it
        sim.change_all()


@action
def node_wakes(sim: Simulation, node: int) -> None:
    """The node is back."""
    del sim.asleep[node]
    nodes.free(sim, node)


def sleep_of(sim: Simulation) -> NodeSleep:
    """How the cluster's nodes sleep."""
    return sim.cluster.power.sleep or SLEEPS["off"]
