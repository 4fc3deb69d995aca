"""What the section `failures` of an engine file may say; `failure_rates.FailureSettings` says what it means."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from goodwatt.checked_yaml import NotNegative, Strict, scientific
from goodwatt.simulator.settings.failure_rates import PRESETS, Takes

Above = Annotated[float, BeforeValidator(scientific), Field(gt=0, allow_inf_nan=False)]
AtLeastOne = Annotated[float, BeforeValidator(scientific), Field(ge=1, allow_inf_nan=False)]
Share = Annotated[float, BeforeValidator(scientific), Field(ge=0, le=1)]


class Component(Strict):
    """How components of one kind fail."""

    per_hour: NotNegative | None = None
    mtbf_h: Above | None = None
    spread: NotNegative | None = None
    burn_in: AtLeastOne | None = None
    burn_in_h: Above | None = None
    repair_median_s: NotNegative | None = None
    repair_spread: NotNegative | None = None

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if self.per_hour is not None and self.mtbf_h is not None:
            raise ValueError("per_hour or mtbf_h, not both")
        return self


class SlowGpus(Strict):
    """GPUs that are slow from time to time."""

    share: Share | None = None
    slowdown: NotNegative | None = None
    spell_s: Above | None = None
    duty: Share | None = None


def _preset(value: object) -> object:
    if isinstance(value, str) and value in PRESETS:
        return value
    raise ValueError(f"one of {', '.join(PRESETS)}")


class Failures(Strict):
    """What fails, and what it takes along."""

    preset: Annotated[Any, BeforeValidator(_preset)] = None
    scale: NotNegative | None = None
    gpu: Component | None = None
    node: Component | None = None
    switch: Component | None = None
    nvlink: Component | None = None
    rack: Component | None = None
    feed: Component | None = None
    gpu_takes: Takes | None = None
    reset_s: NotNegative | None = None
    age_h: NotNegative | None = None
    fault_per_gpu_hour: NotNegative | None = None
    replace_after: Annotated[int, Field(ge=0)] | None = None
    stragglers: SlowGpus | None = None
