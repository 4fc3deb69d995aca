"""Jobs that can wait run when energy is cheap or clean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from goodwatt.policies.cheap_hours import latest_start_s, series_of, worthwhile_start_s
from goodwatt.policies.power_memory import PowerMemory, power_memory
from goodwatt.policies.power_policy import SteadyPower
from goodwatt.power.facility.energy_price import StepSeries
from goodwatt.simulator.decisions import Decision, Hold, WaitUntil
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Shift(SteadyPower):
    """Holds a job back until the time at which its energy costs the least (`by=price`) or emits the least (`carbon`).

    A job may wait while `margin` times its predicted duration still fits before its deadline; without one, up to
    `max_delay_s` after its submission. Less than `saving` of the cost is not worth waiting for. Source: Wiesner et al.,
    "Let's Wait Awhile", Middleware 2021.
    """

    name: ClassVar[str] = "shift"
    restless: ClassVar[bool] = True

    by: Literal["price", "carbon"] = "price"
    max_delay_s: float = 0.0
    margin: float = 1.3
    saving: float = 0.05

    def __post_init__(self) -> None:
        if not (self.max_delay_s >= 0 and self.margin >= 1 and 0 <= self.saving < 1):
            raise ValueError("expected max_delay_s of at least 0, margin of at least 1, saving from 0 to below 1")

    def new_memory(self) -> PowerMemory:
        """Durations, and when each waiting job is to start."""
        return PowerMemory()

    def holds(self, view: View) -> frozenset[str]:
        """Waiting jobs whose time has not come."""
        series = series_of(view, self.by)
        if series is None:
            return frozenset()
        waiting = (run for pool in view.pools for _, _, run in pool.queue)
        return frozenset(run.spec.job_id for run in waiting if self._start_s(run, series, view) > view.now_s)

    def decide(self, view: View) -> Sequence[Decision]:
        """Ask again when the time of the next one comes."""
        later = {job_id: time_s for job_id, time_s in power_memory(view).times_s.items() if time_s > view.now_s}
        if not later:
            return []
        kinder = "cheaper" if self.by == "price" else "cleaner"
        holds = [
            Hold(job_id, why)
            for job_id, time_s in later.items()
            if (run := view.waiting(job_id)) and run.waits_for != (why := f"{kinder} energy from {time_s:,.0f} s on")
        ]
        return [*holds, WaitUntil(min(later.values()), f"{kinder} energy for a job that can wait")]

    def _start_s(self, run: JobRun, series: StepSeries, view: View) -> float:
        """When a waiting job is to start; settled when it is first seen waiting, at once if it has run before."""
        memory, job = power_memory(view), run.spec
        if job.job_id not in memory.times_s:
            lasts_s = memory.durations.predict_s(job, view.now_s)
            latest_s = latest_start_s(job, lasts_s * self.margin, self.max_delay_s)
            best_s = worthwhile_start_s(series, lasts_s, view.now_s, latest_s, self.saving)
            memory.times_s[job.job_id] = best_s if run.start_s is None else view.now_s
        return memory.times_s[job.job_id]
