"""Shortest remaining time first, knowing the true durations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.order import Placement, QueueOrder
from goodwatt.policies.quota_walk import walk
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Srtf(QueueOrder):
    """Shortest remaining time first by true duration, stopping running jobs for shorter ones.

    An oracle: a bound for what preemption could give. Source: Schrage, "A proof of the optimality of the shortest
    remaining processing time discipline", 1968; among the baselines of Tiresias (Gu et al., NSDI 2019).
    """

    name: ClassVar[str] = "srtf"
    head_only: ClassVar[bool] = False
    preemptive: ClassVar[bool] = True

    @property
    def oracle(self) -> bool:
        """Yes."""
        return True

    def decide(self, view: View, placement: Placement) -> list[Decision]:
        """Rank by what remains; among equals who runs stays."""

        def rank(run: JobRun) -> tuple[float, bool, int]:
            return view.true_remaining_s(run), not run.placement, run.sequence

        return walk(view, placement, rank)
