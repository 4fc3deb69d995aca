"""A cluster as facts: nodes, what they hold, how they are wired and fed. What is in use is in `state`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.host_power import HostPower
from goodwatt.cluster.network import Network
from goodwatt.cluster.trip_curve import DEFAULT_CURVE

__all__ = ["Cluster", "HostPower", "Node", "Quotas", "Rack", "Row"]


@dataclass(frozen=True, slots=True)
class Node:
    """One machine. `cpu_milli` and `memory_mib` None mean: not a limit here.

    `domains` are bit masks over the node's GPUs, one per NVLink domain inside it: an 8-GPU NVSwitch board has
    one mask of eight bits, a board of pairs four masks of two, a board without NVLink one mask per GPU.
    `clique` names the NVLink domain that reaches beyond the node (NVL72), where there is one.
    `mig`: the MIG profiles that each of its GPUs is cut into from the start; empty: its GPUs are whole.
    """

    name: str
    gpu_kind: str
    gpus: int
    partition: str | None = None
    rack: str | None = None
    cpu_milli: int | None = None
    memory_mib: int | None = None
    domains: tuple[int, ...] = ()
    clique: str | None = None
    mig: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rack:
    """A rack and what feeds it; the limit is what its breakers carry for ever, None if nobody says.

    `feed_limit_w`: what one of its feeds alone carries for ever, an even part of the limit if None. `breaker` names
    the trip curve of its breakers (`trip_curve`). `ramp_w_per_s`: how fast its load may rise, None: as it likes.
    `row`: the row that it stands in, whose limit is in the cluster's `rows`.
    """

    name: str
    power_limit_w: float | None = None
    feeds: int = 1
    feed_limit_w: float | None = None
    breaker: str = DEFAULT_CURVE
    ramp_w_per_s: float | None = None
    row: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Racks behind one distribution board; what it carries for ever, None if nobody says."""

    name: str
    power_limit_w: float | None = None


@dataclass(frozen=True, slots=True)
class Quotas:
    """Most GPUs in use at once by a user or in a partition; "*" stands for every name not listed."""

    users: Mapping[str, float] = field(default_factory=dict, hash=False)
    partitions: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The whole: nodes in a fixed order (placements name them by position) and the GPU kinds they use.

    `note` says what it stands for and what in it is assumed, `sources` where its figures come from.
    """

    name: str
    nodes: tuple[Node, ...]
    kinds: Mapping[str, GpuKind] = field(hash=False)
    racks: Mapping[str, Rack] = field(default_factory=dict, hash=False)
    rows: Mapping[str, Row] = field(default_factory=dict, hash=False, kw_only=True)
    power: HostPower = field(default_factory=HostPower)
    quotas: Quotas = Quotas()
    network: Network = field(default_factory=Network, kw_only=True)
    note: str = ""
    sources: tuple[str, ...] = ()

    @property
    def num_gpus(self) -> int:
        """All GPUs of all nodes."""
        return sum(node.gpus for node in self.nodes)

    @property
    def partitions(self) -> tuple[str, ...]:
        """Names of the partitions in order of appearance; empty if the cluster has none."""
        return tuple(dict.fromkeys(n.partition for n in self.nodes if n.partition is not None))
