"""A cluster as facts: nodes, what they hold, how they are wired and fed. What is in use is in `state`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from goodwatt.cluster.gpu_kind import GpuKind


@dataclass(frozen=True, slots=True)
class Node:
    """One machine. `cpu_milli` and `memory_mib` None mean: not a limit here.

    `domains` are bit masks over the node's GPUs, one per NVLink domain inside it: an 8-GPU NVSwitch board has
    one mask of eight bits, a board of pairs four masks of two, a board without NVLink one mask per GPU.
    `clique` names the NVLink domain that reaches beyond the node (NVL72), where there is one.
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


@dataclass(frozen=True, slots=True)
class Rack:
    """A rack and what feeds it; the limit is what its breakers carry for ever, None if nobody says."""

    name: str
    power_limit_w: float | None = None
    feeds: int = 1


@dataclass(frozen=True, slots=True)
class HostPower:
    """Power beside the GPUs: a node's host draws between idle and max with the share of its GPUs in use."""

    pue: float = 1.0
    host_idle_w: float = 0.0
    host_max_w: float = 0.0


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
    power: HostPower = HostPower()
    quotas: Quotas = Quotas()
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
