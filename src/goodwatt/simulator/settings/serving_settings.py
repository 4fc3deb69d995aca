"""How services are simulated beside jobs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from goodwatt.errors import InputError

MINUTE_S = 60.0
"""What is written down of services is written for stretches of so long."""
Resolution = Literal["ticks", "requests"]
"""All instances in steps of a tick, or each request by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """A tick takes `tick_s`; every `control_s` instances are looked at, and policies may decide about them.

    Raises InputError where ticks would never reach an end, or where minutes would not end with a control.
    """

    resolution: Resolution = "ticks"
    tick_s: float = 1.0
    control_s: float = 5.0

    def __post_init__(self) -> None:
        if not 0.0 < self.tick_s < math.inf:
            raise InputError(f"expected tick_s above 0 and finite, got {self.tick_s:g}")
        if not 0.0 < self.control_s <= MINUTE_S or (MINUTE_S / self.control_s) % 1.0:
            raise InputError(f"expected control_s to be a whole part of {MINUTE_S:g} s, got {self.control_s:g}")


SERVING = ServingSettings()
