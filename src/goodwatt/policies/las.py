"""Least attained service, without classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.order import Placement, QueueOrder
from goodwatt.policies.quota_walk import walk
from goodwatt.simulator.decisions import Decision, WaitUntil
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Las(QueueOrder):
    """Whoever has had the fewest GPU-seconds runs next; ranks are looked at every `period_s`.

    Without classes jobs of equal service take turns, which costs restarts: `tiresias` is the cure. Where a stop loses
    work since the last checkpoint they may do so for ever; the guardrail `min_run_s` gives each its time. Source:
    Nuyens and Wierman, "The foreground-background queue: a survey", 2008; the continuous two-dimensional LAS in Gu et
    al., 2019.
    """

    name: ClassVar[str] = "las"
    head_only: ClassVar[bool] = False
    preemptive: ClassVar[bool] = True

    period_s: float = 600.0

    def __post_init__(self) -> None:
        if self.period_s <= 0:
            raise ValueError(f"expected period_s above 0, got {self.period_s:g}")

    def decide(self, view: View, placement: Placement) -> list[Decision]:
        """Rank by service so far, among equals who runs stays; ask again after a period while anybody waits."""
        now = view.now_s
        decisions = walk(view, placement, lambda runs: sorted(runs, key=lambda run: run.attained(now)))
        if any(pool.queue and (pool.running or decisions) for pool in view.pools):
            decisions.append(WaitUntil(now + self.period_s, "service has been used since"))
        return decisions
