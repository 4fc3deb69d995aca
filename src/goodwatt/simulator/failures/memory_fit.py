"""Device memory of jobs that share a GPU: whoever comes and does not find room fails, and only it.

Nobody knows a job's memory before it allocates it. So a job whose memory does not fit beside the others of its GPU, or
into its MIG instance, starts, fails and goes back to the queue, from where it is given GPUs of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodwatt.cluster.job import WHOLE_GPU_MILLI
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action
from goodwatt.simulator.jobs.job_run import EXCLUSIVE

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.simulation import Simulation

ALLOCATES_AFTER_S = 20.0
"""Seconds from its start until a job has allocated what it needs: imports, reading its model, the first step [A]."""


def watch(sim: Simulation, run: JobRun) -> None:
    """A job has started on GPUs that it may share: look whether its memory fits when it needs it."""
    shares = run.sharing != EXCLUSIVE or run.spec.gpu_milli < WHOLE_GPU_MILLI
    if shares and sim.physics.limits_memory:
        sim.timers.set(sim.now_s + ALLOCATES_AFTER_S, Kind.SETTLE, job_allocates, run.spec.job_id, run.started_s)


@action
def job_allocates(sim: Simulation, job_id: str, started_s: float) -> None:
    """A job that finds no memory beside those who came before it, and still hold theirs, goes back to the queue."""
    run = sim.live.get(job_id)
    if run is None or not run.placement or run.started_s != started_s or sim.physics.fits_memory(run):
        return
    run.alone = True
    sim.stop(run, failed=True)
