"""A scheduling policy and a power policy acting together, as one policy; each has its own memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from goodwatt.cluster.job import JobRequest
from goodwatt.policies.power_policy import PowerPolicy, WatchingMemory
from goodwatt.simulator.decisions import Decision, Group, Place
from goodwatt.simulator.job_run import JobRun
from goodwatt.simulator.policy import Memory, Policy
from goodwatt.simulator.view import View

if TYPE_CHECKING:
    from goodwatt.power.telemetry import Counters


@dataclass(slots=True)
class TwoMemories:
    """The memories of both."""

    scheduling: Memory
    power: Any

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Tell both."""
        self.scheduling.job_ended(job, ran_s, now_s)
        self.power.job_ended(job, ran_s, now_s)

    def job_observed(self, run: JobRun, kind: str, seen: Counters, now_s: float) -> None:
        """Tell the power policy, which has asked for it."""
        watching: WatchingMemory = self.power
        watching.job_observed(run, kind, seen, now_s)

    def copy(self) -> TwoMemories:
        """Copies of both."""
        return TwoMemories(self.scheduling.copy(), self.power.copy())

    def to_plain(self) -> Any:
        """Both."""
        return [self.scheduling.to_plain(), self.power.to_plain()]

    def load_plain(self, plain: Any) -> None:
        """Take over both."""
        self.scheduling.load_plain(plain[0])
        self.power.load_plain(plain[1])


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
    def observe_s(self) -> float | None:
        """When the power policy wants to see telemetry."""
        return self.power.observe_s

    def new_memory(self) -> TwoMemories:
        """Two empty ones."""
        return TwoMemories(self.scheduling.new_memory(), self.power.new_memory())

    def queue_key(self, run: JobRun, view: View) -> Any:
        """The scheduling policy's."""
        with _remembering(view, _both(view).scheduling):
            return self.scheduling.queue_key(run, view)

    def decide(self, view: View) -> Sequence[Decision]:
        """What the scheduling policy decides, with clocks and caps, and what the power policy adds."""
        memory = _both(view)
        with _remembering(view, memory.scheduling):
            decisions = self.scheduling.decide(view)
        with _remembering(view, memory.power):
            settled = [self._settled(decision, view) for decision in decisions]
            return [*(d for d in settled if d is not None), *self.power.decide(view)]

    def _settled(self, decision: Decision, view: View) -> Decision | None:
        if isinstance(decision, Place):
            return self.power.start(decision, view.run(decision.job_id), view)
        if isinstance(decision, Group):
            steps = tuple(self._settled(step, view) for step in decision.decisions)
            return None if None in steps else replace(decision, decisions=steps)  # type: ignore[arg-type]
        return decision


def _both(view: View) -> TwoMemories:
    assert isinstance(view.memory, TwoMemories)  # noqa: S101 - new_memory above made it
    return view.memory


@contextmanager
def _remembering(view: View, memory: Memory) -> Iterator[None]:
    """The view as one of the two sees it."""
    both, view.memory = view.memory, memory
    try:
        yield
    finally:
        view.memory = both
