"""As many instances as the load of the last minute needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.service_memory import ServiceMemory
from goodwatt.policies.service_scaling import needed_now, scaled
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Reactive:
    """Keeps instances at a share `target` of what they carry within the promise, like a horizontal autoscaler.

    Load is that of the last minute, or the requests under way where they ask for more. One instance more starts while a
    p99 is above what is promised or too many requests wait; no instance drains before fewer were enough for `down_s`
    (the stabilisation window of the Kubernetes HorizontalPodAutoscaler, 300 s). Pools for prompts and for decoding are
    sized each by itself. Until requests have told how long they are, all that are allowed run.
    """

    name: ClassVar[str] = "reactive"

    target: float = 0.7
    down_s: float = 300.0

    def __post_init__(self) -> None:
        if not (0.0 < self.target <= 1.0 and self.down_s >= 0.0):
            raise ValueError("expected target above 0 and up to 1, down_s of at least 0")

    def new_memory(self) -> ServiceMemory:
        """Load and lengths of requests."""
        return ServiceMemory()

    def decide(self, view: View) -> Sequence[Decision]:
        """Who starts and who drains."""
        return scaled(view, lambda moment, role: needed_now(moment, role, self.target), self.down_s, "by load")
