"""What a cluster file may say, as pydantic models. Only files of users pay for their import."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from goodwatt.checked_yaml import Name, NotNegative, Number, Positive, Strict

MOST_NODES = 1_000_000


class NodeGroup(Strict):
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


class RackEntry(Strict):
    """What feeds a rack; `name` may be a pattern such as `rack-*`."""

    name: Name
    power_limit_w: NotNegative | None = None
    feeds: Positive = 1


class Power(Strict):
    """Power beside the GPUs."""

    pue: Annotated[Number, Field(ge=1, le=10)] = 1.0
    host_idle_w: NotNegative = 0.0
    host_max_w: NotNegative = 0.0


class QuotaTable(Strict):
    """Most GPUs in use at once, by user and by partition; "*" is everyone not listed."""

    users: dict[str, NotNegative] = {}
    partitions: dict[str, NotNegative] = {}


class ClusterFile(Strict):
    """A whole file. `unknown_gpus` names GPU kinds that nobody disclosed, so that misspelt ones stay errors."""

    name: Name | None = None
    note: str = ""
    sources: list[str] = []
    unknown_gpus: list[Name] = []
    nodes: Annotated[list[NodeGroup], Field(min_length=1)]
    racks: list[RackEntry] = []
    power: Power = Power()
    quotas: QuotaTable = QuotaTable()
