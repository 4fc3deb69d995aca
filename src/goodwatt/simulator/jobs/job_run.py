"""A job while it waits or runs, as a policy may see it.

What it asks for, where it runs, how that is set, what it has had: all that a cluster knows. How much of its work is
left, how fast it goes, what it is and what it draws is `progress`, which policies get nowhere: they have telemetry and
history.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from goodwatt.cluster.job import WHOLE_GPU_MILLI, Job, JobRequest
from goodwatt.cluster.state import Placement
from goodwatt.simulator.jobs.progress import Progress

EXCLUSIVE = "exclusive"


class JobRun:
    """One live job. Policies read it; only the simulation writes it.

    `spec`: what it asks for, and what it holds if that is something else (a MIG instance, another size). `submit_s`,
    `gpus`: the job's. `serving`: GPUs it holds now. `start_s`: first start, None before. `started_s`: last start.
    `sequence` counts what last happened to it, entering the queue or starting, among all jobs. `attained_gpu_s`,
    `preemptions` and `failures`, how often one stopped it, so far, as of `since_s`. `clock_mhz`, `cap_w`: what is
    set on its GPUs, None for the default. `sharing`: how it shares them with others (exclusive, timeslice, mps,
    mig), `thread_percent` of the SMs at most under mps. `alone`: its memory did not fit beside others, so it shares
    no more. `waits_for`: what last kept it waiting where there were GPUs for it. `command`: the timer of a setting
    that has been asked for and has not settled yet, 0 if there is none.
    """

    __slots__ = (
        "_request",
        "_truth",
        "alone",
        "attained_gpu_s",
        "cap_w",
        "clock_mhz",
        "command",
        "failures",
        "gpus",
        "index",
        "key",
        "placement",
        "preemptions",
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
        "waits_for",
        "why",
    )

    def __init__(self, job: Job, index: int, request: JobRequest | None = None) -> None:
        """`request`: what is known of the job, where that is less than what the job itself says."""
        self._truth = Progress(job)
        self.spec = self._request = request or job.request
        self.index = index
        self.submit_s = job.submit_s
        self.gpus = job.gpus
        self.serving = 0.0
        self.version = 0
        self.sequence = 0
        self.key: Any = None
        self.placement: Placement = ()
        self.clock_mhz: float | None = None
        self.cap_w: float | None = None
        self.command = 0
        self.why = self.waits_for = ""
        self.alone = False
        self.sharing = EXCLUSIVE
        self.thread_percent = 100.0
        self.start_s: float | None = None
        self.started_s = 0.0
        self.since_s = job.submit_s
        self.attained_gpu_s = 0.0
        self.preemptions = self.failures = 0

    @property
    def base(self) -> JobRequest:
        """What it asks for while it waits: its request, of whole GPUs once it has found no memory beside others."""
        job = self._request
        if self.alone and job.gpu_milli < WHOLE_GPU_MILLI and job.mig_profile is None:
            return replace(job, gpu_milli=WHOLE_GPU_MILLI)
        return job

    @property
    def asked(self) -> int:
        """GPUs for which its duration holds."""
        return self._request.num_gpus

    @property
    def resized(self) -> bool:
        """Whether it runs on another number of GPUs than it asked for, at which its duration holds."""
        return self.spec.num_gpus != self._request.num_gpus

    @property
    def running(self) -> bool:
        """Whether it holds GPUs now."""
        return bool(self.placement)

    @property
    def waited_enough(self) -> bool:
        """Whether it had waited as long as a guardrail allows when it last started: then nobody makes it wait again."""
        return self._truth.due_s <= self.started_s

    def attained(self, now_s: float) -> float:
        """GPU-seconds of service until now, overheads included."""
        return self.attained_gpu_s + (now_s - self.since_s) * self.serving

    def settle(self, now_s: float) -> None:
        """Account for the time since the last change."""
        elapsed = now_s - self.since_s
        if elapsed <= 0.0:
            return
        if self.placement:
            self._truth.settle(elapsed, self.serving)
            self.attained_gpu_s += elapsed * self.serving
        else:
            self._truth.lost.queued(elapsed)
        self.since_s = now_s

    def draws(self, now_s: float, power_w: float) -> None:
        """It draws something else from now on, at the same pace: the rest is settled when that changes."""
        self._truth.draws(now_s - self.since_s, power_w)

    def begin(self, now_s: float, lag_s: float) -> None:
        """It starts, again or for the first time; it will hold its GPUs for `lag_s` after its work is done.

        Its rate is 0 until the physics says at which it goes.
        """
        self._truth.lost.queued(now_s - self.since_s)
        self._truth.lag_s = lag_s
        self.since_s = now_s
        self.hold(now_s)
        if self.start_s is None:
            self.start_s = now_s

    def hold(self, now_s: float) -> None:
        """It has got GPUs, other than before if it ran already; settled."""
        self._truth.rate, self._truth.end_s = 0.0, math.inf
        self.version += 1
        self.started_s = now_s
        self.why = ""
        self.serving = self.spec.gpus

    def copy(self) -> JobRun:
        """An independent copy."""
        twin = object.__new__(JobRun)
        for name in JobRun.__slots__:
            setattr(twin, name, getattr(self, name))
        twin._truth = self._truth.copy()
        return twin
