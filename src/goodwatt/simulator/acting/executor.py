"""Validates decisions and applies them; what cannot be applied is refused whole, with the reason.

It is the only way by which a policy changes the world, here as on a live cluster, so a bad policy can waste time
but never over-commit a GPU, stop a job that must not be stopped, go over a quota or below a guardrail. What power
decisions then do is in `power_control`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.state import DoesNotFitError, NodeCounts
from goodwatt.simulator import nodes, partitions
from goodwatt.simulator.acting import allowed, longest_wait, promise_guard, resizing
from goodwatt.simulator.acting.requests import MIG, request_of
from goodwatt.simulator.decisions import (
    Decision,
    Drain,
    Group,
    Hold,
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
from goodwatt.simulator.jobs.job_run import EXCLUSIVE, JobRun
from goodwatt.simulator.power import power_control
from goodwatt.simulator.services import service_run

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation


class Executor:
    """Applies decisions to one simulation and keeps the refusals."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self.refusals: list[Refusal] = []

    def apply(self, decisions: Iterable[Decision]) -> None:
        """Apply each in turn; then place who has waited too long, unless the policy has."""
        late, refused = len(self._sim.late), len(self.refusals)
        for decision in decisions:
            reason = promise_guard.refuse(self._sim, decision)
            if reason is None:
                reason = self._place(decision) if isinstance(decision, Place) else self._act(decision)
            if reason is not None:
                self.refusals.append(Refusal(self._sim.now_s, decision, reason))
                if isinstance(decision, Place):
                    self._note(decision, reason)
        if late:
            started = longest_wait.serve(self._sim) or (len(self._sim.late) < late and len(self.refusals) > refused)
            if started:  # what was refused for their sake may fit now
                self._sim.change_all()

    def _act(self, decision: Decision) -> str | None:
        if isinstance(decision, Preempt | Migrate | Group):
            return self._move(decision)
        act: Callable[[Any], str | None] = getattr(self, _ACTS[type(decision)])
        return act(decision)

    def _hold(self, decision: Hold) -> str | None:
        run = self._sim.live.get(decision.job_id)
        if run is None or run.placement:
            return "the job is not waiting"
        run.waits_for = decision.reason
        return None

    def _note(self, decision: Place, reason: str) -> None:
        """Why a job waits although the GPUs that it was to have are free."""
        run = self._sim.live.get(decision.job_id)
        if run is None or run.placement or decision.beside is not None:
            return
        with suppress(DoesNotFitError):
            if self._sim.state.shortage(request_of(run.base, decision), decision.nodes) is None:
                run.waits_for = reason

    # where jobs run ----------------------------------------------------------------------------------------------

    def _place(self, decision: Place) -> str | None:
        sim = self._sim
        run = sim.live.get(decision.job_id)
        if run is None or run.placement:
            return "the job is not waiting"
        if reason := allowed.goes_first(sim, allowed.given(sim, decision), run):
            return reason
        try:
            self._start(run, decision)
        except DoesNotFitError as error:
            return str(error)
        return None

    def _start(self, run: JobRun, decision: Place, granted: bool = False) -> None:
        sim, wanted, beside = self._sim, request_of(run.base, decision), self._host(decision)
        service_run.check_role(sim, run, decision.role)
        if sim.quotas is not None and (reason := sim.quotas.excess(wanted)):
            raise DoesNotFitError(reason)
        others = () if beside is None else allowed.neighbours(sim, beside)
        allowed.check_sharing(sim, run, decision, others)
        where = decision.nodes if beside is None else beside.placement
        others = others or self._around(run, wanted, decision)
        before = run.spec, run.clock_mhz, run.cap_w, run.sharing, run.thread_percent
        wish = decision.clock_mhz, decision.cap_w
        run.clock_mhz, run.cap_w = allowed.setting(sim, run, others, wish, where)
        allowed.free_clocks(sim, run, others)
        run.sharing = MIG if wanted.mig_profile is not None else decision.sharing or EXCLUSIVE
        run.thread_percent, run.spec = decision.thread_percent, wanted
        service_run.take_role(sim, run, decision.role)
        try:
            sim.start(run, decision.nodes, self._gpus(decision), beside, granted)
        except DoesNotFitError:
            run.spec, run.clock_mhz, run.cap_w, run.sharing, run.thread_percent = before
            raise

    def _around(self, run: JobRun, wanted: JobRequest, step: Place | Migrate) -> Sequence[JobRun]:
        """Who has a part of the GPUs of which a job gets a part, as far as a guardrail asks about them."""
        sim = self._sim
        in_part = wanted.gpu_milli < WHOLE_GPU_MILLI or wanted.mig_profile is not None
        if not (in_part and sim.options.guardrails.protected):
            return ()
        with sim.state.what_if() as state:
            there = state.allocate(wanted, step.nodes, self._gpus(step))
        return [other for other in nodes.holding(sim, there) if other is not run]

    def start_late(self, run: JobRun, where: NodeCounts) -> bool:
        """Start a job that has waited too long, under the lowest cap if there is no power for more; whether it did."""
        caps: list[float | None] = [None]
        if self._sim.book is not None:
            caps += [kind.min_cap_w for kind in allowed.kinds_of(self._sim, where) if kind.min_cap_w is not None][:1]
        for cap_w in caps:
            try:
                self._start(run, Place(run.spec.job_id, where, cap_w=cap_w))
            except DoesNotFitError:
                continue
            return True
        return False

    def _host(self, decision: Place) -> JobRun | None:
        """The job beside which this one is to run; DoesNotFitError if the two do not make a pair."""
        if decision.beside is None:
            return None
        host = self._sim.live.get(decision.beside)
        if host is None or not host.placement:
            raise DoesNotFitError(f"{decision.beside}, beside which it should run, is not running")
        if decision.sharing not in allowed.SHARING:
            raise DoesNotFitError(f"expected sharing by {' or '.join(allowed.SHARING)}, got {decision.sharing}")
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
            if reason := self._power_excess(steps):
                return reason
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
        elif self._sim.services is not None and step.job_id in self._sim.services.instances:
            return "an instance of a service is drained, not stopped"
        elif not allowed.may_take_away(self._sim, step, run):
            return "the job must not be stopped"
        else:
            state.release(run.spec)
        return None if isinstance(step, Preempt) else self._try_place(run, step)

    def _try_place(self, run: JobRun, step: Place | Migrate) -> str | None:
        if isinstance(step, Place) and step.beside is not None:
            return "a job beside another is placed by itself, in no group"
        if reason := allowed.goes_first(self._sim, allowed.given(self._sim, step), run):
            return reason
        gpus, state, wanted = self._gpus(step), self._sim.state, run.base
        try:
            if isinstance(step, Place):
                wanted = request_of(run.base, step)
                allowed.check_sharing(self._sim, run, step, ())
            self._setting(step, run)
            state.allocate(wanted, step.nodes, gpus)
        except DoesNotFitError as error:
            return str(error).removeprefix(f"job {step.job_id}: ")
        return None

    def _setting(self, step: Place | Migrate, run: JobRun) -> allowed.Wish:
        """The clock and the cap with which a job starts where it has the GPUs for itself, or goes on elsewhere."""
        if isinstance(step, Place):
            return allowed.setting(self._sim, run, (), (step.clock_mhz, step.cap_w), step.nodes)
        return allowed.elsewhere(self._sim, run, step)

    def _power_excess(self, steps: tuple[Place | Preempt | Migrate, ...]) -> str | None:
        """Why there is no power for where the jobs of these steps would stand after them, which the state shows now."""
        book, placements = self._sim.book, self._sim.state.placements
        if book is None:
            return None
        runs = {step.job_id: self._sim.live[step.job_id] for step in steps}
        caps = {s.job_id: self._setting(s, runs[s.job_id])[1] for s in steps if not isinstance(s, Preempt)}
        starts = [(run, placements[i], caps.get(i, run.cap_w)) for i, run in runs.items() if i in placements]
        with _as_they_will_be(runs, steps):
            return book.lacks(starts, frozenset(i for i, run in runs.items() if run.placement))

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
            self._start(run, step, granted=True)
            return
        sim.stop(run, why=step.reason)
        if isinstance(step, Migrate):
            others = self._around(run, run.spec, step)
            run.clock_mhz, run.cap_w = allowed.elsewhere(sim, run, step, others)
            with suppress(DoesNotFitError):
                allowed.free_clocks(sim, run, others)
            run.sharing = MIG if run.spec.mig_profile is not None else EXCLUSIVE
            sim.start(run, step.nodes, self._gpus(step), granted=True)

    def _resize(self, decision: Resize) -> str | None:
        run = self._sim.live.get(decision.job_id)
        may_resize = self._sim.options.guardrails.may_resize
        if run is not None and run.placement and (not may_resize(run.base) or allowed.too_soon(self._sim, run)):
            return "the job must not be resized"
        if run is not None and (reason := allowed.goes_first(self._sim, allowed.added(run, decision))):
            return reason
        return resizing.resize(self._sim, decision)

    def _partition(self, decision: Partition) -> str | None:
        if reason := allowed.goes_first(self._sim, 1 << max(decision.node, 0)):
            return reason
        return partitions.partition(self._sim, decision)

    def _drain(self, decision: Drain) -> str | None:
        services, run = self._sim.services, self._sim.live.get(decision.job_id)
        if services is None or decision.job_id not in services.instances:
            return "it is no instance of a service"
        if run is None or not run.placement:
            return "the instance holds no GPUs"
        if (least := service_run.least_left(services, services.instances[decision.job_id])) is not None:
            return f"its service has no fewer than {least} of them"
        service_run.drain(self._sim, run)
        return None

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
        clock, cap = power_control.wished(self._sim, run)
        if isinstance(decision, SetClock):
            clock = decision.clock_mhz
        else:
            cap = decision.cap_w
        try:
            setting = allowed.setting(self._sim, run, allowed.neighbours(self._sim, run), (clock, cap), run.placement)
        except DoesNotFitError as error:
            return str(error)
        if setting == (None, None) != (clock, cap):
            return "a job there is protected from slow clocks"
        run.why = decision.reason
        power_control.set_gpus(self._sim, run, *setting)
        return None

    def _sleep(self, decision: Sleep) -> str | None:
        state, node = self._sim.state, decision.node
        if not 0 <= node < len(state.capacity) or not state.up >> node & 1:
            return "the node is not up"
        if state.in_use(node):
            return "the node is in use"
        if reason := allowed.goes_first(self._sim, 1 << node):
            return reason
        if self._sim.book is not None and (reason := self._sim.book.may_sleep(node)):
            return reason
        power_control.sleep(self._sim, node)
        return None

    def _wake(self, decision: Wake) -> str | None:
        if self._sim.asleep.get(decision.node) != nodes.ASLEEP:
            return "the node is not asleep"
        power_control.wake(self._sim, decision.node)
        return None


@contextmanager
def _as_they_will_be(runs: Mapping[str, JobRun], steps: Iterable[Place | Preempt | Migrate]) -> Iterator[None]:
    """Inside, jobs ask for what they ask for after these steps: what they hold now may be nothing that is there."""
    before = {job_id: run.spec for job_id, run in runs.items()}
    for step in steps:
        if not isinstance(step, Preempt):
            run = runs[step.job_id]
            run.spec = request_of(run.base, step) if isinstance(step, Place) else run.base
    try:
        yield
    finally:
        for job_id, run in runs.items():
            run.spec = before[job_id]


_ACTS = {
    Resize: Executor._resize.__name__,
    Partition: Executor._partition.__name__,
    Hold: Executor._hold.__name__,
    Drain: Executor._drain.__name__,
    WaitUntil: Executor._wait.__name__,
    SetClock: Executor._set.__name__,
    SetCap: Executor._set.__name__,
    Sleep: Executor._sleep.__name__,
    Wake: Executor._wake.__name__,
}
