"""What a services file may say, as pydantic models; `service.Service` says what it means.

What may be written in short (a model or a file by its name, a number of replicas) is put at length here, so that the
rest knows one form only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from goodwatt.checked_yaml import Name, NotNegative, Positive, Strict, scientific
from goodwatt.simulator.services.service import Routing

Above = Annotated[float, BeforeValidator(scientific), Field(gt=0, allow_inf_nan=False)]
Rate = Annotated[float, BeforeValidator(scientific), Field(gt=0, le=1e6)]
"""Requests a second; more of them in an hour than any memory holds are a slip."""
AtLeastOne = Annotated[float, BeforeValidator(scientific), Field(ge=1, allow_inf_nan=False)]
ShareAbove = Annotated[float, BeforeValidator(scientific), Field(gt=0, le=1)]
Precision = Literal["bf16", "fp16", "fp8", "int8", "int4"]


def _short(kind: type[object], *keys: str) -> Callable[[object], object]:
    """A value of this kind stands for each of these keys."""

    def at_length(value: object) -> object:
        right = isinstance(value, kind) and not isinstance(value, bool)
        return dict.fromkeys(keys, value) if right else value

    return at_length


class ModelEntry(Strict):
    """A model: a known one by `name`, whose figures the others replace, or all that is needed.

    Language models: `parameters_b`, `active_b`: billions, all and those that a token passes; `routed`: of the experts,
    the share that a token passes. `query_heads`: heads that ask, where they times `head_dim` are not `hidden`.

    Others: a class of the catalogue (`workload`) whose step does one iteration over `batch` requests, or what a request
    takes alone (`request_s`, on `measured_on`, with launches of `floor_s` each step) and which class it is `like`; for
    both its `steps` and `batch_gain`, requests per second of large batches over those of one at a time.
    """

    name: Name | None = None
    parameters_b: Above | None = None
    active_b: Above | None = None
    routed: ShareAbove | None = None
    layers: Positive | None = None
    hidden: Positive | None = None
    kv_heads: Positive | None = None
    query_heads: Positive | None = None
    head_dim: Positive | None = None
    precision: Precision | None = None
    weight_bytes: Above | None = None
    kv_bytes: Above | None = None
    steps: Positive | None = None
    workload: Name | None = None
    batch: Positive | None = None
    request_s: Above | None = None
    batch_gain: AtLeastOne | None = None
    floor_s: NotNegative | None = None
    measured_on: Name | None = None
    like: Name | None = None


class LengthsEntry(Strict):
    """How long prompts and outputs are: those of a class, of a file of requests, or all alike."""

    class_: Name | None = Field(None, alias="class")
    file: Name | None = None
    prompt_tokens: Positive | None = None
    output_tokens: Positive | None = None


def _ramp(value: object) -> object:
    """Points of a ramp: [second, requests per second] each, which is told where one is not."""
    if not isinstance(value, list):
        return value
    for point in value:
        if not (isinstance(point, list) and len(point) == 2 and all(_at_least_zero(part) for part in point)):
            raise ValueError(f"pairs of seconds and requests per second, such as [600, 12] (here: {point!r})")
    return [(float(second), float(rate)) for second, rate in value]


def _at_least_zero(value: object) -> bool:
    number = scientific(value)
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < math.inf


class RequestsEntry(Strict):
    """Where requests come from: a trace (`file`), rates over time (`profile`), or a `class` of services.

    `rates`: with a class, points between which the rate changes evenly, in place of the rhythm of day and week.
    """

    file: Name | None = None
    profile: Name | None = None
    class_: Name | None = Field(None, alias="class")
    format: Name | None = None
    time_zone: Name | None = None
    select: Name | None = None
    rate_factor: Above | None = None
    mean_per_s: Rate | None = None
    peak_per_s: Rate | None = None
    peak_to_trough: AtLeastOne | None = None
    days: Above | None = None
    rates: Annotated[list[tuple[float, float]] | None, BeforeValidator(_ramp)] = None
    lengths: Annotated[LengthsEntry, BeforeValidator(_short(str, "class"))] | None = None
    repeat: bool | None = None
    start_s: NotNegative | None = None
    seed: Annotated[int, Field(ge=0)] | None = None


class ReplicasEntry(Strict):
    """How many instances there may be, and what one takes until it serves."""

    min: Positive | None = None
    max: Positive | None = None
    start_s: NotNegative | None = None


class PoolEntry(Strict):
    """How many instances of one role there may be."""

    min: Positive
    max: Positive


Pool = Annotated[PoolEntry, BeforeValidator(_short(int, "min", "max"))]


class PoolsEntry(Strict):
    """Prompts are computed on instances of their own."""

    prefill: Pool
    decode: Pool


class PromiseEntry(Strict):
    """Limits that 99% of the requests keep."""

    ttft_p99_s: Above | None = None
    tpot_p99_s: Above | None = None
    latency_p99_s: Above | None = None


class ServiceEntry(Strict):
    """One service."""

    name: Name
    model: Annotated[ModelEntry, BeforeValidator(_short(str, "name"))]
    gpu: Name
    tensor_parallel: Positive | None = None
    replicas: Annotated[ReplicasEntry, BeforeValidator(_short(int, "min", "max"))] | None = None
    pools: PoolsEntry | None = None
    promise: PromiseEntry
    requests: Annotated[RequestsEntry, BeforeValidator(_short(str, "file"))]
    software: Name | None = None
    routing: Routing | None = None
    long_tokens: Positive | None = None
    long_share: ShareAbove | None = None
    iteration_tokens: Positive | None = None
    memory_share: ShareAbove | None = None
    mig_profile: Name | None = None
    most_sequences: Positive | None = None
    partition: Name | None = None
    user: Name | None = None
    priority: int | None = None


class ServicesFile(Strict):
    """The whole file."""

    services: Annotated[list[ServiceEntry], Field(min_length=1)]


SECTIONS: dict[str, Any] = {
    "services": ServiceEntry,
    "model": ModelEntry,
    "replicas": ReplicasEntry,
    "pools": PoolsEntry,
    "prefill": PoolEntry,
    "decode": PoolEntry,
    "promise": PromiseEntry,
    "requests": RequestsEntry,
    "lengths": LengthsEntry,
}
