"""Telemetry for policies: what the sensors of a job's GPUs show some time after it started or was set otherwise."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, cast

from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.policy import WatchingMemory
    from goodwatt.simulator.simulation import Simulation


SENSOR_S = 1.0
"""Sensors show a moving mean over so long (measured on an H200: docs/design/physics.md); nobody sees a job before."""


def watch(sim: Simulation, run: JobRun) -> None:
    """Show the policy a job's telemetry when it has settled, if the policy wants to see it."""
    instance = sim.services is not None and run.spec.job_id in sim.services.instances
    if sim.observe_s is not None and run.spec.num_gpus and not instance:
        sim.timers.set(sim.now_s + max(sim.observe_s, SENSOR_S), Kind.WAKE, observe, run.spec.job_id, run.started_s)


@action
def observe(sim: Simulation, job_id: str, started_s: float) -> None:
    """A job that still runs is seen, and a decision may follow."""
    run = sim.live.get(job_id)
    if run is None or not run.placement or run.started_s != started_s:
        return
    seen = sim.physics.counters(run)
    if seen is None:
        return
    from goodwatt.power.telemetry.sensors import noisy

    kind = sim.cluster.nodes[run.placement[0][0]].gpu_kind
    dice = random.Random(f"{sim.options.seed}/sensor/{sim.timers.count}")
    memory = cast("WatchingMemory", sim.view.memory)  # the policy has said that it wants to see
    memory.job_observed(run, kind, noisy(seen, dice), sim.now_s)
    sim.change_pool_of(run)
