"""One clock per job: the one of least energy within an allowed slowdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.job_clocks import JobClocks
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Static(JobClocks):
    """Each job at the clock of least energy that is expected to make it at most `slowdown` slower, by its telemetry.

    One job in three ends up above it, one in twenty by two fifths of it or more; `caution` takes kappa so many standard
    deviations above what is believed, and 1.3 keeps nine jobs in ten within, for a sixth of what is saved. Unknown jobs
    run at the default clock for a minute and get theirs then; recurring ones (user and name) start at it. Energy counts
    the GPU and `host_share` of its part of an idle host. Source: You et al., "Zeus: Understanding and Optimizing GPU
    Energy Consumption of DNN Training", NSDI 2023, whose profiler tries caps where this one asks a model.
    """

    name: ClassVar[str] = "static"

    slowdown: float = 0.05

    def __post_init__(self) -> None:
        if not self.slowdown >= 0:
            raise ValueError(f"expected a slowdown of at least 0, got {self.slowdown:g}")

    def allowed(self, run: JobRun, view: View) -> float:  # noqa: ARG002 - the contract
        """The same for every job."""
        return self.slowdown
