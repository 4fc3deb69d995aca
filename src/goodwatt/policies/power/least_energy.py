"""Clocks that spend the slack of each job."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.job_clocks import JobClocks
from goodwatt.policies.power_memory import power_memory
from goodwatt.simulator.decisions import Decision, WaitUntil
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View

LEAST_LEFT_S = 60.0
"""A job that has outlived its prediction is expected to need so much more."""


@dataclass(frozen=True, slots=True)
class LeastEnergy(JobClocks):
    """Each job at the clock of least energy with which it still ends in time.

    In time is before its deadline, by the duration predicted from jobs like it, of whose slack `margin` is kept;
    without a deadline, within `stretch` of the time it would take. Clocks of jobs with a deadline are looked at again
    every `review_s`. Source: Chau et al., "Energy Efficient Job Scheduling with DVFS for CPU-GPU Heterogeneous
    Systems", e-Energy 2017, with estimates in place of the true demand and duration.
    """

    name: ClassVar[str] = "least-energy"

    stretch: float = 1.2
    margin: float = 0.3
    review_s: float = 900.0

    def __post_init__(self) -> None:
        if not (self.stretch >= 1 and 0 <= self.margin < 1 and self.review_s > 0):
            raise ValueError("expected stretch of at least 1, margin from 0 to below 1, review_s above 0")

    def allowed(self, run: JobRun, view: View) -> float:
        """Slack of the job relative to what it still needs."""
        if run.spec.deadline_s is None:
            return self.stretch - 1.0
        needed_s = power_memory(view).durations.predict_s(run.spec, view.now_s)
        left_s = max(needed_s - run.attained(view.now_s) / run.gpus, LEAST_LEFT_S)
        return max(0.0, (run.spec.deadline_s - view.now_s) / left_s - 1.0) * (1.0 - self.margin)

    def decide(self, view: View) -> Sequence[Decision]:
        """Clocks of jobs just observed, and of jobs with a deadline whose slack is to be looked at again."""
        memory, now_s, decisions = power_memory(view), view.now_s, list[Decision]()
        fresh = [run for run, _ in memory.take_fresh(view)]
        due = [view.run(job_id) for job_id, time_s in memory.times_s.items() if time_s <= now_s]
        for run in dict.fromkeys((*fresh, *due)):
            if (known := memory.believed(run, view)) is not None:
                decisions += self.adjusted(run, known, view)
            if run.spec.deadline_s is not None:
                memory.times_s[run.spec.job_id] = now_s + self.review_s
        again_s = min(memory.times_s.values(), default=math.inf)
        return decisions if again_s == math.inf else [*decisions, WaitUntil(again_s, "slack of jobs with a deadline")]
