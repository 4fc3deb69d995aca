"""What an objective file may say, as pydantic models; `objective` says what it means."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from goodwatt.checked_yaml import Name, NotNegative, Strict, scientific
from goodwatt.simulator.settings.failures_schema import Above, AtLeastOne
from goodwatt.simulator.settings.objective import Goal


def _number_or_file(value: object) -> float | str:
    number = scientific(value)
    if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < math.inf:
        return float(number)
    if isinstance(number, str) and number:
        return number
    raise ValueError("a number of at least 0, or a file")


def _with_zone(value: object) -> str:
    """YAML reads a time with seconds as a time, one without as text."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        time = None
    if isinstance(time, datetime) and time.tzinfo is not None:
        return time.isoformat()
    raise ValueError("a time with its zone, such as 2024-03-31T00:00+01:00")


NumberOrFile = Annotated[Any, BeforeValidator(_number_or_file)]


class GuardrailsEntry(Strict):
    """What no policy may do."""

    max_slowdown: AtLeastOne | None = None
    max_wait_s: NotNegative | None = None
    min_run_s: NotNegative | None = None
    min_clock_mhz: NotNegative | None = None
    protected_users: list[Name] | None = None
    protected_from: list[Literal["preemption", "movement", "slowing", "sharing"]] | None = None
    preemption: bool | None = None
    movement: bool | None = None
    promises: bool | None = None


class FloorEntry(Strict):
    """How much worse than the reference's service a policy's may be."""

    mean_jct: AtLeastOne | None = None
    p95_jct: AtLeastOne | None = None
    stretch: AtLeastOne | None = None
    p99_queueing: AtLeastOne | None = None
    unfinished_points: Annotated[float, BeforeValidator(scientific), Field(ge=0, le=100)] | None = None


class ObjectiveFile(Strict):
    """The whole file."""

    goal: Goal | None = None
    power_budget_w: Above | None = None
    guardrails: GuardrailsEntry | None = None
    service_floor: FloorEntry | None = None
    price: NumberOrFile = None
    carbon: NumberOrFile = None
    currency: Name | None = None
    time_zone: Name | None = None
    epoch: Annotated[Any, BeforeValidator(_with_zone)] = None
    repeats_h: Above | None = None
    policy: Name | None = None
    power: Name | None = None
