"""Tiresias: least attained service in two queues, with preemption."""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import attrgetter
from typing import ClassVar

from goodwatt.policies.order import Placement, QueueOrder
from goodwatt.policies.quota_walk import contended, walk
from goodwatt.simulator.decisions import Decision, WaitUntil
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Tiresias(QueueOrder):
    """Jobs that have had at most `threshold_gpu_s` GPU-seconds of service before all others, FIFO within each.

    Running and waiting jobs are ranked together and running ones that fall behind are stopped. Source: Gu et al.,
    NSDI 2019, the discretised two-dimensional LAS with two queues, as Lucid's simulator runs it (18,000 GPU-seconds).
    """

    name: ClassVar[str] = "tiresias"
    head_only: ClassVar[bool] = False
    preemptive: ClassVar[bool] = True

    threshold_gpu_s: float = 18_000.0

    def __post_init__(self) -> None:
        if self.threshold_gpu_s < 0:
            raise ValueError(f"expected threshold_gpu_s of at least 0, got {self.threshold_gpu_s:g}")

    def decide(self, view: View, placement: Placement) -> list[Decision]:
        """Rank by (served more than the threshold, submission); among equals who runs stays."""
        now, limit = view.now_s, self.threshold_gpu_s

        def ranking(runs: list[JobRun]) -> list[JobRun]:
            runs.sort(key=attrgetter("submit_s"))
            served = [run for run in runs if run.attained_gpu_s + (now - run.since_s) * run.serving > limit]
            if not served:
                return runs
            return [r for r in runs if r.attained_gpu_s + (now - r.since_s) * r.serving <= limit] + served

        decisions = walk(view, placement, ranking)
        if (time_s := self._next_demotion(view, decisions)) < math.inf:
            decisions.append(WaitUntil(time_s, "a running job will have had more than the threshold"))
        return decisions

    def _next_demotion(self, view: View, decisions: list[Decision]) -> float:
        """The first moment at which a job that runs now or starts will have had more than the threshold."""
        limit, now = self.threshold_gpu_s, view.now_s
        times = [
            (r.since_s if r.placement else now) + (limit - r.attained_gpu_s) / r.gpus
            for r in contended(view, decisions)
            if r.gpus and r.attained_gpu_s + (now - r.since_s) * r.serving <= limit
        ]
        return math.nextafter(max(min(times, default=math.inf), now), math.inf)
