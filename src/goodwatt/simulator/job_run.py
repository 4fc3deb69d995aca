"""A job while it waits or runs: remaining work and a rate that is constant between changes.

Progress is settled lazily: `settle(now)` moves what the rate has done since the last time out of what remains.
Overhead (restarting after a preemption) is paid first, at rate 1, and is no work.
"""

from __future__ import annotations

import math
from typing import Any

from goodwatt.cluster.job import Job, JobRequest
from goodwatt.cluster.state import Placement

EXCLUSIVE = "exclusive"
ROUNDING = 1e-9
"""A job that is short of a checkpoint by so small a part of the interval has reached it."""


class JobRun:
    """One live job. Policies read it; only the simulation writes it.

    `spec`: what a scheduler knows of the job. `submit_s`, `gpus`: the job's. `serving`: GPUs it holds now. `start_s`:
    first start, None before. `started_s`: last start. `sequence` counts what last happened to it, entering the queue
    or starting, among all jobs. `attained_gpu_s` and `preemptions` so far, as of `since_s`.
    `clock_mhz`, `cap_w`: what is set on its GPUs, None for the default. `sharing`: how it shares them with others
    (exclusive, timeslice, mps), `thread_percent` of the SMs at most under mps. `command`: the timer of a setting
    that has been asked for and has not settled yet, 0 if there is none.
    """

    __slots__ = (
        "_end_s",
        "_job",
        "_lag_s",
        "_overhead_s",
        "_remaining_s",
        "attained_gpu_s",
        "cap_w",
        "clock_mhz",
        "command",
        "energy_j",
        "gpus",
        "index",
        "key",
        "lost_gpu_s",
        "placement",
        "power_w",
        "preemptions",
        "rate",
        "sequence",
        "serving",
        "sharing",
        "since_s",
        "spec",
        "start_s",
        "started_s",
        "submit_s",
        "thread_percent",
        "version",
        "work_gpu_s",
    )

    def __init__(self, job: Job, index: int) -> None:
        self.spec: JobRequest = job
        self.index = index
        self.submit_s = job.submit_s
        self.gpus = job.gpus
        self.serving = 0.0
        self._job = job
        self._remaining_s = job.duration_s
        self._overhead_s = self._lag_s = 0.0
        self.rate = 1.0
        self.version = 0
        self.sequence = 0
        self.key: Any = None
        self.placement: Placement = ()
        self.power_w: float | None = 0.0
        self.clock_mhz: float | None = None
        self.cap_w: float | None = None
        self.command = 0
        self.sharing = EXCLUSIVE
        self.thread_percent = 100.0
        self.start_s: float | None = None
        self.started_s = self.since_s = self._end_s = 0.0
        self.attained_gpu_s = self.work_gpu_s = self.lost_gpu_s = 0.0
        self.energy_j: float | None = 0.0
        self.preemptions = 0

    @property
    def running(self) -> bool:
        """Whether it holds GPUs now."""
        return bool(self.placement)

    def attained(self, now_s: float) -> float:
        """GPU-seconds of service until now, overheads included."""
        return self.attained_gpu_s + (now_s - self.since_s) * self.serving

    def settle(self, now_s: float) -> None:
        """Account for the time since the last change."""
        elapsed = now_s - self.since_s
        if elapsed <= 0.0:
            return
        overhead = min(elapsed, self._overhead_s)
        progress = min((elapsed - overhead) * self.rate, self._remaining_s)
        if progress == self._remaining_s:
            self._lag_s = max(self._lag_s - (elapsed - overhead - progress / self.rate), 0.0)
        self._overhead_s -= overhead
        self._remaining_s -= progress
        self.work_gpu_s += progress * self.gpus
        self.attained_gpu_s += elapsed * self.gpus
        if self.energy_j is not None:
            self.energy_j = None if self.power_w is None else self.energy_j + self.power_w * elapsed
        self.since_s = now_s

    def begin(self, now_s: float, lag_s: float) -> None:
        """It starts, again or for the first time; it will hold its GPUs for `lag_s` after its work is done.

        Its rate is 0 until the physics says at which it goes.
        """
        self.rate = 0.0
        self.started_s = self.since_s = now_s
        self._lag_s = lag_s
        self.serving = self.gpus
        if self.start_s is None:
            self.start_s = now_s

    def finish_time(self, now_s: float) -> float:
        """When it ends at the present rate, if settled at `now_s`."""
        return now_s + self._overhead_s + self._remaining_s / self.rate + self._lag_s

    def lose(self, interval_s: float, overhead_s: float) -> None:
        """Stop: work since the last checkpoint (every `interval_s` of it; 0: none is lost) has to be done again."""
        done = self._job.duration_s - self._remaining_s
        kept = math.floor(done / interval_s + ROUNDING) * interval_s if interval_s > 0 else done
        lost = max(done - kept, 0.0)
        self._remaining_s += lost
        self.work_gpu_s -= lost * self.gpus
        self.lost_gpu_s += lost * self.gpus
        self._overhead_s += overhead_s

    def finish(self) -> None:
        """All of it is done: the work is the duration exactly, whatever rounding did on the way."""
        self._remaining_s = 0.0
        self.work_gpu_s = self._job.duration_s * self.gpus

    @property
    def _duration_s(self) -> float:
        """The true duration: for the simulation, once the job has ended."""
        return self._job.duration_s

    def copy(self) -> JobRun:
        """An independent copy; the job itself is a fact and shared."""
        twin = object.__new__(JobRun)
        for name in JobRun.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin
