"""A job while it waits or runs: remaining work and a rate that is constant between changes.

Progress is settled lazily: `settle(now)` moves what the rate has done since the last time out of what remains.
Overhead (restarting after a preemption) is paid first, at rate 1, and is no work.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from goodwatt.cluster.job import WHOLE_GPU_MILLI, Job, JobRequest
from goodwatt.cluster.state import Placement
from goodwatt.simulator.checkpointing import lost_work_s
from goodwatt.simulator.lost_time import NONE, STOPPED, LostTime, Slowdowns

EXCLUSIVE = "exclusive"


class JobRun:
    """One live job. Policies read it; only the simulation writes it.

    `spec`: what a scheduler knows of the job, and what it holds if that is something else (a MIG instance, another
    size). `submit_s`, `gpus`: the job's. `serving`: GPUs it holds now. `start_s`: first start, None before.
    `started_s`: last start. `sequence` counts what last happened to it, entering the queue or starting, among all jobs.
    `attained_gpu_s` and `preemptions` so far, as of `since_s`.
    `clock_mhz`, `cap_w`: what is set on its GPUs, None for the default. `sharing`: how it shares them with others
    (exclusive, timeslice, mps, mig), `thread_percent` of the SMs at most under mps. `alone`: its memory did not fit
    beside others, so it shares no more. `command`: the timer of a setting that has been asked for and has not settled
    yet, `fault`: that of its next fatal fault; 0 if there is none. `due_s`: when it has waited, or had, as long as a
    guardrail allows; infinity if none does.
    `rate` is `pace`, what the physics says, less the checkpoints (one of `write_s` after every `interval_s` of work)
    and its stragglers, which make it `straggle` times slower. `slow` says what makes it slow, `lost` where its time
    went, `lost_j` the energy of work that was lost. `failures`: how often one stopped it.
    """

    __slots__ = (
        "_end_s",
        "_job",
        "_lag_s",
        "_overhead_s",
        "_remaining_s",
        "_saved_s",
        "alone",
        "attained_gpu_s",
        "cap_w",
        "clock_mhz",
        "command",
        "due_s",
        "energy_j",
        "failures",
        "fault",
        "gpus",
        "index",
        "interval_s",
        "key",
        "lost",
        "lost_gpu_s",
        "lost_j",
        "pace",
        "placement",
        "power_w",
        "preemptions",
        "rate",
        "sequence",
        "serving",
        "sharing",
        "since_s",
        "slow",
        "spec",
        "start_s",
        "started_s",
        "straggle",
        "submit_s",
        "thread_percent",
        "version",
        "why",
        "work_gpu_s",
        "write_s",
    )

    def __init__(self, job: Job, index: int) -> None:
        self.spec: JobRequest = job
        self.index = index
        self.submit_s = job.submit_s
        self.gpus = job.gpus
        self.serving = 0.0
        self._job = job
        self._remaining_s = job.duration_s
        self._overhead_s = self._lag_s = self._saved_s = 0.0
        self.rate = self.pace = self.straggle = 1.0
        self.interval_s = self.write_s = 0.0
        self.slow = NONE
        self.lost = LostTime()
        self.version = 0
        self.sequence = 0
        self.key: Any = None
        self.placement: Placement = ()
        self.power_w: float | None = 0.0
        self.clock_mhz: float | None = None
        self.cap_w: float | None = None
        self.command = self.fault = 0
        self.why = ""
        self.alone = False
        self.sharing = EXCLUSIVE
        self.thread_percent = 100.0
        self.start_s: float | None = None
        self.started_s = self._end_s = 0.0
        self.due_s = math.inf
        self.since_s = job.submit_s
        self.attained_gpu_s = self.work_gpu_s = self.lost_gpu_s = 0.0
        self.energy_j: float | None = 0.0
        self.lost_j = 0.0
        self.preemptions = self.failures = 0

    @property
    def base(self) -> JobRequest:
        """What it asks for while it waits: its request, of whole GPUs once it has found no memory beside others."""
        job = self._job
        if self.alone and job.gpu_milli < WHOLE_GPU_MILLI and job.mig_profile is None:
            return replace(job, gpu_milli=WHOLE_GPU_MILLI)
        return job

    @property
    def asked(self) -> int:
        """GPUs for which its duration holds."""
        return self._job.num_gpus

    @property
    def resized(self) -> bool:
        """Whether it runs on another number of GPUs than it asked for, at which its duration holds."""
        return self.spec.num_gpus != self._job.num_gpus

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
        if not self.placement:
            self.lost.queued(elapsed)
            self.since_s = now_s
            return
        overhead = min(elapsed, self._overhead_s)
        if overhead:
            self.lost.restarted(overhead)
        if self.rate:
            self.lost.ran(elapsed - overhead, self.slow)
        else:
            self.lost.restarted(elapsed - overhead)
        progress = min((elapsed - overhead) * self.rate, self._remaining_s)
        if progress == self._remaining_s and self.rate:
            self._lag_s = max(self._lag_s - (elapsed - overhead - progress / self.rate), 0.0)
        self._overhead_s -= overhead
        self._remaining_s -= progress
        self.work_gpu_s += progress * self.gpus
        self.attained_gpu_s += elapsed * self.serving
        if self.energy_j is not None:
            self.energy_j = None if self.power_w is None else self.energy_j + self.power_w * elapsed
        self.since_s = now_s

    def begin(self, now_s: float, lag_s: float) -> None:
        """It starts, again or for the first time; it will hold its GPUs for `lag_s` after its work is done.

        Its rate is 0 until the physics says at which it goes.
        """
        self.lost.queued(now_s - self.since_s)
        self.since_s = now_s
        self._lag_s = lag_s
        self.hold(now_s)
        if self.start_s is None:
            self.start_s = now_s

    def hold(self, now_s: float) -> None:
        """It has got GPUs, other than before if it ran already; settled."""
        self.rate, self._end_s = 0.0, math.inf
        self.started_s = now_s
        self.why = ""
        self.serving = self.spec.gpus

    def wait(self, seconds: float) -> None:
        """It holds its GPUs for so long before it works on."""
        self._overhead_s += seconds

    def finish_time(self, now_s: float) -> float:
        """When it ends at the present rate, if settled at `now_s`; never while it is being launched."""
        if not self.rate:
            return math.inf
        return now_s + self._overhead_s + self._remaining_s / self.rate + self._lag_s

    def go(self, pace: float, slow: tuple[float, ...]) -> bool:
        """It goes on at what the physics says, settled before; whether its rate is another now.

        `slow`: how many times longer clocks, neighbours and the network make it take.
        """
        self.pace = pace
        saving = 1.0 + self.write_s / self.interval_s if self.interval_s > 0.0 else 1.0
        rate = pace / (saving * self.straggle)
        clock, neighbours, network = slow or (1.0, 1.0, 1.0)
        slower = Slowdowns(saving, clock, neighbours, network, self.straggle)
        self.slow = NONE if slower == NONE else slower
        changed, self.rate = rate != self.rate, rate
        return changed

    def lose(self, overhead_s: float, failed: bool = False) -> None:
        """Stop: work since the last checkpoint has to be done again, and starting again takes `overhead_s`.

        Without checkpoints a stop in an orderly way saves everything, and a failure loses all since the last one.
        """
        done = self._job.duration_s - self._remaining_s
        lost = 0.0
        if failed or self.interval_s > 0.0:
            lost = lost_work_s(done, self.interval_s, self._saved_s)
        if lost > 0.0:
            share = lost / done
            if self.energy_j is not None:
                self.lost_j += (self.energy_j - self.lost_j) * share
            self.lost.redo(self.lost.productive_s * share)
        self._remaining_s += lost
        self.work_gpu_s -= lost * self.gpus
        self.lost_gpu_s += lost * self.gpus
        self._saved_s = done - lost
        self._overhead_s += overhead_s

    def finish(self) -> None:
        """All of it is done: the work is the duration exactly, whatever rounding did on the way."""
        self._remaining_s = 0.0
        self.work_gpu_s = self._job.duration_s * self.gpus

    @property
    def ran_s(self) -> float:
        """Seconds that it has run, restarts, checkpoints and work done again left out: what anybody can observe."""
        parts = self.lost.parts
        return self.lost.wall_s - math.fsum(parts[name] for name in STOPPED)

    @property
    def _duration_s(self) -> float:
        """The true duration: for the simulation, once the job has ended."""
        return self._job.duration_s

    def copy(self) -> JobRun:
        """An independent copy; the job itself is a fact and shared."""
        twin = object.__new__(JobRun)
        for name in JobRun.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.lost = self.lost.copy()
        return twin
