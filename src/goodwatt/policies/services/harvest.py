"""Batch jobs beside instances that have little to do; they leave when the load returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.harvesting import beside, fitting
from goodwatt.policies.service_policy import SteadyServices
from goodwatt.simulator.decisions import Decision, Place, Preempt
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Harvest(SteadyServices):
    """Places waiting jobs under MPS, with at most `threads` per cent of the SMs, beside instances that were busy for
    less than `below` of the time, and stops them when that is more than `above` or the service's promise is at risk.

    A job goes beside an instance that holds as many GPUs as it asks for. With one-sided limits an H200 slows a batch of
    64 that decodes by a fifth at 25% of the threads, and gives the job a third to half of its speed (h200_serving).
    """

    name: ClassVar[str] = "harvest"

    below: float = 0.5
    above: float = 0.8
    threads: float = 25.0

    def __post_init__(self) -> None:
        if not 0 <= self.below <= self.above or not 0 < self.threads <= 100:
            raise ValueError("expected 0 <= below <= above and threads above 0, up to 100")

    def decide(self, view: View) -> Sequence[Decision]:
        """Who leaves, then who comes."""
        assert view.services is not None  # noqa: S101 - it is asked where there are services
        return [decision for number in range(len(view.services.servings)) for decision in self._of(view, number)]

    def _of(self, view: View, number: int) -> Iterator[Decision]:
        assert view.services is not None  # noqa: S101 - as above
        risk, taken = view.services.at_risk(number), set[str]()
        for instance in view.services.instances(number):
            guest = beside(view, instance.run)
            if guest is not None and (risk or instance.busy > self.above or instance.state != "serving"):
                yield Preempt(guest.spec.job_id, "load has returned")
            elif guest is None and not risk and instance.state == "serving" and instance.busy < self.below:
                job = next((run for run in fitting(view, instance.run) if run.spec.job_id not in taken), None)
                if job is not None:
                    taken.add(job.spec.job_id)
                    yield Place(job.spec.job_id, (), beside=instance.job_id, sharing="mps", thread_percent=self.threads)
