"""Clocks that follow the load of services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.service_clocks import clock_changes
from goodwatt.policies.service_memory import ServiceMemory
from goodwatt.policies.service_scaling import moments
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Follow:
    """Gives each service the slowest clock at which its instances keep the promise with a `margin` at their load.

    There is room for a load a share `spare` above that of the last minute or the last 20 s. A clock that was needed
    stays for `hold_s`. When a measured p99 has eaten into the margin, too many requests wait, or the guardrail of the
    promise acts, clocks go to the greatest at once, and less is expected of slow ones from then on, more again while
    latencies stay well below. All instances of a role have one clock. The number of instances is for another policy:
    `predictive+follow`; alone, `fixed` goes before it.
    Source of the idea: throttLL'eM (Kakolyris et al., HPCA 2025), DynamoLLM (Stojkovic et al., HPCA 2025).
    """

    name: ClassVar[str] = "follow"
    sizes: ClassVar[bool] = False

    margin: float = 0.2
    spare: float = 0.1
    hold_s: float = 60.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.margin < 1.0 and self.spare >= 0.0 and self.hold_s >= 0.0):
            raise ValueError("expected margin from 0 to below 1, spare and hold_s of at least 0")

    def new_memory(self) -> ServiceMemory:
        """Load, lengths of requests, clocks that were needed."""
        return ServiceMemory()

    def decide(self, view: View) -> Sequence[Decision]:
        """Clocks that change."""
        decisions: list[Decision] = []
        for moment in moments(view):
            for role in moment.serving.service.pools:
                decisions += clock_changes(moment, role, self.margin, self.spare, self.hold_s)
        return decisions
