"""How services are simulated beside jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Resolution = Literal["ticks", "requests"]
"""All instances in steps of a tick, or each request by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """A tick takes `tick_s`; every `control_s` instances are looked at, and policies may decide about them."""

    resolution: Resolution = "ticks"
    tick_s: float = 1.0
    control_s: float = 5.0


SERVING = ServingSettings()
