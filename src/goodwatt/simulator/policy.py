"""The contract of a policy, and of what it remembers.

A policy is a pure function from a view to decisions and holds no state of its own. What it has to carry from one
decision to the next (a duration predictor, say) is its memory: the simulation owns it, tells it what happened,
copies it when it forks and writes it when it saves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from goodwatt.cluster.job import JobRequest
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.jobs.job_run import JobRun

if TYPE_CHECKING:
    from goodwatt.power.telemetry.counters import Counters
    from goodwatt.simulator.view import View


class Memory(Protocol):
    """What a policy carries along. `to_plain` gives JSON-like data from which `load_plain` restores it exactly."""

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """A job ended now, after it had run so long, restarts and work done again left out."""

    def copy(self) -> Self:
        """An independent copy."""

    def to_plain(self) -> Any:
        """Its content as numbers, text, lists and dictionaries."""

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave."""


class WatchingMemory(Memory, Protocol):
    """The memory of a policy with `observe_s`, which is shown telemetry."""

    def job_observed(self, run: JobRun, kind: str, seen: Counters, now_s: float) -> None:
        """What the sensors of a job's GPUs, of this kind, show: means over the last second."""


class NoMemory:
    """The memory of a policy that needs none."""

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Forget it."""

    def copy(self) -> Self:
        """Itself: there is nothing to copy."""
        return self

    def to_plain(self) -> None:
        """Nothing."""

    def load_plain(self, plain: Any) -> None:
        """Nothing."""


class Policy(Protocol):
    """What decides.

    `name` is the specification that makes it ("sjf+fgd"); `oracle` says that it reads true durations, which only
    then `View.true_remaining_s` gives away; `preemptive` selects the engine settings for policies that stop jobs;
    `head_only` says that it serves queues strictly from the head, so it need not be asked when a job arrives behind
    the head or when nothing waits.
    """

    @property
    def name(self) -> str:
        """The specification that makes this policy."""

    @property
    def oracle(self) -> bool:
        """Whether it may see the truth."""

    @property
    def preemptive(self) -> bool:
        """Whether it may stop running jobs."""

    @property
    def head_only(self) -> bool:
        """Whether it serves queues strictly from the head."""

    def new_memory(self) -> Memory:
        """An empty memory."""

    def queue_key(self, run: JobRun, view: View) -> Any:
        """Where a job stands in its pool's queue, computed when it enters: smaller is earlier, equal by arrival."""

    def decide(self, view: View) -> Sequence[Decision]:
        """The decisions for this moment, in the order in which they are to be applied."""
