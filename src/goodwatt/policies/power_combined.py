"""Power policies in a row, as one: what `static:slowdown=0.05+sleep` makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goodwatt.policies.memories import Memories, parts_of, remembering, soonest
from goodwatt.policies.power_policy import PowerPolicy
from goodwatt.simulator.acting.well_formed import entries
from goodwatt.simulator.decisions import Decision, Hold, Place
from goodwatt.simulator.held import Held
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class CombinedPower:
    """Each part settles the placement as the one before it left it; what they decide is carried out in their order."""

    name: str
    parts: tuple[PowerPolicy, ...]

    @property
    def oracle(self) -> bool:
        """If any part is one."""
        return any(part.oracle for part in self.parts)

    @property
    def restless(self) -> bool:
        """If any part is."""
        return any(part.restless for part in self.parts)

    @property
    def observe_s(self) -> float | None:
        """As the first that wants to see telemetry."""
        return soonest(*(part.observe_s for part in self.parts))

    @property
    def enforces_budget(self) -> bool:
        """If any part has budgets enforced."""
        return any(getattr(part, "enforces_budget", False) for part in self.parts)

    @property
    def ramp_w_per_s(self) -> float | None:
        """The slowest that any part asks for."""
        wishes = (getattr(part, "ramp_w_per_s", None) for part in self.parts)
        return min((wish for wish in wishes if wish is not None), default=None)

    def new_memory(self) -> Memories:
        """One for each part."""
        return Memories(tuple(part.new_memory() for part in self.parts))

    def holds(self, view: View) -> Held:
        """What any part holds back."""
        held: Held = frozenset()
        for part, memory in zip(self.parts, parts_of(view), strict=True):
            with remembering(view, memory):
                held = held | part.holds(view)
        return held

    def fed(self, view: View) -> Sequence[float] | None:
        """What all parts have power for."""
        found = []
        for part, memory in zip(self.parts, parts_of(view), strict=True):
            with remembering(view, memory):
                found.append(part.fed(view))
        known = [shares for shares in found if shares is not None]
        return [min(shares) for shares in zip(*known, strict=True)] if known else None

    def start(self, place: Place, run: JobRun, view: View) -> Place | Hold:
        """The placement after all parts; Hold as soon as one keeps the job waiting."""
        settled: Place | Hold = place
        for part, memory in zip(self.parts, parts_of(view), strict=True):
            if not isinstance(settled, Place):
                break
            with remembering(view, memory):
                settled = part.start(settled, run, view)
        return settled

    def decide(self, view: View) -> Sequence[Decision]:
        """What each part decides, one after the other."""
        decisions: list[Decision] = []
        for part, memory in zip(self.parts, parts_of(view), strict=True):
            with remembering(view, memory):
                decisions += entries(part.decide(view))
        return decisions
