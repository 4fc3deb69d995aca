"""What harvesting remembers: of services as every service policy does, and of jobs what telemetry has shown."""

from __future__ import annotations

from typing import Any, Self

from goodwatt.cluster.job import JobRequest
from goodwatt.policies.history import History
from goodwatt.policies.power_memory import PowerMemory
from goodwatt.policies.service_memory import ServiceMemory
from goodwatt.power.telemetry.counters import Counters
from goodwatt.power.telemetry.estimator import Estimator
from goodwatt.simulator.jobs.job_run import JobRun


class HarvestMemory(ServiceMemory):
    """`jobs`: demands of jobs that were seen alone on their GPUs; learnt with other policies that learn the same.

    `guests`: jobs that were placed beside instances, and when.
    """

    def __init__(self) -> None:
        super().__init__()
        self.jobs = PowerMemory()
        self.guests: dict[str, float] = {}

    @property
    def demands(self) -> Estimator:
        """For who learns along."""
        return self.jobs.demands

    @property
    def durations(self) -> History:
        """For who learns along."""
        return self.jobs.durations

    def learn_with(self, other: PowerMemory) -> None:
        """Know what `other` does from now on."""
        self.jobs.learn_with(other)

    def job_observed(self, run: JobRun, kind: str, seen: Counters, now_s: float) -> None:
        """Learn from the sensors of a job."""
        self.jobs.job_observed(run, kind, seen, now_s)

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Its likenesses remember the rest."""
        self.jobs.job_ended(job, ran_s, now_s)
        self.guests.pop(job.job_id, None)

    def copy(self) -> Self:
        """An independent copy."""
        twin = super().copy()
        twin.jobs, twin.guests = self.jobs.copy(), dict(self.guests)
        return twin

    def to_plain(self) -> Any:
        """Services, jobs, guests."""
        return [super().to_plain(), self.jobs.to_plain(), list(self.guests.items())]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave."""
        super().load_plain(plain[0])
        self.jobs.load_plain(plain[1])
        self.guests = dict(plain[2])
