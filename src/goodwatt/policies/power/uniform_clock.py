"""One clock for every GPU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from goodwatt.policies.power_policy import SteadyPower
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class UniformClock(SteadyPower):
    """Every job's GPUs locked at the same share of the greatest SM clock."""

    name: ClassVar[str] = "uniform-clock"

    share: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"expected a share above 0 and up to 1, got {self.share:g}")

    def start(self, place: Place, run: JobRun, view: View) -> Place:  # noqa: ARG002 - the contract
        """With the clock of its kind."""
        kind = view.kind_at(place)
        if kind is None or kind.max_clock_mhz is None:
            return place
        return replace(place, clock_mhz=self.share * kind.max_clock_mhz)
