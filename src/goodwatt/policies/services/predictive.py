"""As many instances as the load will need when one that starts now is ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.service_forecast import forecast
from goodwatt.policies.service_memory import ServiceMemory
from goodwatt.policies.service_scaling import Moment, needed, needed_now, scaled
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Predictive:
    """Starts instances before they are needed: for the load that is foretold for `ahead_s` after the time of a start.

    The forecast is the trend of the last quarter of an hour, from the second day on what followed the same time
    yesterday, and last week. Instances are filled to a share `target` of what they carry within the promise, and there
    are never fewer than `reactive` would want at that target. None drains before fewer were enough for `down_s`.
    """

    name: ClassVar[str] = "predictive"

    target: float = 0.7
    ahead_s: float = 60.0
    down_s: float = 180.0

    def __post_init__(self) -> None:
        if not (0.0 < self.target <= 1.0 and self.ahead_s >= 0.0 and self.down_s >= 0.0):
            raise ValueError("expected target above 0 and up to 1, ahead_s and down_s of at least 0")

    def new_memory(self) -> ServiceMemory:
        """Load of eight days and lengths of requests."""
        return ServiceMemory()

    def decide(self, view: View) -> Sequence[Decision]:
        """Who starts and who drains."""
        return scaled(view, self._need, self.down_s, "by the load foretold")

    def _need(self, moment: Moment, role: Role) -> int:
        later = forecast(moment.seen, moment.serving.service.start_s + self.ahead_s)
        return max(needed(moment, role, later, self.target), needed_now(moment, role, self.target))
