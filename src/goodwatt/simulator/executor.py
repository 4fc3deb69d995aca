"""Validates decisions and applies them; what cannot be applied is refused whole, with the reason.

It is the only way by which a policy changes the world, here as on a live cluster, so a bad policy can waste time
but never over-commit a GPU, stop a job that must not be stopped, or go over a quota.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from goodwatt.cluster.state import DoesNotFitError
from goodwatt.simulator.decisions import Decision, Group, Migrate, Place, Preempt, Refusal, WaitUntil

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation


class Executor:
    """Applies decisions to one simulation and keeps the refusals."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self.refusals: list[Refusal] = []

    def apply(self, decisions: Iterable[Decision]) -> None:
        """Apply each in turn."""
        for decision in decisions:
            if isinstance(decision, Place):
                reason = self._place(decision)
            else:
                reason = self._wait(decision) if isinstance(decision, WaitUntil) else self._act(decision)
            if reason is not None:
                self.refusals.append(Refusal(self._sim.now_s, decision, reason))

    def _wait(self, decision: WaitUntil) -> str | None:
        if not decision.time_s > self._sim.now_s:
            return f"{decision.time_s} is not in the future"
        self._sim.wake_at(decision.time_s)
        return None

    def _act(self, decision: Preempt | Migrate | Group) -> str | None:
        steps = decision.decisions if isinstance(decision, Group) else (decision,)
        reason = self._refuse(steps)
        if reason is None:
            for step in steps:
                self._perform(step)
        return reason

    def _place(self, decision: Place) -> str | None:
        sim = self._sim
        run = sim.live.get(decision.job_id)
        if run is None or run.placement:
            return "the job is not waiting"
        if sim.quotas is not None and (reason := sim.quotas.excess(run.spec)):
            return reason
        try:
            sim.start(run, decision.nodes, self._gpus(decision))
        except DoesNotFitError as error:
            return str(error)
        return None

    def _gpus(self, decision: Place | Migrate) -> tuple[int, ...] | None:
        return decision.gpus if self._sim.engine.gpu_choice == "policy" else None

    def _refuse(self, steps: tuple[Place | Preempt | Migrate, ...]) -> str | None:
        """Why these steps cannot be applied one after the other; tried on the state, which is restored."""
        with self._sim.state.what_if():
            for step in steps:
                reason = self._try(step)
                if reason is not None:
                    return f"{type(step).__name__} {step.job_id}: {reason}"
        return self._quota_excess(steps)

    def _try(self, step: Place | Preempt | Migrate) -> str | None:
        state, run = self._sim.state, self._sim.live.get(step.job_id)
        if run is None:
            return "no such job is waiting or running"
        holds = step.job_id in state.placements
        if isinstance(step, Place):
            if holds:
                return "the job is running"
        elif not holds:
            return "the job is not running"
        elif not run.spec.preemptible:
            return "the job must not be stopped"
        else:
            state.release(run.spec)
        if isinstance(step, Preempt):
            return None
        gpus = self._gpus(step)
        reason = state.shortage(run.spec, step.nodes, gpus)
        if reason is None:
            state.allocate(run.spec, step.nodes, gpus)
        return reason

    def _quota_excess(self, steps: tuple[Place | Preempt | Migrate, ...]) -> str | None:
        if self._sim.quotas is None:
            return None
        quotas = self._sim.quotas.copy()
        for step in steps:
            spec = self._sim.live[step.job_id].spec
            if isinstance(step, Preempt):
                quotas.add(spec, -1)
            elif isinstance(step, Place):
                if reason := quotas.excess(spec):
                    return f"Place {step.job_id}: {reason}"
                quotas.add(spec, 1)
        return None

    def _perform(self, step: Place | Preempt | Migrate) -> None:
        sim, run = self._sim, self._sim.live[step.job_id]
        if isinstance(step, Preempt | Migrate):
            sim.stop(run)
        if isinstance(step, Place | Migrate):
            sim.start(run, step.nodes, self._gpus(step))
