"""What power policies and learning placements remember: demands, how long jobs run, and whose telemetry is new."""

from __future__ import annotations

from typing import Any, Self

from goodwatt.cluster.job import JobRequest
from goodwatt.policies.history import History
from goodwatt.power.telemetry.counters import Counters
from goodwatt.power.telemetry.estimator import Estimate, Estimator
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View

OBSERVE_S = 60.0
"""Telemetry of a job is looked at so long after it started or got another clock: past start-up, soon enough to use."""


class PowerMemory:
    """`demands` by job and likeness, `durations` of ended jobs, `times_s` by job that a policy sets for itself."""

    def __init__(self) -> None:
        self.demands = Estimator()
        self.durations = History()
        self.times_s: dict[str, float] = {}
        self._fresh: dict[str, None] = {}
        self._learns = True

    def learn_with(self, other: PowerMemory) -> None:
        """Know what `other` does from now on; it is always told first, and learns for both."""
        self.demands, self.durations, self._learns = other.demands, other.durations, False

    def job_observed(self, run: JobRun, kind: str, seen: Counters, now_s: float) -> None:  # noqa: ARG002 - the contract
        """Learn from the sensors of a job."""
        if self._learns:
            self.demands.observe(run.spec, kind, seen)
        self._fresh[run.spec.job_id] = None

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Learn how long it ran; its likenesses remember the rest."""
        if self._learns:
            self.durations.job_ended(job, ran_s, now_s)
            self.demands.forget(job.job_id)
        self.times_s.pop(job.job_id, None)
        self._fresh.pop(job.job_id, None)

    def believed(self, run: JobRun, view: View) -> Estimate | None:
        """What is believed of a running job on the GPUs that it holds; None if it holds none or nothing is known."""
        kind = view.kind_of(run.placement)
        return None if kind is None else self.demands.estimate(run.spec, kind.name)

    def take_fresh(self, view: View) -> list[tuple[JobRun, Estimate]]:
        """Running jobs that have been observed since the last time this was asked, and what is believed of them."""
        fresh, self._fresh = self._fresh, {}
        runs = [view.run(job_id) for job_id in fresh]
        return [(run, estimate) for run in runs if (estimate := self.believed(run, view)) is not None]

    def copy(self) -> Self:
        """An independent copy, without what is learnt with another: `Memories` copies that once and joins them anew."""
        twin = type(self)()
        if self._learns:
            twin.demands, twin.durations = self.demands.copy(), self.durations.copy()
        twin.times_s, twin._fresh = dict(self.times_s), dict(self._fresh)
        return twin

    def to_plain(self) -> Any:
        """Its parts."""
        return [self.demands.to_plain(), self.durations.to_plain(), list(self.times_s.items()), list(self._fresh)]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave."""
        self.demands.load_plain(plain[0])
        self.durations.load_plain(plain[1])
        self.times_s = dict(plain[2])
        self._fresh = dict.fromkeys(plain[3])


def power_memory(view: View) -> PowerMemory:
    """The memory of the policy that is asked, which this module's class is."""
    assert isinstance(view.memory, PowerMemory)  # noqa: S101 - its new_memory made it
    return view.memory
