"""The boards' own choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.power_policy import SteadyPower


@dataclass(frozen=True, slots=True)
class Default(SteadyPower):
    """Every GPU at its default clock and cap, every node awake: what happens when nobody does anything."""

    name: ClassVar[str] = "default"
