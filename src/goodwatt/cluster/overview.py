"""What a person wants to know of a cluster at a glance, as plain data: shapes, partitions, racks, power."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from goodwatt.cluster.cluster import Cluster, Node
from goodwatt.cluster.fingerprint import fingerprint
from goodwatt.cluster.gpu_kind import GpuKind


@dataclass(frozen=True, slots=True)
class Shape:
    """Nodes that are alike: how many, and what each holds; `nvlink_domain` counts GPUs, beyond the node too."""

    nodes: int
    gpu: str
    gpus: int
    nvlink_domain: int
    cpu_milli: int | None
    memory_mib: int | None


@dataclass(frozen=True, slots=True)
class RackShape:
    """Racks that are alike: how many, and what each holds and may draw."""

    racks: int
    nodes: int
    power_limit_w: float | None
    feeds: int


@dataclass(frozen=True, slots=True)
class PowerRange:
    """Power in watts with all GPUs idle, all held by jobs at their usual draw, and all at their limit."""

    idle_w: float
    active_w: float
    max_w: float


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole; `unmeasured_gpus` of undisclosed kinds are missing from the power."""

    name: str
    fingerprint: str
    note: str
    sources: tuple[str, ...]
    nodes: int
    gpus: int
    shapes: tuple[Shape, ...]
    partitions: Mapping[str, int]
    racks: tuple[RackShape, ...]
    nodes_without_rack: int
    gpu_power: PowerRange
    it_power: PowerRange
    facility_power: PowerRange
    pue: float
    unmeasured_gpus: int
    user_quotas: Mapping[str, float]
    partition_quotas: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """The same as nested dictionaries."""
        return asdict(self)


def overview(cluster: Cluster) -> Overview:
    """Sums the cluster up. Lists are in order of first appearance."""
    by_kind = _gpus_by(cluster.nodes, lambda node: node.gpu_kind)
    gpus, hosts = _gpu_power(by_kind, cluster.kinds), len(cluster.nodes)
    busy = hosts * cluster.power.host_max_w
    it = _with_hosts(gpus, hosts * cluster.power.host_idle_w, busy)
    return Overview(
        name=cluster.name,
        fingerprint=fingerprint(cluster),
        note=cluster.note,
        sources=cluster.sources,
        nodes=hosts,
        gpus=cluster.num_gpus,
        shapes=_shapes(cluster.nodes),
        partitions=_gpus_by((n for n in cluster.nodes if n.partition), lambda node: str(node.partition)),
        racks=_racks(cluster),
        nodes_without_rack=sum(node.rack is None for node in cluster.nodes),
        gpu_power=gpus,
        it_power=it,
        facility_power=PowerRange(*(watts * cluster.power.pue for watts in (it.idle_w, it.active_w, it.max_w))),
        pue=cluster.power.pue,
        unmeasured_gpus=sum(count for name, count in by_kind.items() if not cluster.kinds[name].has_energy),
        user_quotas=cluster.quotas.users,
        partition_quotas=cluster.quotas.partitions,
    )


def _gpus_by(nodes: Iterable[Node], key: Callable[[Node], str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for node in nodes:
        counts[key(node)] += node.gpus
    return dict(counts)


def _shapes(nodes: Sequence[Node]) -> tuple[Shape, ...]:
    of_clique = _gpus_by((n for n in nodes if n.clique), lambda node: str(node.clique))
    shapes = Counter((n.gpu_kind, n.gpus, _domain(n, of_clique), n.cpu_milli, n.memory_mib) for n in nodes)
    return tuple(Shape(count, *shape) for shape, count in shapes.items())


def _domain(node: Node, of_clique: Mapping[str, int]) -> int:
    """GPUs in the widest NVLink domain that the node has a part in."""
    if node.clique is not None:
        return of_clique[node.clique]
    return max((mask.bit_count() for mask in node.domains), default=1)


def _racks(cluster: Cluster) -> tuple[RackShape, ...]:
    sizes = Counter(node.rack for node in cluster.nodes)
    racks = cluster.racks.values()
    shapes = Counter((sizes[rack.name], rack.power_limit_w, rack.feeds) for rack in racks)
    return tuple(RackShape(count, *shape) for shape, count in shapes.items())


def _gpu_power(by_kind: Mapping[str, int], kinds: Mapping[str, GpuKind]) -> PowerRange:
    known = [(count, kinds[name]) for name, count in by_kind.items() if kinds[name].has_energy]
    return PowerRange(
        math.fsum(count * (kind.idle_w or 0.0) for count, kind in known),
        math.fsum(count * (kind.active_w or 0.0) for count, kind in known),
        math.fsum(count * (kind.max_w or 0.0) for count, kind in known),
    )


def _with_hosts(power: PowerRange, idle_w: float, busy_w: float) -> PowerRange:
    """With the hosts, which draw their most whenever their GPUs are in use."""
    return PowerRange(power.idle_w + idle_w, power.active_w + busy_w, power.max_w + busy_w)
