"""Shortest remaining time first, knowing the true durations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.order import Placement, QueueOrder
from goodwatt.policies.quota_walk import walk
from goodwatt.simulator.decisions import Decision
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
        return walk(view, placement, lambda runs: sorted(runs, key=view.true_remaining_s))
