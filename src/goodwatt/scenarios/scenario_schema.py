"""What a scenario file may say, as pydantic models; `scenario.Scenario` says what it means.

Sections that are files of their own elsewhere (cluster, engine, objective, services) are said as there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Annotated, Any, Self, TypeGuard

from pydantic import BaseModel, BeforeValidator, Field, PlainValidator, model_validator

from goodwatt.checked_yaml import Name, NotNegative, Positive, Strict, scientific
from goodwatt.cluster import cluster_file
from goodwatt.cluster.cluster_schema import ClusterFile
from goodwatt.simulator.services import services_schema
from goodwatt.simulator.services.services_schema import ServiceEntry
from goodwatt.simulator.settings import engine_file, objective_file
from goodwatt.simulator.settings.engine_schema import EngineFile
from goodwatt.simulator.settings.failures_schema import Above
from goodwatt.simulator.settings.objective_schema import ObjectiveFile


def _named_or(model: type[BaseModel], what: str) -> Callable[[object], object]:
    """A name stands as it is, a mapping is checked as a file of that kind is."""

    def check(value: object) -> object:
        if isinstance(value, str) and value:
            return value
        if not isinstance(value, dict):
            raise ValueError(f"a name, a file, or what a {what} file says")
        return model.model_validate(value)

    return check


def _steps(value: object) -> object:
    """A number of watts, or pairs of a second and the watts from then on."""
    number = scientific(value)
    if _is_number(number) and number > 0:
        return [(0.0, float(number))]
    if not isinstance(value, list) or not value:
        raise ValueError("watts above 0, or pairs of seconds and watts such as [[0, 50000], [3600, 30000]]")
    pairs = [_pair(entry) for entry in value]
    if pairs[0][0] != 0 or any(before[0] >= after[0] for before, after in pairwise(pairs)):
        raise ValueError("a budget that begins at 0 s, and seconds that rise")
    return pairs


def _pair(entry: object) -> tuple[float, float]:
    second, watts = (scientific(part) for part in entry) if isinstance(entry, list) and len(entry) == 2 else (None,) * 2
    if not (_is_number(second) and _is_number(watts) and watts > 0):
        raise ValueError(f"pairs of seconds and watts above 0, such as [3600, 30000] (here: {entry!r})")
    return float(second), float(watts)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class JobsEntry(Strict):
    """Jobs `like` those of a trace, made up, or those of a `trace`."""

    like: Name | None = None
    trace: Name | None = None
    gpus: Positive | None = None
    load: Above | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    waiting_h: NotNegative | None = None
    from_s: NotNegative | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.like is None) == (self.trace is None):
            raise ValueError("like or trace, one of them")
        wrong = ("from_s",) if self.trace is None else ("gpus", "load", "seed")
        if given := [key for key in wrong if getattr(self, key) is not None]:
            raise ValueError(f"{given[0]} with {'trace' if self.trace is None else 'like'} only")
        return self


class ScenarioFile(Strict):
    """The whole file."""

    name: Name | None = None
    about: Name
    look_at: Name
    cluster: Annotated[Any, PlainValidator(_named_or(ClusterFile, "cluster"))]
    jobs: JobsEntry | None = None
    services: Annotated[list[ServiceEntry], Field(min_length=1)] | None = None
    engine: Annotated[Any, PlainValidator(_named_or(EngineFile, "engine"))] = None
    objective: ObjectiveFile | None = None
    budget_w: Annotated[list[tuple[float, float]] | None, BeforeValidator(_steps)] = None
    horizon_s: Above

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if self.jobs is None and self.services is None:
            raise ValueError("jobs, services, or both")
        return self


SECTIONS: Mapping[str, type[BaseModel]] = {
    **cluster_file.SECTIONS,
    **engine_file.SECTIONS,
    **objective_file.SECTIONS,
    **services_schema.SECTIONS,
    "cluster": ClusterFile,
    "engine": EngineFile,
    "objective": ObjectiveFile,
    "jobs": JobsEntry,
}
