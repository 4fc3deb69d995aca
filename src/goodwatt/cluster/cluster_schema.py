"""What a cluster file may say, as pydantic models. Only files of users pay for their import."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_NODES = 1_000_000


def _scientific(value: object) -> object:
    """YAML 1.1 takes 6e4 for text, people take it for a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Positive = Annotated[int, Field(gt=0)]
Name = Annotated[str, Field(min_length=1)]
Watts = Annotated[float, BeforeValidator(_scientific), Field(ge=0, allow_inf_nan=False)]
Gpus = Annotated[float, BeforeValidator(_scientific), Field(ge=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NodeGroup(_Strict):
    """Nodes that are alike.

    `names` is in the notation of Slurm (`gpu[01-60]`) or a list; without it nodes are node-00000 and so on.
    `nodes_per_rack` makes racks of so many nodes, named `rack` (or "rack") with a number.
    `nvlink_domain`: GPUs per NVLink domain, neighbours together; a multiple of `gpus` makes it span nodes.
    """

    count: Annotated[int, Field(gt=0, le=MOST_NODES)] = 1
    gpu: Name
    gpus: Annotated[int, Field(gt=0, le=128)]
    partition: Name | None = None
    rack: Name | None = None
    nodes_per_rack: Positive | None = None
    cpu_milli: Positive | None = None
    memory_mib: Positive | None = None
    nvlink_domain: Positive | None = None
    names: Name | list[Name] | None = None


class RackEntry(_Strict):
    """What feeds a rack; `name` may be a pattern such as `rack-*`."""

    name: Name
    power_limit_w: Watts | None = None
    feeds: Positive = 1


class Power(_Strict):
    """Power beside the GPUs."""

    pue: Annotated[float, BeforeValidator(_scientific), Field(ge=1, le=10)] = 1.0
    host_idle_w: Watts = 0.0
    host_max_w: Watts = 0.0


class QuotaTable(_Strict):
    """Most GPUs in use at once, by user and by partition; "*" is everyone not listed."""

    users: dict[str, Gpus] = {}
    partitions: dict[str, Gpus] = {}


class ClusterFile(_Strict):
    """A whole file. `unknown_gpus` names GPU kinds that nobody disclosed, so that misspelt ones stay errors."""

    name: Name | None = None
    note: str = ""
    sources: list[str] = []
    unknown_gpus: list[Name] = []
    nodes: Annotated[list[NodeGroup], Field(min_length=1)]
    racks: list[RackEntry] = []
    power: Power = Power()
    quotas: QuotaTable = QuotaTable()
