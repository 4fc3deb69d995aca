"""What an engine file may say, as pydantic models; `engine.EngineSettings` says what it means."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from goodwatt.checked_yaml import Name, NotNegative, Number, Strict, scientific
from goodwatt.simulator.settings.checkpointing import Rule
from goodwatt.simulator.settings.failures_schema import Above, Failures


class Away(Strict):
    """Something is away from `from_s` to `to_s`."""

    from_s: Number
    to_s: Number

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.to_s > self.from_s:
            raise ValueError(f"to_s after from_s ({self.from_s:g})")
        return self


class Maintenance(Away):
    """A node is away."""

    node: Name
    reason: str = "maintenance"


class LostFeedEntry(Away):
    """A feed of a rack, numbered from 0, is away."""

    rack: Name
    feed: Annotated[int, Field(ge=0)] = 0


def _size(value: object) -> float:
    if value == "more":
        return math.inf
    if type(value) is int and value > 0:
        return float(value)
    raise ValueError("gang sizes above 0, or more")


def _by_size(value: object) -> object:
    """Plain seconds are seconds for gangs of any size."""
    if isinstance(value, dict):
        return value
    number = scientific(value)
    if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < math.inf:
        return {"more": number}
    raise ValueError("seconds, or seconds by gang size ({8: 40, more: 60})")


Overheads = Annotated[
    dict[Annotated[float, BeforeValidator(_size)], NotNegative], BeforeValidator(_by_size), Field(min_length=1)
]


class Checkpoints(Strict):
    """How often jobs that say nothing themselves save their state, and how fast."""

    rule: Rule | None = None
    node_gbps: Above | None = None
    store_gbps: Above | None = None


class Settings(Strict):
    """Settings that a section `preemptive` may override."""

    decision_interval_s: NotNegative | None = None
    completion_lag_s: NotNegative | None = None
    restart_overhead_s: Overheads | None = None
    checkpoint_interval_s: NotNegative | None = None
    checkpoints: Checkpoints | None = None
    gpu_choice: Literal["kubelet", "policy"] | None = None
    share_mode: Literal["timeslice", "mps"] | None = None
    mig: Literal["dynamic", "static"] | None = None
    warm_up_s: NotNegative | None = None
    maintenance: list[Maintenance] = []
    unstable_sorts: list[Annotated[int, Field(ge=0)]] | None = None


class EngineFile(Settings):
    """A whole file; failures are the same whatever the policy."""

    name: Name | None = None
    about: str = ""
    failures: Failures | None = None
    lost_feeds: list[LostFeedEntry] = []
    preemptive: Settings | None = None
