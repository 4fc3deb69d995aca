"""Tiresias: least attained service in two queues, with preemption."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.order import Placement, QueueOrder
from goodwatt.policies.quota_walk import walk
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.job_run import JobRun
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

    def decide(self, view: View, placement: Placement) -> list[Decision]:
        """Rank by (served more than the threshold, submission) and walk the ranks; among equals who runs stays."""
        now, limit = view.now_s, self.threshold_gpu_s

        def rank(run: JobRun) -> tuple[bool, float, bool, int]:
            return run.attained(now) > limit, run.spec.submit_s, not run.placement, run.sequence

        return walk(view, placement, rank, wake=self._next_demotion)

    def _next_demotion(self, run: JobRun, now_s: float) -> float | None:
        left = self.threshold_gpu_s - run.attained(now_s)
        return math.nextafter(now_s + left / run.gpus, math.inf) if left >= 0 else None
