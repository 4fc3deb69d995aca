"""Several memories as one: of the parts of a policy, each of which sees only its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from goodwatt.cluster.job import JobRequest
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import Memory
from goodwatt.simulator.view import View

if TYPE_CHECKING:
    from goodwatt.power.telemetry.counters import Counters


@dataclass(slots=True)
class Memories:
    """The memories of a policy's parts, in the order of the parts.

    Parts that learn the same from telemetry learn it once, together (`PowerMemory.learn_with`).
    """

    parts: tuple[Memory, ...]

    def __post_init__(self) -> None:
        first, *others = list(self._learners()) or [None]
        for other in others:
            other.learn_with(first)

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Tell all."""
        for memory in self.parts:
            memory.job_ended(job, ran_s, now_s)

    def job_observed(self, run: JobRun, kind: str, seen: Counters, now_s: float) -> None:
        """Tell those who watch telemetry."""
        for memory in self.parts:
            tell = getattr(memory, "job_observed", None)
            if tell is not None:
                tell(run, kind, seen, now_s)

    def copy(self) -> Memories:
        """Copies of all."""
        return Memories(tuple(memory.copy() for memory in self.parts))

    def to_plain(self) -> Any:
        """All."""
        return [memory.to_plain() for memory in self.parts]

    def load_plain(self, plain: Any) -> None:
        """Take over all."""
        for memory, content in zip(self.parts, plain, strict=True):
            memory.load_plain(content)

    def _learners(self) -> Iterator[Any]:
        for memory in self.parts:
            if isinstance(memory, Memories):
                yield from memory._learners()
            elif hasattr(memory, "learn_with"):
                yield memory


def parts_of(view: View) -> tuple[Memory, ...]:
    """The memories of the parts of the policy that is asked."""
    assert isinstance(view.memory, Memories)  # noqa: S101 - its new_memory made it
    return view.memory.parts


class remembering:  # noqa: N801 - used as a function: `with remembering(view, memory):`
    """The view as the part with this memory sees it, for as long as the block lasts."""

    __slots__ = ("_memory", "_view", "_whole")

    def __init__(self, view: View, memory: Memory) -> None:
        self._view, self._memory = view, memory

    def __enter__(self) -> None:
        self._whole, self._view.memory = self._view.memory, self._memory

    def __exit__(self, *_: object) -> None:
        self._view.memory = self._whole


def soonest(*times_s: float | None) -> float | None:
    """The least of the times at which parts want to see telemetry; None if none does."""
    return min((time_s for time_s in times_s if time_s is not None), default=None)
