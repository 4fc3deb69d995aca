"""The full check of the catalogue's files: `goodwatt gpus list` and the tests pay for it, a replay does not."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from goodwatt.bundled_yaml import read_bundled
from goodwatt.cluster import catalogue
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.errors import RunError

FIGURES = frozenset(
    {
        "memory_mib",
        "min_clock_mhz",
        "max_clock_mhz",
        "min_cap_w",
        "max_cap_w",
        "idle_w",
        "active_w",
        "max_w",
        "nvlink_gbps",
        "nvlink_domain",
        "mig_slices",
    }
)
"""Each needs a source."""

POWER_FIGURES = frozenset(
    {
        "context_w",
        "knee_mhz",
        "voltage_rise",
        "core_w",
        "memory_w",
        "clock_step_mhz",
        "chip_spread",
        "time_error",
        "power_error",
    }
)
"""Each needs a source of its own, inside `power_model`."""

Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
PositiveInt = Annotated[int, Field(gt=0)]


class PowerModelSection(BaseModel):
    """How time and power follow the clock, every figure present and sourced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    context_w: Positive
    knee_mhz: Positive
    voltage_rise: Annotated[float, Field(ge=1, le=3)]
    core_w: Positive
    memory_w: Positive
    clock_step_mhz: Positive
    chip_spread: Share
    time_error: Share
    power_error: Share
    sources: dict[str, Text]

    @model_validator(mode="after")
    def _sources(self) -> Self:
        if self.sources.keys() != POWER_FIGURES:
            wrong = sorted(self.sources.keys() ^ POWER_FIGURES)
            raise ValueError(f"expected one source per figure of power_model, differs in {wrong}")
        return self


class GpuKindFile(BaseModel):
    """One file of the catalogue, every figure present and sourced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Text
    architecture: Text
    memory_mib: PositiveInt
    min_clock_mhz: PositiveInt
    max_clock_mhz: PositiveInt
    min_cap_w: PositiveInt
    max_cap_w: PositiveInt
    idle_w: Positive
    active_w: Positive
    max_w: Positive
    nvlink_gbps: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    nvlink_domain: PositiveInt
    mig_slices: Annotated[int, Field(ge=0, le=7)]
    product_labels: Annotated[list[Text], Field(min_length=1)]
    aliases: list[Text] = []
    sources: dict[str, Text]
    power_model: PowerModelSection

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if self.min_clock_mhz > self.max_clock_mhz or self.min_cap_w > self.max_cap_w:
            raise ValueError("expected the lowest clock and cap below the highest")
        if not self.idle_w < self.active_w <= self.max_w <= self.max_cap_w:
            raise ValueError("expected idle_w < active_w <= max_w <= max_cap_w")
        if (self.nvlink_gbps > 0) != (self.nvlink_domain > 1):
            raise ValueError("expected an NVLink domain above 1 just where there is NVLink")
        if not self.idle_w <= self.power_model.context_w < self.max_w:
            raise ValueError("expected idle_w <= power_model.context_w < max_w")
        if not self.min_clock_mhz <= self.power_model.knee_mhz < self.max_clock_mhz:
            raise ValueError("expected power_model.knee_mhz within the clocks")
        return self

    @model_validator(mode="after")
    def _sources(self) -> Self:
        if self.sources.keys() != FIGURES:
            raise ValueError(f"expected one source per figure, differs in {sorted(self.sources.keys() ^ FIGURES)}")
        return self


def checked_kinds() -> dict[str, GpuKind]:
    """The whole catalogue, every file checked in full. Raises RunError: the package itself is broken then."""
    return {name: _checked(name) for name in catalogue.kind_names()}


def _checked(name: str) -> GpuKind:
    content = read_bundled(catalogue.FOLDER / f"{name}.yaml")
    try:
        GpuKindFile.model_validate(content)
    except ValidationError as error:
        raise RunError(f"catalogue entry {name}: {error}") from None
    if content["name"] != name:
        raise RunError(f"catalogue entry {name}: expected the name of its file, got {content['name']}")
    return catalogue.kind_from(content)
