"""How long a job is expected to run, and the base of the orders that plan ahead with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from goodwatt.policies.history import History
from goodwatt.policies.order import QueueOrder
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View

Source = Literal["requested", "predicted", "true"]
"""The user's time limit (predicted where there is none), a prediction from history, or the truth."""

OVERRUN_S = 60.0
"""A job that has outlived its estimate is expected to end this much later, again and again."""


@dataclass(frozen=True, slots=True)
class PlansAhead(QueueOrder):
    """Base of orders that look at up to `depth` waiting jobs and expect durations from `estimate`."""

    head_only: ClassVar[bool] = False

    estimate: Source = "requested"
    depth: int = 100

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ValueError(f"expected depth of at least 1, got {self.depth}")

    @property
    def oracle(self) -> bool:
        """If it plans with true durations."""
        return self.estimate == "true"

    def new_memory(self) -> History:
        """What has ended so far."""
        return History()


def duration_s(run: JobRun, view: View, source: Source) -> float:
    """Expected duration of a waiting job; of a running one, what it was expected to take since it started."""
    if source == "true":
        return view.true_remaining_s(run)
    if source == "requested" and run.spec.requested_s is not None:
        return run.spec.requested_s
    history = view.memory
    assert isinstance(history, History)  # noqa: S101 - policies that estimate have this memory
    return history.predict_s(run.spec, view.now_s)


def end_s(run: JobRun, view: View, source: Source) -> float:
    """When a running job is expected to end; never in the past."""
    if source == "true":
        return view.now_s + view.true_remaining_s(run)
    expected_s = run.started_s + duration_s(run, view, source)
    return expected_s if expected_s > view.now_s else view.now_s + OVERRUN_S
