"""A scheduling policy and a service policy acting together, as one policy; each has its own memory.

Services come first: what they take is not offered to jobs at that moment. Jobs whose GPUs they take hold them, for who
schedules, until that has been done. A power policy goes around both
(`powered.Powered`), so that instances get clocks and caps as jobs do.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from goodwatt.cluster.state import DoesNotFitError
from goodwatt.policies.memories import Memories, parts_of, remembering, soonest
from goodwatt.policies.service_policy import ServicePolicy
from goodwatt.simulator.acting.requests import request_of
from goodwatt.simulator.decisions import Decision, Drain, Group, Place, Preempt, SetCap, SetClock
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Served:
    """What `--policy P --service-policy S` makes; `service_spec` is S."""

    scheduling: Policy
    services: ServicePolicy
    service_spec: str

    @property
    def name(self) -> str:
        """Both specifications."""
        return f"{self.scheduling.name} / {self.service_spec}"

    @property
    def oracle(self) -> bool:
        """As the scheduling policy is."""
        return self.scheduling.oracle

    @property
    def preemptive(self) -> bool:
        """As the scheduling policy is."""
        return self.scheduling.preemptive

    @property
    def head_only(self) -> bool:
        """As the scheduling policy is."""
        return self.scheduling.head_only

    @property
    def observe_s(self) -> float | None:
        """When either wants to see telemetry."""
        return soonest(getattr(self.scheduling, "observe_s", None), getattr(self.services, "observe_s", None))

    def new_memory(self) -> Memories:
        """Two empty ones."""
        return Memories((self.scheduling.new_memory(), self.services.new_memory()))

    def queue_key(self, run: JobRun, view: View) -> Any:
        """The scheduling policy's."""
        with remembering(view, parts_of(view)[0]):
            return self.scheduling.queue_key(run, view)

    def decide(self, view: View) -> Sequence[Decision]:
        """What is due for services, then, in rounds, what is left for jobs."""
        scheduling, services = parts_of(view)
        first: Sequence[Decision] = ()
        if view.services is not None and view.services.due:
            with remembering(view, services):
                first = tuple(self.services.decide(view))
        if view.between:
            return first
        moved = frozenset(step.job_id for decision in first for step in _steps(decision))
        held, view.held = view.held, view.held | moved
        with view.what_if(), remembering(view, scheduling):
            _take(first, view)
            more = [decision for decision in self.scheduling.decide(view) if not _again(decision, moved)]
        view.held = held
        return [*first, *more]


def _take(decisions: Sequence[Decision], view: View) -> None:
    """Hold what these places take, in a what-if, so that nobody who is asked later decides to give it to others."""
    for place in decisions:
        if isinstance(place, Place) and place.beside is None:
            with suppress(DoesNotFitError):
                view.state.allocate(request_of(view.run(place.job_id).base, place), place.nodes)


def _steps(decision: Decision) -> Sequence[Place | Preempt]:
    """Places and stops of a decision of a service policy."""
    parts = decision.decisions if isinstance(decision, Group) else (decision,)
    return [part for part in parts if isinstance(part, Place | Preempt)]


def _again(decision: Decision, moved: AbstractSet[str]) -> bool:
    """Whether services have decided about this job already."""
    return any(step.job_id in moved for step in _steps(decision))


@dataclass(frozen=True, slots=True)
class ServicePolicies:
    """Several service policies, one after the other."""

    name: str
    parts: tuple[ServicePolicy, ...]

    @property
    def observe_s(self) -> float | None:
        """As the first that wants to see telemetry."""
        return soonest(*(getattr(part, "observe_s", None) for part in self.parts))

    def new_memory(self) -> Memories:
        """One for each."""
        return Memories(tuple(part.new_memory() for part in self.parts))

    def decide(self, view: View) -> Sequence[Decision]:
        """All that they decide; who drains may be gone at once, so no clock is set for him and nobody comes beside."""
        decisions: list[Decision] = []
        with view.what_if():
            for part, memory in zip(self.parts, parts_of(view), strict=True):
                with remembering(view, memory):
                    found = part.decide(view)
                _take(found, view)
                decisions += found
        leaving = {decision.job_id for decision in decisions if isinstance(decision, Drain)}
        return [decision for decision in decisions if _of_whom(decision) not in leaving]


def _of_whom(decision: Decision) -> str | None:
    """The instance that gets a clock, a cap, or a job beside it."""
    if isinstance(decision, SetClock | SetCap):
        return decision.job_id
    return decision.beside if isinstance(decision, Place) else None
