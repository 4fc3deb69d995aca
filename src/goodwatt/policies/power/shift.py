"""Jobs that can wait run when energy is cheap or clean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from sortedcontainers import SortedList

from goodwatt.cluster.job import JobRequest
from goodwatt.policies.cheap_hours import latest_start_s, series_of, worthwhile_start_s
from goodwatt.policies.power_memory import PowerMemory
from goodwatt.policies.power_policy import SteadyPower
from goodwatt.power.facility.energy_price import StepSeries
from goodwatt.simulator.decisions import Decision, Hold, WaitUntil
from goodwatt.simulator.held import Held
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


class ShiftMemory(PowerMemory):
    """Durations, and when jobs are to start (`times_s`).

    `later`: those whose time has not come, with that time, `soonest` by it; `news`: of them, who has not been told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.later: dict[str, float] = {}
        self.soonest: SortedList[tuple[float, str]] = SortedList()
        self.news: list[str] = []

    def settle(self, job_id: str, time_s: float, now_s: float) -> None:
        """A job is to start at this time."""
        self.times_s[job_id] = time_s
        if time_s > now_s:
            self.later[job_id] = time_s
            self.soonest.add((time_s, job_id))
            self.news.append(job_id)

    def pass_on(self, now_s: float) -> None:
        """The time of some may have come."""
        while self.soonest and self.soonest[0][0] <= now_s:
            del self.later[self.soonest.pop(0)[1]]

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Nobody waits for its time any more."""
        super().job_ended(job, ran_s, now_s)
        if (time_s := self.later.pop(job.job_id, None)) is not None:
            self.soonest.remove((time_s, job.job_id))

    def copy(self) -> Self:
        """An independent copy."""
        twin = super().copy()
        twin.later, twin.soonest, twin.news = dict(self.later), self.soonest.copy(), self.news[:]
        return twin

    def to_plain(self) -> Any:
        """Its parts."""
        return [super().to_plain(), list(self.later.items()), self.news]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave."""
        super().load_plain(plain[0])
        self.later, self.news = dict(plain[1]), list(plain[2])
        self.soonest = SortedList((time_s, job_id) for job_id, time_s in self.later.items())


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

    def new_memory(self) -> ShiftMemory:
        """Durations, and when each waiting job is to start."""
        return ShiftMemory()

    def holds(self, view: View) -> Held:
        """Jobs whose time has not come."""
        series, memory = series_of(view, self.by), _memory(view)
        if series is None:
            return frozenset()
        memory.pass_on(view.now_s)
        known = memory.times_s
        for run in [run for pool in view.pools for _, _, run in pool.queue if run.spec.job_id not in known]:
            memory.settle(run.spec.job_id, self._start_s(run, series, view), view.now_s)
        return memory.later.keys()

    def decide(self, view: View) -> Sequence[Decision]:
        """Say of each job once for what it waits; ask again when the time of the next one comes."""
        memory = _memory(view)
        news, memory.news = memory.news, []
        if not memory.soonest:
            return []
        kinder = "cheaper" if self.by == "price" else "cleaner"
        holds = [Hold(job_id, f"{kinder} energy from {memory.later[job_id]:,.0f} s on") for job_id in news]
        return [*holds, WaitUntil(memory.soonest[0][0], f"{kinder} energy for a job that can wait")]

    def _start_s(self, run: JobRun, series: StepSeries, view: View) -> float:
        """When a job that is first seen waiting is to start; at once if it has run before."""
        if run.start_s is not None:
            return view.now_s
        job = run.spec
        lasts_s = _memory(view).durations.predict_s(job, view.now_s)
        latest_s = latest_start_s(job, lasts_s * self.margin, self.max_delay_s)
        return worthwhile_start_s(series, lasts_s, view.now_s, latest_s, self.saving)


def _memory(view: View) -> ShiftMemory:
    assert isinstance(view.memory, ShiftMemory)  # noqa: S101 - new_memory above made it
    return view.memory
