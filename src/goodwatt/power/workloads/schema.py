"""The full check of the catalogue's files, for `goodwatt workloads` and the tests, and of workloads files in YAML.

A replay without such a file does not load this, because importing pydantic takes longer than reading the catalogue.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from goodwatt.bundled_yaml import read_bundled
from goodwatt.checked_yaml import Name, Strict, build_checked
from goodwatt.cluster.catalogue import kind_names
from goodwatt.errors import FieldError, RunError
from goodwatt.power.workloads import catalogue as workload_catalogue
from goodwatt.power.workloads.workload import WorkloadClass
from goodwatt.power.workloads.workloads_file import KEYS, Rule, class_problem

Text = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]

SOURCED = frozenset({"speeds", "power", "kappa", "m", "duty", "counters", "memory", "step", "gpus", "checkpoint"})
"""Each part of a class has a source; one that starts with "assumed" is ours."""


class DemandFile(Strict):
    """A demand: shares within 0 to 1, but `u`, which may exceed the power model's unit."""

    u: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
    m: Share
    kappa: Share
    duty: Annotated[float, Field(gt=0, le=1)] = 1.0
    sm: Share = 0.0
    occupancy: Share = 0.0
    tensor: Share = 0.0
    host_cores: NotNegative = 0.0
    pcie_gbps: NotNegative = 0.0
    memory_mib: Annotated[int, Field(gt=0)]
    kernel_us: NotNegative = 0.0


class PhaseFile(Strict):
    """A phase."""

    name: Text
    share: Annotated[float, Field(gt=0, le=1)]
    length_s: Positive
    demand: DemandFile


class StepFile(Strict):
    """A step of a gang."""

    compute_s: Positive
    exchange_bytes: NotNegative = 0.0
    calls: Annotated[int, Field(gt=0)] = 1
    overlap: Share = 0.0


class WorkloadClassFile(Strict):
    """One file of the catalogue, every part sourced."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    about: Text
    family: Literal["vision", "language", "speech", "recommendation", "generation", "graph", "reinforcement"]
    reference_gpu: Text
    math: Literal["fp32", "tf32", "half"]
    gpus: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=2, max_length=2)]
    weight: Positive
    checkpoint_mib: NotNegative
    step: StepFile
    phases: dict[Text, Annotated[list[PhaseFile], Field(min_length=1)]]
    speeds: dict[Text, Positive] = {}
    sources: dict[Text, Text]

    @model_validator(mode="after")
    def _kinds(self) -> Self:
        unknown = ({self.reference_gpu} | self.phases.keys() | self.speeds.keys()) - set(kind_names())
        if unknown:
            raise ValueError(f"expected names of the catalogue of GPU kinds, got {sorted(unknown)}")
        if self.reference_gpu not in self.phases:
            raise ValueError("expected phases of reference_gpu")
        if self.reference_gpu in self.speeds:
            raise ValueError("expected no speed of reference_gpu, which is 1")
        if not self.phases.keys() - {self.reference_gpu} <= self.speeds.keys():
            raise ValueError("expected a speed wherever phases were measured")
        return self

    @model_validator(mode="after")
    def _shares(self) -> Self:
        for kind, phases in self.phases.items():
            if not math.isclose(math.fsum(phase.share for phase in phases), 1.0, abs_tol=1e-6):
                raise ValueError(f"expected the shares of {kind} to add up to 1")
        if self.gpus[0] > self.gpus[1]:
            raise ValueError("expected gpus from the smallest to the largest")
        return self

    @model_validator(mode="after")
    def _sources(self) -> Self:
        if self.sources.keys() != SOURCED:
            raise ValueError(f"expected one source per part, differs in {sorted(self.sources.keys() ^ SOURCED)}")
        return self


def checked_classes() -> dict[str, WorkloadClass]:
    """The whole catalogue, every file checked in full. Raises RunError: the package itself is broken then."""
    return {name: _checked(name) for name in workload_catalogue.class_names()}


def _checked(name: str) -> WorkloadClass:
    content = read_bundled(workload_catalogue.FOLDER / f"{name}.yaml")
    try:
        WorkloadClassFile.model_validate(content)
    except ValidationError as error:
        raise RunError(f"workload class {name}: {error}") from None
    if content["name"] != name:
        raise RunError(f"workload class {name}: expected the name of its file, got {content['name']}")
    return workload_catalogue.class_from(content)


# files of users ------------------------------------------------------------------------------------------------------


class RuleEntry(Strict):
    """A row of a workloads file."""

    workload: Name
    job_id: Name | None = None
    user: Name | None = None
    name: Name | None = None


class WorkloadsFile(Strict):
    """A workloads file in YAML."""

    workloads: Annotated[list[RuleEntry], Field(min_length=1)]


def rules_from_yaml(text: str, source: str) -> list[Rule]:
    """The rows of a workloads file in YAML; `source` names it in messages. Raises InputError."""
    return build_checked(text, source, "workloads", WorkloadsFile, {"workloads": RuleEntry}, _rules)


def _rules(content: dict[str, Any]) -> list[Rule]:
    for i, row in enumerate(content["workloads"]):
        if problem := class_problem(row["workload"]):
            raise FieldError(("workloads", i, "workload"), f"expected {problem}, got {row['workload']!r}")
        if not row.keys() & set(KEYS):
            raise FieldError(("workloads", i), f"expected one of {', '.join(KEYS)}, got none of them")
    return [Rule(**row) for row in content["workloads"]]
