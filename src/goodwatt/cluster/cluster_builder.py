"""From the plain content of a cluster file to a `Cluster`: nodes, racks, NVLink domains, quotas.

The content has the shape that `cluster_schema` describes. Files of users are checked against it first, the
presets that ship with the package are not, because importing pydantic would cost more than everything else here
together. What needs the whole to be judged (names that must be known or unique) is checked here, for both.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from goodwatt.cluster import catalogue, host_names
from goodwatt.cluster.cluster import Cluster, Node, Quotas, Rack, Row
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.host_power_builder import host_power
from goodwatt.cluster.mig import can_coexist, profile
from goodwatt.cluster.network import Network
from goodwatt.cluster.trip_curve import DEFAULT_CURVE, trip_curve
from goodwatt.errors import FieldError, InputError, Place, UnknownNameError

Content = Mapping[str, Any]

WIDEST_NODE = 16
"""No node has more GPUs: a kind whose NVLink domain is wider spans nodes (NVL72)."""
ANYONE = "*"


def build_cluster(content: Content, default_name: str = "cluster") -> Cluster:
    """The cluster that `content` describes. Raises FieldError."""
    nodes, kinds = _Nodes(content).build()
    racks = _racks(content.get("racks", ()), nodes)
    return Cluster(
        name=content.get("name", default_name),
        nodes=tuple(nodes),
        kinds=kinds,
        racks=racks,
        rows=_rows(content.get("rows", ()), racks),
        power=host_power(content.get("power", {})),
        quotas=_quotas(content.get("quotas", {}), nodes),
        network=_network(content.get("network", {})),
        note=" ".join(content.get("note", "").split()),
        sources=tuple(content.get("sources", ())),
    )


def domain_masks(gpus: int, width: int) -> tuple[int, ...]:
    """The NVLink domains of a node as bit masks over its GPUs: neighbours, `width` at a time."""
    starts = range(0, gpus, width)
    return tuple(((1 << min(width, gpus - start)) - 1) << start for start in starts)


class _Nodes:
    """Builds the nodes group by group; racks and cliques are numbered through the whole cluster."""

    def __init__(self, content: Content) -> None:
        self._groups: Sequence[Content] = content["nodes"]
        self._unknown = _unknown_kinds(content.get("unknown_gpus", ()))
        self._kinds: dict[str, GpuKind] = {}
        self._rack_count: Counter[str] = Counter()
        self._clique_count = 0
        self._nodes: list[Node] = []

    def build(self) -> tuple[list[Node], dict[str, GpuKind]]:
        """All nodes, and the kinds they use by name."""
        for position, group in enumerate(self._groups):
            self._nodes += self._group(group, ("nodes", position))
        self._refuse_equal_names()
        return self._nodes, self._kinds

    def _group(self, group: Content, place: Place) -> list[Node]:
        kind = self._kind(group["gpu"], (*place, "gpu"))
        names = self._names(group, place)
        gpus = group["gpus"]
        width, spans = self._domain(group, kind, place)
        partition, cpu, memory = (group.get(key) for key in ("partition", "cpu_milli", "memory_mib"))
        masks = domain_masks(gpus, width)
        slices = _mig(group, kind, (*place, "mig"))
        racks = self._rack_names(group, len(names))
        cliques = self._clique_names(len(names), spans)
        return [
            Node(name, kind.name, gpus, partition, rack, cpu, memory, masks, clique, slices)
            for name, rack, clique in zip(names, racks, cliques, strict=True)
        ]

    def _kind(self, name: str, place: Place) -> GpuKind:
        try:
            kind = self._unknown.get(name) or catalogue.gpu_kind(name)
        except InputError as error:
            raise FieldError(place, str(error)) from None
        return self._kinds.setdefault(kind.name, kind)

    def _names(self, group: Content, place: Place) -> Sequence[str]:
        patterns = group.get("names")
        if patterns is None:
            first = len(self._nodes)
            return [f"node-{n:05d}" for n in range(first, first + group.get("count", 1))]
        try:
            names = [n for p in _listed(patterns) for n in host_names.expand(p)]
        except InputError as error:
            raise FieldError((*place, "names"), str(error)) from None
        if len(names) != group.get("count", len(names)):
            raise FieldError((*place, "names"), f"expected {group['count']} names, as count says, got {len(names)}")
        return names

    def _domain(self, group: Content, kind: GpuKind, place: Place) -> tuple[int, int]:
        """Width of the domains inside a node, and how many nodes one spans (0: it stays inside the node)."""
        gpus, asked = group["gpus"], group.get("nvlink_domain")
        width = asked or kind.nvlink_domain
        if width <= gpus or (asked is None and width <= WIDEST_NODE):
            return min(width, gpus), 0
        if width % gpus:
            problem = f"expected a divisor or a multiple of the {gpus} GPUs of a node, got {width}"
            raise FieldError((*place, "nvlink_domain" if asked else "gpus"), problem)
        return gpus, width // gpus

    def _rack_names(self, group: Content, count: int) -> Iterator[str | None]:
        rack, size = group.get("rack"), group.get("nodes_per_rack")
        if size is None:
            return itertools.repeat(rack, count)
        prefix = rack or "rack"
        first = self._rack_count[prefix] + 1
        self._rack_count[prefix] += -(-count // size)
        return _runs(f"{prefix}-", first, size, count)

    def _clique_names(self, count: int, spans: int) -> Iterator[str | None]:
        if not spans:
            return itertools.repeat(None, count)
        first = self._clique_count + 1
        self._clique_count += -(-count // spans)
        return _runs("nvlink-", first, spans, count)

    def _refuse_equal_names(self) -> None:
        seen = Counter(node.name for node in self._nodes)
        if len(seen) < len(self._nodes):
            twice = next(name for name, times in seen.items() if times > 1)
            raise FieldError(("nodes",), f"expected every node to have its own name, got {twice!r} twice")


def _runs(prefix: str, first: int, size: int, count: int) -> Iterator[str | None]:
    """`count` names, numbered from `first`, each `size` times in a row."""
    numbers = itertools.count(first)
    return itertools.islice((name for n in numbers for name in itertools.repeat(f"{prefix}{n:03d}", size)), count)


def _mig(group: Content, kind: GpuKind, place: Place) -> tuple[str, ...]:
    """The MIG profiles of every GPU of a group, which must be able to stand side by side."""
    wanted = tuple(group.get("mig", ()))
    try:
        together = not wanted or can_coexist(profile(kind, name) for name in wanted)
    except InputError as error:
        raise FieldError(place, str(error)) from None
    if not together:
        raise FieldError(place, f"expected MIG instances that fit on one GPU together, got {', '.join(wanted)}")
    return wanted


def _listed(names: str | Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _unknown_kinds(names: Sequence[str]) -> dict[str, GpuKind]:
    for position, name in enumerate(names):
        if name in catalogue.kind_names():
            raise FieldError(("unknown_gpus", position), f"expected a GPU kind outside the catalogue, got {name!r}")
    return {name: catalogue.unknown_kind(name) for name in names}


def _racks(entries: Sequence[Content], nodes: Sequence[Node]) -> dict[str, Rack]:
    """A rack for every name that nodes mention; an entry's name may be a pattern such as `rack-*`."""
    racks = {node.rack: Rack(node.rack) for node in nodes if node.rack is not None}
    for position, entry in enumerate(entries):
        pattern = entry["name"]
        meant = [pattern] if pattern in racks else [name for name in racks if fnmatchcase(name, pattern)]
        if not meant:
            raise FieldError(("racks", position, "name"), str(UnknownNameError("rack of a node", pattern, racks)))
        racks.update((name, _rack(name, entry, ("racks", position))) for name in meant)
    return racks


def _rack(name: str, entry: Content, place: Place) -> Rack:
    """The rack of that name as an entry describes it."""
    facts: dict[str, Any] = {
        k: float(entry[k]) for k in ("power_limit_w", "feed_limit_w", "ramp_w_per_s") if k in entry
    }
    facts |= {key: entry[key] for key in ("breaker", "row", "feeds") if key in entry}
    try:
        trip_curve(facts.get("breaker", DEFAULT_CURVE))
    except InputError as error:
        raise FieldError((*place, "breaker"), str(error)) from None
    return Rack(name, **facts)


def _rows(entries: Sequence[Content], racks: Mapping[str, Rack]) -> dict[str, Row]:
    """A row for every name that racks mention."""
    rows = {rack.row: Row(rack.row) for rack in racks.values() if rack.row is not None}
    for position, entry in enumerate(entries):
        name = entry["name"]
        if name not in rows:
            raise FieldError(("rows", position, "name"), str(UnknownNameError("row of a rack", name, rows)))
        limit = entry.get("power_limit_w")
        rows[name] = Row(name, None if limit is None else float(limit))
    return rows


def _network(entry: Content) -> Network:
    figures: dict[str, Any] = {k: v if k in {"nics", "nvls"} else float(v) for k, v in entry.items()}
    return Network(**figures)


def _quotas(entry: Content, nodes: Sequence[Node]) -> Quotas:
    partitions = entry.get("partitions", {})
    known = {node.partition for node in nodes if node.partition is not None}
    for name in partitions:
        if name != ANYONE and name not in known:
            problem = str(UnknownNameError("partition", name, known))
            raise FieldError(("quotas", "partitions", name), problem)
    return Quotas(dict(entry.get("users", {})), dict(partitions))
