"""Validates decisions and applies them; what cannot be applied is refused whole, with the reason.

It is the only way by which a policy changes the world, here as on a live cluster, so a bad policy can waste time
but never over-commit a GPU, stop a job that must not be stopped, go over a quota or below a guardrail. What power
decisions then do is in `power_control`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from goodwatt.cluster.state import DoesNotFitError, NodeCounts, Placement
from goodwatt.simulator import nodes, partitions, power_control, resizing
from goodwatt.simulator.decisions import (
    Decision,
    Group,
    Migrate,
    Partition,
    Place,
    Preempt,
    Refusal,
    Resize,
    SetCap,
    SetClock,
    Sleep,
    WaitUntil,
    Wake,
)
from goodwatt.simulator.job_run import EXCLUSIVE, JobRun
from goodwatt.simulator.requests import MIG, request_of

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation

SHARING = ("timeslice", "mps")
"""How a job may share whole GPUs with others."""


class Executor:
    """Applies decisions to one simulation and keeps the refusals."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self.refusals: list[Refusal] = []

    def apply(self, decisions: Iterable[Decision]) -> None:
        """Apply each in turn."""
        for decision in decisions:
            reason = self._place(decision) if isinstance(decision, Place) else self._act(decision)
            if reason is not None:
                self.refusals.append(Refusal(self._sim.now_s, decision, reason))

    def _act(self, decision: Decision) -> str | None:
        if isinstance(decision, Preempt | Migrate | Group):
            return self._move(decision)
        act: Callable[[Any], str | None] = getattr(self, _ACTS[type(decision)])
        return act(decision)

    # where jobs run ----------------------------------------------------------------------------------------------

    def _place(self, decision: Place) -> str | None:
        sim = self._sim
        run = sim.live.get(decision.job_id)
        if run is None or run.placement:
            return "the job is not waiting"
        try:
            self._start(run, decision)
        except DoesNotFitError as error:
            return str(error)
        return None

    def _start(self, run: JobRun, decision: Place) -> None:
        sim, wanted, beside = self._sim, request_of(run.base, decision), self._host(decision)
        if run.alone and (beside is not None or decision.profile is not None):
            raise DoesNotFitError("the job did not find the memory that it needs when it shared a GPU")
        if sim.quotas is not None and (reason := sim.quotas.excess(wanted)):
            raise DoesNotFitError(reason)
        run.clock_mhz, run.cap_w = self._clock(decision.clock_mhz, decision.nodes), decision.cap_w
        run.sharing = MIG if wanted.mig_profile is not None else decision.sharing or EXCLUSIVE
        run.thread_percent = decision.thread_percent
        before, run.spec = run.spec, wanted
        try:
            sim.start(run, decision.nodes, self._gpus(decision), beside)
        except DoesNotFitError:
            run.spec = before
            raise

    def _host(self, decision: Place) -> JobRun | None:
        """The job beside which this one is to run; DoesNotFitError if the two do not make a pair."""
        if decision.beside is None:
            return None
        host = self._sim.live.get(decision.beside)
        if host is None or not host.placement:
            raise DoesNotFitError(f"{decision.beside}, beside which it should run, is not running")
        if decision.sharing not in SHARING or not 0 < decision.thread_percent <= 100:
            raise DoesNotFitError(
                f"expected sharing by {' or '.join(SHARING)} with 0 to 100% of the threads, "
                f"got {decision.sharing} with {decision.thread_percent:g}%"
            )
        return host

    def _gpus(self, decision: Place | Migrate) -> tuple[int, ...] | None:
        return decision.gpus if self._sim.engine.gpu_choice == "policy" else None

    def _move(self, decision: Preempt | Migrate | Group) -> str | None:
        steps = decision.decisions if isinstance(decision, Group) else (decision,)
        reason = self._refuse(steps)
        if reason is None:
            for step in steps:
                self._perform(step)
        return reason

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
        elif not self._sim.options.guardrails.may_stop(run.spec):
            return "the job must not be stopped"
        else:
            state.release(run.spec)
        return None if isinstance(step, Preempt) else self._try_place(run, step)

    def _try_place(self, run: JobRun, step: Place | Migrate) -> str | None:
        if isinstance(step, Place) and step.beside is not None:
            return "a job beside another is placed by itself, in no group"
        gpus, state, wanted = self._gpus(step), self._sim.state, run.base
        try:
            if isinstance(step, Place):
                wanted = request_of(run.base, step)
            state.allocate(wanted, step.nodes, gpus)
        except DoesNotFitError as error:
            return str(error).removeprefix(f"job {step.job_id}: ")
        return None

    def _quota_excess(self, steps: tuple[Place | Preempt | Migrate, ...]) -> str | None:
        if self._sim.quotas is None:
            return None
        quotas = self._sim.quotas.copy()
        for step in steps:
            run = self._sim.live[step.job_id]
            if not isinstance(step, Place):
                quotas.add(run.spec, -1)
            if not isinstance(step, Preempt):
                wanted = request_of(run.base, step) if isinstance(step, Place) else run.base
                if reason := quotas.excess(wanted):
                    return f"{type(step).__name__} {step.job_id}: {reason}"
                quotas.add(wanted, 1)
        return None

    def _perform(self, step: Place | Preempt | Migrate) -> None:
        sim, run = self._sim, self._sim.live[step.job_id]
        if isinstance(step, Place):
            self._start(run, step)
            return
        sim.stop(run)
        if isinstance(step, Migrate):
            run.sharing = MIG if run.spec.mig_profile is not None else EXCLUSIVE
            sim.start(run, step.nodes, self._gpus(step))

    def _resize(self, decision: Resize) -> str | None:
        return resizing.resize(self._sim, decision)

    def _partition(self, decision: Partition) -> str | None:
        return partitions.partition(self._sim, decision)

    # time and power ----------------------------------------------------------------------------------------------

    def _wait(self, decision: WaitUntil) -> str | None:
        if not decision.time_s > self._sim.now_s:
            return f"{decision.time_s} is not in the future"
        self._sim.wake_at(decision.time_s)
        return None

    def _set(self, decision: SetClock | SetCap) -> str | None:
        run = self._sim.live.get(decision.job_id)
        if run is None or not run.placement:
            return "the job is not running"
        clock, cap = run.clock_mhz, run.cap_w
        if isinstance(decision, SetClock):
            clock = decision.clock_mhz
        else:
            cap = decision.cap_w
        power_control.set_gpus(self._sim, run, self._clock(clock, run.placement), cap)
        return None

    def _clock(self, wish_mhz: float | None, nodes: NodeCounts | Placement) -> float | None:
        """The clock to lock, within the guardrails; gangs stand on one kind of GPU as far as clocks go."""
        if wish_mhz is None or not nodes:
            return None
        cluster = self._sim.cluster
        top_mhz = cluster.kinds[cluster.nodes[nodes[0][0]].gpu_kind].max_clock_mhz
        return self._sim.options.guardrails.clock(wish_mhz, top_mhz)

    def _sleep(self, decision: Sleep) -> str | None:
        state, node = self._sim.state, decision.node
        if not 0 <= node < len(state.capacity) or not state.up >> node & 1:
            return "the node is not up"
        if state.in_use(node):
            return "the node is in use"
        power_control.sleep(self._sim, node)
        return None

    def _wake(self, decision: Wake) -> str | None:
        if self._sim.asleep.get(decision.node) != nodes.ASLEEP:
            return "the node is not asleep"
        power_control.wake(self._sim, decision.node)
        return None


_ACTS = {
    Resize: Executor._resize.__name__,
    Partition: Executor._partition.__name__,
    WaitUntil: Executor._wait.__name__,
    SetClock: Executor._set.__name__,
    SetCap: Executor._set.__name__,
    Sleep: Executor._sleep.__name__,
    Wake: Executor._wake.__name__,
}
