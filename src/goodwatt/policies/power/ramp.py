"""Power rises no faster than the grid, the generators or the breakers like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.power_policy import SteadyPower


@dataclass(frozen=True, slots=True)
class Ramp(SteadyPower):
    """Gangs are launched node by node and caps rise in steps, so that power rises by at most `w_per_s` in any second.

    0 means what the cluster says of its site (`ramp_w_per_s`); racks keep their own limits in any case. A rise that
    cannot be divided (one node coming up) and is larger than that happens at once when it has been saved up for, so a
    limit below what a node needs is kept on average only. Falls are not slowed. Sources: Choukse et al., "Power
    Stabilization for AI Training Datacenters", 2025 (swings of synchronous jobs); NVIDIA GB300 power smoothing, whose
    boards ramp their caps so.
    """

    name: ClassVar[str] = "ramp"

    w_per_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.w_per_s >= 0:
            raise ValueError(f"expected w_per_s of at least 0, got {self.w_per_s:g}")

    @property
    def ramp_w_per_s(self) -> float | None:
        """What was asked for."""
        return self.w_per_s
