"""A scheduling policy and a power policy acting together, as one policy; each has its own memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from goodwatt.policies.memories import Memories, parts_of, remembering, soonest
from goodwatt.policies.power_policy import PowerPolicy
from goodwatt.simulator.decisions import KEPT, Decision, Group, Hold, Migrate, Place, Preempt, Resize, SetCap, SetClock
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Powered:
    """What `--policy P --power W` makes; `power_spec` is W."""

    scheduling: Policy
    power: PowerPolicy
    power_spec: str

    @property
    def name(self) -> str:
        """Both specifications."""
        return f"{self.scheduling.name} / {self.power_spec}"

    @property
    def oracle(self) -> bool:
        """If either is one."""
        return self.scheduling.oracle or self.power.oracle

    @property
    def preemptive(self) -> bool:
        """As the scheduling policy is."""
        return self.scheduling.preemptive

    @property
    def head_only(self) -> bool:
        """As the scheduling policy is, unless the power policy has to be asked at every event."""
        return self.scheduling.head_only and not self.power.restless

    @property
    def enforces_budget(self) -> bool:
        """As the power policy has it."""
        return getattr(self.power, "enforces_budget", False)

    @property
    def ramp_w_per_s(self) -> float | None:
        """As the power policy has it."""
        wish: float | None = getattr(self.power, "ramp_w_per_s", None)
        return wish

    @property
    def observe_s(self) -> float | None:
        """When either wants to see telemetry."""
        return soonest(getattr(self.scheduling, "observe_s", None), self.power.observe_s)

    def new_memory(self) -> Memories:
        """Two empty ones."""
        return Memories((self.scheduling.new_memory(), self.power.new_memory()))

    def queue_key(self, run: JobRun, view: View) -> Any:
        """The scheduling policy's."""
        with remembering(view, parts_of(view)[0]):
            return self.scheduling.queue_key(run, view)

    def decide(self, view: View) -> Sequence[Decision]:
        """What the scheduling policy decides, with clocks and caps, and what the power policy adds."""
        scheduling, power = parts_of(view)
        with remembering(view, power):
            view.held, view.fed = self.power.holds(view), self.power.fed(view)
        with remembering(view, scheduling):
            decisions = self.scheduling.decide(view)
        with remembering(view, power):
            view.leaving = tuple(_stopped(decisions))
            settled = [self._settled(decision, view) for decision in decisions]
            more = self.power.decide(view)
        # Who is stopped for somebody who is then held back would start and be stopped for ever.
        held = [after for before, after in zip(decisions, settled, strict=True) if _held_back(before, after)]
        in_vain = bool(view.leaving and held)
        view.held, view.fed, view.leaving = frozenset(), None, ()
        done = [decision for decision in (held if in_vain else settled) if not _stays(decision, view)]
        gone = {job_id for decision in done for step in _steps(decision) for job_id in _leaving(step, view)}
        kept = (d for d in more if not (isinstance(d, SetClock | SetCap) and d.job_id in gone))
        return [*done, *kept]

    def _settled(self, decision: Decision, view: View) -> Decision:
        if isinstance(decision, Place):
            return self.power.start(decision, view.run(decision.job_id), view)
        if isinstance(decision, Migrate | Resize):
            return self._moved(decision, view)
        if isinstance(decision, Group):
            steps = [self._settled(step, view) for step in decision.decisions]
            held = next((step for step in steps if isinstance(step, Hold)), None)
            kept = tuple(step for step in steps if isinstance(step, Place | Preempt | Migrate))
            return held or replace(decision, decisions=kept)
        return decision

    def _moved(self, move: Migrate | Resize, view: View) -> Migrate | Resize | Hold:
        """Asked about as a placement with the setting that would go along; what it leaves of that does go along."""
        run = view.run(move.job_id)
        if not run.running:
            return move
        clock_mhz = run.clock_mhz if move.clock_mhz == KEPT else move.clock_mhz
        cap_w = run.cap_w if move.cap_w == KEPT else move.cap_w
        place = self.power.start(Place(move.job_id, move.nodes, move.gpus, clock_mhz=clock_mhz, cap_w=cap_w), run, view)
        if isinstance(place, Hold):
            return place
        return replace(
            move,
            clock_mhz=move.clock_mhz if place.clock_mhz == clock_mhz else place.clock_mhz,
            cap_w=move.cap_w if place.cap_w == cap_w else place.cap_w,
        )


def _held_back(before: Decision, after: Decision) -> bool:
    """Whether a power policy keeps waiting whom the scheduling policy would have started, or moved."""
    return isinstance(after, Hold) and after is not before


def _stays(decision: Decision, view: View) -> bool:
    """Whether nothing is left of a move: there is nobody to wait."""
    return isinstance(decision, Hold) and view.run(decision.job_id).running


def _stopped(decisions: Sequence[Decision]) -> Iterator[str]:
    """Running jobs that are stopped."""
    for decision in decisions:
        yield from (step.job_id for step in _steps(decision) if isinstance(step, Preempt))


def _leaving(step: Decision, view: View) -> Sequence[str]:
    """The job that leaves the GPUs for which a power policy may have meant another setting: all, or those of a kind."""
    if isinstance(step, Preempt):
        return (step.job_id,)
    if isinstance(step, Migrate) and view.kind_of(step.nodes) is not view.kind_of(view.run(step.job_id).placement):
        return (step.job_id,)
    return ()


def _steps(decision: Decision) -> Sequence[Decision]:
    return decision.decisions if isinstance(decision, Group) else (decision,)
