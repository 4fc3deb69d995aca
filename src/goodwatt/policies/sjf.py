"""Shortest job first, knowing the true durations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.order import QueueOrder
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Sjf(QueueOrder):
    """Shortest job first by true duration, without preemption; stops at the first job that does not fit.

    An oracle: a bound for what predictions could give. Source: Smith, "Various optimizers for single-stage
    production", 1956.
    """

    name: ClassVar[str] = "sjf"

    @property
    def oracle(self) -> bool:
        """Yes."""
        return True

    def queue_key(self, run: JobRun, view: View) -> float:
        """The true duration."""
        return view.true_remaining_s(run)
