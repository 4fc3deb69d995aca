"""Jobs that hold GPUs and do not compute yet: they start again, make room for others of their gang, wait for a slice.

Under full physics their GPUs hold a context meanwhile and draw no more than that; a timer lets them work. Under ideal
physics the time is the same and nothing else is known of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action
from goodwatt.simulator.power import observation, ramping
from goodwatt.simulator.services import service_run

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.simulation import Simulation

ROUNDING_S = 1e-3
"""What adding up times may leave of an overhead that has been paid."""


def begin(sim: Simulation, run: JobRun) -> None:
    """A job has got GPUs, and the physics knows of it: it does not compute before it has paid its overhead."""
    overhead_s = run._truth.overhead_s
    if overhead_s > 0.0 and sim.physics.pause(run, True):
        sim.timers.set(sim.now_s + overhead_s, Kind.SETTLE, job_works, run.spec.job_id, run.started_s)
    else:
        service_run.ready(sim, run)


@action
def job_works(sim: Simulation, job_id: str, started_s: float) -> None:
    """It computes, unless it has lost its GPUs or got others since."""
    run = sim.live.get(job_id)
    if run is None or not run.placement or run.started_s != started_s:
        return
    run.settle(sim.now_s)
    if run._truth.overhead_s > ROUNDING_S:  # stopped or resized once more in that instant: another timer is set
        return
    run._truth.overhead_s = 0.0
    sim.physics.pause(run, False)
    service_run.ready(sim, run)
    sim.follow()
    ramping.go_on(sim, run)
    observation.watch(sim, run)
