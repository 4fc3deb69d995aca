"""Always the same number of instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.service_policy import SteadyServices
from goodwatt.policies.service_sizing import sized, within
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Fixed(SteadyServices):
    """Keeps `replicas` instances of each role of each service, within what the service allows; 0: as many as it may."""

    name: ClassVar[str] = "fixed"

    replicas: int = 0

    def __post_init__(self) -> None:
        if self.replicas < 0:
            raise ValueError(f"expected replicas of at least 0, got {self.replicas}")

    def decide(self, view: View) -> Sequence[Decision]:
        """Start what is missing: at the beginning, and after failures."""
        services = view.services
        assert services is not None  # noqa: S101 - it is asked where there are services
        facts = [serving.service for serving in services.servings]
        wanted = [
            {role: within(service, role, self.replicas or most) for role, (_, most) in service.pools.items()}
            for service in facts
        ]
        return sized(view, wanted, "a fixed number")
