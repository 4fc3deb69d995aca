"""What a cluster file may say, as pydantic models. Only files of users pay for their import."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from goodwatt.checked_yaml import Name, NotNegative, Number, Positive, Strict
from goodwatt.cluster.network import LATENCY_US

MOST_NODES = 1_000_000
AboveZero = Annotated[Number, Field(gt=0)]


class NodeGroup(Strict):
    """Nodes that are alike.

    `names` is in the notation of Slurm (`gpu[01-60]`) or a list; without it nodes are node-00000 and so on.
    `nodes_per_rack` makes racks of so many nodes, named `rack` (or "rack") with a number.
    `nvlink_domain`: GPUs per NVLink domain, neighbours together; a multiple of `gpus` makes it span nodes.
    `mig`: profiles of the MIG instances that every GPU of the group is cut into.
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
    mig: list[Name] = []
    names: Name | list[Name] | None = None


class RackEntry(Strict):
    """What feeds a rack; `name` may be a pattern such as `rack-*`."""

    name: Name
    power_limit_w: NotNegative | None = None
    feeds: Positive = 1
    feed_limit_w: NotNegative | None = None
    breaker: Name = "early"
    ramp_w_per_s: AboveZero | None = None
    row: Name | None = None


class RowEntry(Strict):
    """What a row of racks may draw."""

    name: Name
    power_limit_w: NotNegative | None = None


class NodeParts(Strict):
    """What a node draws beside its GPUs by parts; `type` names a known one, whose figures the others replace."""

    type: Name | None = None
    host_idle_w: NotNegative = 0.0
    host_max_w: NotNegative = 0.0
    fan_idle_w: NotNegative = 0.0
    fan_max_w: NotNegative = 0.0
    fan_full_w: AboveZero = 1.0
    psu: Name = "titanium"
    psu_rated_w: NotNegative = 0.0
    distribution_efficiency: Annotated[AboveZero, Field(le=1)] = 1.0


class SleepEntry(Strict):
    """How a node sleeps; `type` names a known way, whose figures the others replace."""

    type: Name | None = None
    asleep_w: NotNegative = 0.0
    suspend_s: NotNegative = 0.0
    suspend_w: NotNegative = 0.0
    wake_s: NotNegative = 0.0
    wake_w: NotNegative = 0.0


class CoolingEntry(Strict):
    """Facility power as a line in IT load and outside temperature."""

    design_it_w: AboveZero
    fixed: NotNegative = 0.02
    proportional: NotNegative = 0.05
    free_below_c: Number = 18.0
    per_degree: NotNegative = 0.012
    most: NotNegative = 0.30


class Power(Strict):
    """Power beside the GPUs."""

    pue: Annotated[Number, Field(ge=1, le=10)] = 1.0
    host_idle_w: NotNegative = 0.0
    host_max_w: NotNegative = 0.0
    node: Name | NodeParts | None = None
    sleep: Name | SleepEntry | None = None
    cooling: CoolingEntry | None = None
    site_limit_w: NotNegative | None = None
    ramp_w_per_s: AboveZero | None = None


class NetworkEntry(Strict):
    """What joins the nodes; what is absent follows from the GPU kind."""

    node_gbps: AboveZero | None = None
    nics: Positive | None = None
    latency_us: NotNegative = LATENCY_US
    oversubscription: Annotated[Number, Field(ge=1)] = 1.0
    pcie_gbps: AboveZero | None = None
    host_gbps: AboveZero | None = None
    nvls: bool = False


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
    rows: list[RowEntry] = []
    power: Power = Power()
    quotas: QuotaTable = QuotaTable()
    network: NetworkEntry = NetworkEntry()
