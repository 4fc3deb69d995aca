"""Fatal faults of applications (an illegal address, say): who dies of whose fault, on GPUs that are shared or not.

Failures of hardware are `breakdowns`. When a job's fault comes is drawn by the job's name and by how often it has
started, so it does not depend on who else runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodwatt.simulator import nodes
from goodwatt.simulator.events import draws
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.simulation import Simulation

_PURPOSE = 1
_HOUR_S = 3_600.0


def watch(sim: Simulation, run: JobRun) -> None:
    """A job has started: put its fault on the clock, if there are faults."""
    failures = sim.engine.failures
    if failures is None or not failures.fault_per_gpu_hour or not run.spec.num_gpus:
        return
    per_s = failures.fault_per_gpu_hour * run.spec.num_gpus / _HOUR_S
    key = draws.key_of(sim.options.seed, "fault", run.spec.job_id)
    after_s = draws.exponential(key, _PURPOSE, run.preemptions + run.failures) / per_s
    sim.timers.cancel(run._truth.fault)
    run._truth.fault = sim.timers.set(sim.now_s + after_s, Kind.NODE, application_faults, run.spec.job_id)


@action
def application_faults(sim: Simulation, job_id: str) -> None:
    """A job dies of its own fault, and who shares its context with it; they go back to the queue."""
    run = sim.live[job_id]
    for victim in _victims(sim, run):
        sim.stop(victim, failed=True)


def _victims(sim: Simulation, run: JobRun) -> list[JobRun]:
    """Itself, and whoever is on its GPUs if the jobs there share them by MPS."""
    from goodwatt.power.colocation.sharing import fault_victims  # brings the physics, which ideal runs never need
    from goodwatt.simulator.physics.shared_gpu import sharing_mode

    together = nodes.together(sim, run)
    mode = sharing_mode(together, sim.engine.share_mode)
    if mode is None:
        return [run]
    return [together[i] for i in fault_victims(mode, len(together), together.index(run))]
