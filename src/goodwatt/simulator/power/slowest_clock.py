"""Caps that turn out too low are taken back: how slow a cap makes a job shows only once it has settled.

Locks are kept within the guardrails when they are asked for; here is what remains, because it follows from the world:
the clock that a board finds under a cap, with the neighbours that a job has by now, on the kind it has moved to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from goodwatt.simulator import nodes
from goodwatt.simulator.decisions import Refusal, SetCap
from goodwatt.simulator.power import power_control

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.simulation import Simulation

ROUNDING = 1e-9
"""Clocks are means over the phases of a job."""


def follow(sim: Simulation, runs: Iterable[JobRun]) -> None:
    """These jobs go on at another point: give their GPUs back to the boards where a policy holds them too low.

    Where a power budget is enforced and has no room for that, it comes before the guardrail until there is some.
    """
    changed = False
    for run in runs:
        if run.placement and _too_slow(sim, run):
            for other in nodes.together(sim, run):
                changed |= _release(sim, other)
    if changed:
        sim.follow()


def _too_slow(sim: Simulation, run: JobRun) -> bool:
    kinds, guardrails = sim.cluster.kinds, sim.options.guardrails
    held = sim.physics.held_mhz(run)
    return any(mhz < guardrails.slowest_mhz([kinds[name]]) * (1.0 - ROUNDING) for name, mhz in held.items())


def _release(sim: Simulation, run: JobRun) -> bool:
    """Take a job's cap away and raise its clock to what is allowed; whether anything has changed."""
    kinds = {sim.cluster.nodes[node].gpu_kind: None for node, _ in run.placement}
    clock_mhz, cap_w = run.clock_mhz, run.cap_w
    if clock_mhz is not None:
        clock_mhz = max(clock_mhz, sim.options.guardrails.slowest_mhz(sim.cluster.kinds[name] for name in kinds))
    if cap_w is None and clock_mhz == run.clock_mhz:
        return False
    if not power_control.set_now(sim, run, clock_mhz, None):
        return False
    if cap_w is not None:
        why = "it held the clock below the guardrails, and was taken back"
        sim.executor.refusals.append(Refusal(sim.now_s, SetCap(run.spec.job_id, cap_w), why))
    return True
