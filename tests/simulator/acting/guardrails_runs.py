"""Runs under guardrails."""

from __future__ import annotations

import math
from typing import Any

from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests import scenario
from tests.scenario import job

COMPUTING = job("a", duration_s=1000.0, workload="resnet50_train", reference_gpu="V100-PCIE")


def guarded(physics: str = "ideal", **limits: Any) -> RunOptions:
    return RunOptions(draw=True, physics=physics, truth="model", guardrails=Guardrails(**limits))


def until(sim: Simulation, time_s: float) -> Simulation:
    """Run on up to the last decision before a time."""
    return scenario.until(sim, math.nextafter(time_s, -math.inf))


def reasons(sim: Simulation) -> list[str]:
    return [refusal.reason for refusal in sim.executor.refusals]


def clock_of(sim: Simulation, job_id: str = "a") -> float:
    """The lowest clock of a running job's GPUs."""
    return min(sim.physics.held_mhz(sim.live[job_id]).values())
