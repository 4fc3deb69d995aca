"""A scheduling policy and a power policy acting together, as one policy; each has its own memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from goodwatt.policies.memories import Memories, parts_of, remembering, soonest
from goodwatt.policies.power_policy import PowerPolicy
from goodwatt.simulator.acting.well_formed import entries, flaw
from goodwatt.simulator.decisions import (
    KEPT,
    Decision,
    Drain,
    Group,
    Hold,
    Migrate,
    Place,
    Preempt,
    Resize,
    SetCap,
    SetClock,
)
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.view import View

ACTS = Place | Preempt | Migrate | Resize | Group
"""What starts, stops, moves or resizes jobs."""


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
        """What the scheduling policy decides, with clocks and caps, and what the power policy adds.

        What is no decision, or about nobody, goes on as it is: the executor refuses it.
        """
        scheduling, power = parts_of(view)
        with remembering(view, power):
            view.held, view.fed = self.power.holds(view), self.power.fed(view)
        with remembering(view, scheduling):
            decisions, wrong = _told_apart(entries(self.scheduling.decide(view)), view)
        with remembering(view, power):
            pairs = self._asked_about(decisions, view)
            more = list(entries(self.power.decide(view)))
        pairs = _without_vain_stops(pairs, view)
        view.held, view.fed, view.leaving = frozenset(), None, ()
        done = [after for before, after in pairs if not _stays(before, after, view)]
        going = [before for before, after in pairs if not _held_back(before, after)] if more else []
        gone, stopped = set(_leaving(going, view)), set(_stopped(going, view))
        more = [d for d in more if not (isinstance(d, Preempt) and _is_right(d, view) and d.job_id in stopped)]
        return [*wrong, *done, *(d for d in more if not (_is_setting(d, view) and d.job_id in gone))]

    def _asked_about(self, decisions: Sequence[Decision], view: View) -> list[tuple[Decision, Decision]]:
        """Each with what the power policy makes of it, to which `view.leaving` names those on whose power it counts."""
        pairs = list[tuple[Decision, Decision]]()
        gone: tuple[str, ...] = ()
        others = tuple(_stopped((d for d in decisions if not _by_itself(d, view)), view))
        for decision in decisions:
            alone = _by_itself(decision, view)
            stopped = tuple(_stopped([decision], view)) if alone else ()
            view.leaving = (*gone, *(stopped if alone else others))
            after = self._settled(decision, view) if _is_about_somebody(decision, view) else decision
            gone += () if _held_back(decision, after) else stopped
            pairs.append((decision, after))
        view.leaving = (*gone, *others)
        return pairs

    def _settled(self, decision: Decision, view: View) -> Decision:
        if isinstance(decision, Place):
            return self.power.start(decision, view.run(decision.job_id), view)
        if isinstance(decision, Migrate | Resize):
            return self._moved(decision, view)
        if isinstance(decision, Group):
            steps: list[Any] = [self._settled(step, view) for step in decision.decisions]
            held = next((step for step in steps if isinstance(step, Hold)), None)
            return held or replace(decision, decisions=tuple(steps))
        return decision

    def _moved(self, move: Migrate | Resize, view: View) -> Migrate | Resize | Hold:
        """Asked about as a placement with the setting that would go along; what it leaves of that does go along."""
        run = view.run(move.job_id)
        if not run.running:
            return move
        clock_mhz = run.clock_mhz if move.clock_mhz == KEPT else move.clock_mhz
        cap_w = run.cap_w if move.cap_w == KEPT else move.cap_w
        place = self.power.start(Place(move.job_id, move.nodes, move.gpus, clock_mhz=clock_mhz, cap_w=cap_w), run, view)
        if not isinstance(place, Place):
            return place
        return replace(
            move,
            clock_mhz=move.clock_mhz if place.clock_mhz == clock_mhz else place.clock_mhz,
            cap_w=move.cap_w if place.cap_w == cap_w else place.cap_w,
        )


def _told_apart(answer: Iterable[Any], view: View) -> tuple[list[Decision], list[Any]]:
    """What of an answer are decisions that name nodes which exist, and what is not."""
    decisions, wrong = list[Decision](), list[Any]()
    for given in answer:
        (decisions if _is_right(given, view) else wrong).append(given)
    return decisions, wrong


def _is_right(decision: object, view: View) -> bool:
    return flaw(decision, len(view.state.capacity)) is None


def _is_setting(decision: Decision, view: View) -> TypeGuard[SetClock | SetCap]:
    return isinstance(decision, SetClock | SetCap) and _is_right(decision, view)


def _is_about_somebody(decision: Decision, view: View) -> bool:
    """Whether all of it is about jobs that wait, or run, as it wants them to."""
    return all(_has_its_job(step, view) for step in _steps(decision))


def _has_its_job(step: Decision, view: View) -> bool:
    if isinstance(step, Place):
        known = view.waiting(step.job_id) is not None or step.job_id in view.leaving
        return known and (step.beside is None or bool(view.waiting(step.beside) or view.running(step.beside)))
    return not isinstance(step, Preempt | Migrate | Resize) or view.running(step.job_id) is not None


def _held_back(before: Decision, after: Decision) -> bool:
    """Whether a power policy keeps waiting whom the scheduling policy would have started, or moved."""
    return isinstance(after, Hold) and after is not before


def _without_vain_stops(pairs: list[tuple[Decision, Decision]], view: View) -> list[tuple[Decision, Decision]]:
    """Who is stopped for somebody who is then held back would start and be stopped for ever."""
    together = [pair for pair in pairs if not _by_itself(pair[0], view)]
    if not (any(_stopped((d for d, _ in together), view)) and any(_held_back(*pair) for pair in together)):
        return pairs
    kept = [_by_itself(pair[0], view) or _held_back(*pair) or not isinstance(pair[0], ACTS) for pair in pairs]
    return list(itertools.compress(pairs, kept))


def _by_itself(decision: Decision, view: View) -> bool:
    """Whether nobody is stopped for it, or starts for that, but whom it names: a group, or an instance of a service."""
    if isinstance(decision, Group):
        return True
    return (
        isinstance(decision, Place)
        and view.services is not None
        and view.services.number_of(decision.job_id) is not None
    )


def _stays(before: Decision, after: Decision, view: View) -> bool:
    """Whether nothing is left of a move: there is nobody to wait."""
    if not isinstance(after, Hold) or after is before or not _is_right(after, view):
        return False
    return view.running(after.job_id) is not None


def _stopped(decisions: Iterable[Decision], view: View) -> Iterator[str]:
    """Running jobs that are stopped."""
    for step in (step for decision in decisions for step in _steps(decision)):
        if isinstance(step, Preempt) and view.running(step.job_id) is not None:
            yield step.job_id


def _leaving(decisions: Iterable[Decision], view: View) -> Iterator[str]:
    """Jobs that leave the GPUs for which a power policy may have meant another setting: all, or those of a kind."""
    for step in (step for decision in decisions for step in _steps(decision)):
        if isinstance(step, Preempt | Drain) or (isinstance(step, Migrate) and _changes_kind(step, view)):
            yield step.job_id


def _changes_kind(move: Migrate, view: View) -> bool:
    run = view.running(move.job_id)
    return run is not None and view.kind_of(move.nodes) is not view.kind_of(run.placement)


def _steps(decision: Decision) -> Sequence[Decision]:
    return decision.decisions if isinstance(decision, Group) else (decision,)
