"""What the placement of a gang looks like to a collective: GPUs per NVLink domain, per node and per rack.

Layouts of equal shape are one object, so that what follows from them can be remembered. What travels over them is
left to `collectives`, what other gangs take away to `network.loads`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from goodwatt.cluster.cluster import Cluster, Node
from goodwatt.cluster.node_choice import whole_gpus
from goodwatt.power.network.board import Board, board_of

Piece = tuple[int, int]
"""A node by position, and the mask of the GPUs on it that the gang has."""
Placement = Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Machine:
    """What the network joins: a node, or all nodes of one NVLink domain (NVL72).

    `islands`: the gang's GPUs in each NVLink domain, largest first; `nodes`: per node, how many of its GPUs are the
    gang's and how many it has.
    """

    islands: tuple[int, ...]
    nodes: tuple[tuple[int, int], ...]

    @property
    def gpus(self) -> int:
        """The gang's GPUs on it."""
        return sum(self.islands)


@dataclass(frozen=True, slots=True)
class RackPart:
    """The gang's nodes in a rack, all nodes of the rack, and the GPUs of each: what its uplink is made for."""

    used_nodes: int
    rack_nodes: int
    node_gpus: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The shape of a gang. `machines` and `racks` (empty unless there are several) with how often each occurs."""

    board: Board
    gpus: int
    machines: tuple[tuple[Machine, int], ...]
    racks: tuple[tuple[RackPart, int], ...] = ()
    num_machines: int = field(init=False, compare=False)
    num_nodes: int = field(init=False, compare=False)
    num_racks: int = field(init=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "num_machines", sum(count for _, count in self.machines))
        put(self, "num_nodes", sum(len(machine.nodes) * count for machine, count in self.machines))
        put(self, "num_racks", sum(count for _, count in self.racks) or 1)
        put(self, "_hash", hash((self.board, self.machines, self.racks)))

    def __hash__(self) -> int:
        return self._hash


def layout_of(cluster: Cluster, placement: Placement) -> Layout:
    """The layout of a gang on these GPUs; each node occurs once and every mask holds a GPU at least.

    Takes about 1 µs on a single node, 10 µs on eight.
    """
    index = _index(cluster)
    if len(placement) == 1:
        node, mask = placement[0]
        key = (index.node_class[node], mask)
        known = index.single.get(key)
        return known if known is not None else index.single.setdefault(key, index.build(placement))
    shape = index.shape(placement)
    known = index.several.get(shape)
    if known is None:
        built = index.build(placement)
        known = index.several[shape] = index.built.setdefault(built, built)
    return known


def best_layout(cluster: Cluster, num_gpus: int, kind: str | None = None, partition: str | None = None) -> Layout:
    """The layout of a well-placed gang of this size, on the empty cluster: where rate 1 is measured.

    The smallest node that holds it, else the smallest NVLink domain, else whole nodes in as few racks as possible.
    Raises ValueError if the nodes of that kind and partition do not have so many GPUs.
    """
    known = _index(cluster).best
    key = (num_gpus, kind, partition)
    return known.get(key) or known.setdefault(key, layout_of(cluster, best_placement(cluster, *key)))


def best_placement(cluster: Cluster, num_gpus: int, kind: str | None, partition: str | None) -> Placement:
    """The GPUs of `best_layout`."""
    nodes = [
        (position, node)
        for position, node in enumerate(cluster.nodes)
        if kind in {None, node.gpu_kind} and partition in {None, node.partition}
    ]
    if sum(node.gpus for _, node in nodes) < num_gpus:
        raise ValueError(f"expected at most the GPUs that the cluster has of {kind or 'any kind'}, got {num_gpus}")
    for group in (_smallest_node(nodes, num_gpus), _smallest_clique(nodes, num_gpus)):
        if group:
            return _filled(group, num_gpus)
    return _filled(_rack_by_rack(nodes), num_gpus)


Numbered = list[tuple[int, Node]]


def _smallest_node(nodes: Numbered, num_gpus: int) -> Numbered:
    fitting = [pair for pair in nodes if pair[1].gpus >= num_gpus]
    return [min(fitting, key=lambda pair: (pair[1].gpus, len(pair[1].domains), pair[0]))] if fitting else []


def _smallest_clique(nodes: Numbered, num_gpus: int) -> Numbered:
    of: dict[str, Numbered] = {}
    for position, node in nodes:
        if node.clique is not None:
            of.setdefault(node.clique, []).append((position, node))
    sizes = [(sum(node.gpus for _, node in group), group[0][0], group) for group in of.values()]
    return min((entry for entry in sizes if entry[0] >= num_gpus), default=(0, 0, []))[2]


def _rack_by_rack(nodes: Numbered) -> Numbered:
    """Largest nodes first, and among those the racks with most of them, one after the other."""
    weight = Counter[tuple[int, str | None]]()
    for _, node in nodes:
        weight[node.gpus, node.rack] += node.gpus
    return sorted(nodes, key=lambda p: (-p[1].gpus, -weight[p[1].gpus, p[1].rack], p[1].rack or "", p[0]))


def _filled(nodes: Numbered, num_gpus: int) -> Placement:
    placement: list[Piece] = []
    for position, node in nodes:
        count = min(num_gpus, node.gpus)
        placement.append((position, whole_gpus((1 << node.gpus) - 1, count, node.domains)))
        num_gpus -= count
        if not num_gpus:
            break
    return placement


class _Index:
    """What of a cluster decides about layouts, by node, and the layouts found so far."""

    def __init__(self, cluster: Cluster) -> None:
        classes: dict[tuple[str, int, tuple[int, ...]], int] = {}
        racks, cliques = ({name: i for i, name in enumerate(_names(cluster, key))} for key in ("rack", "clique"))
        self.nodes = cluster.nodes
        self.node_class = [classes.setdefault((n.gpu_kind, n.gpus, n.domains), len(classes)) for n in cluster.nodes]
        self.rack = [-1 if n.rack is None else racks[n.rack] for n in cluster.nodes]
        self.clique = [-1 if n.clique is None else cliques[n.clique] for n in cluster.nodes]
        self.rack_nodes = Counter(self.rack)
        self.boards = {name: board_of(kind) for name, kind in cluster.kinds.items()}
        self.single: dict[tuple[int, int], Layout] = {}
        self.several: dict[object, Layout] = {}
        self.built: dict[Layout, Layout] = {}
        self.best: dict[tuple[int, str | None, str | None], Layout] = {}

    def shape(self, placement: Placement) -> object:
        """Equal only for placements of the same layout; NVLink domains beyond the node are told apart by name."""
        classes, racks, cliques = self.node_class, self.rack, self.clique
        parts: dict[int, list[tuple[int, int, int]]] = {}
        for node, mask in placement:
            parts.setdefault(racks[node], []).append((classes[node], mask, cliques[node]))
        sizes = self.rack_nodes
        return tuple(sorted((sizes[rack], tuple(sorted(part))) for rack, part in parts.items()))

    def build(self, placement: Placement) -> Layout:
        """The layout, from scratch."""
        groups: dict[object, list[Piece]] = {}
        for node, mask in placement:
            clique = self.clique[node]
            groups.setdefault(node if clique < 0 else f"clique {clique}", []).append((node, mask))
        machines = Counter(self._machine(group) for group in groups.values())
        boards = {self.boards[self.nodes[node].gpu_kind] for node, _ in placement}
        return Layout(
            # A gang over several kinds waits for the one that is wired worst.
            board=min(boards, key=lambda b: (b.nvlink_raw_gbps, b.pcie.gbps, b.kind)),
            gpus=sum(mask.bit_count() for _, mask in placement),
            machines=tuple(sorted(machines.items(), key=lambda item: (item[0].islands, item[0].nodes), reverse=True)),
            racks=self._racks(placement),
        )

    def _machine(self, group: Placement) -> Machine:
        nodes = [(self.nodes[node], mask) for node, mask in group]
        inside = [(mask & domain).bit_count() for node, mask in nodes for domain in _domains(node)]
        islands = [sum(inside)] if nodes[0][0].clique is not None else [gpus for gpus in inside if gpus]
        used = sorted(((mask.bit_count(), node.gpus) for node, mask in nodes), reverse=True)
        return Machine(tuple(sorted(islands, reverse=True)), tuple(used))

    def _racks(self, placement: Placement) -> tuple[tuple[RackPart, int], ...]:
        used = Counter(self.rack[node] for node, _ in placement)
        if len(used) < 2:
            return ()
        gpus = {self.rack[node]: self.nodes[node].gpus for node, _ in placement}
        parts = Counter(RackPart(count, self.rack_nodes[rack], gpus[rack]) for rack, count in used.items())
        return tuple(sorted(parts.items(), key=lambda item: (item[0].used_nodes, item[0].rack_nodes), reverse=True))


def _domains(node: Node) -> tuple[int, ...]:
    """A node of which no domains are told has none."""
    return node.domains or tuple(1 << gpu for gpu in range(node.gpus))


def _names(cluster: Cluster, key: str) -> Iterable[str]:
    return dict.fromkeys(name for name in (getattr(node, key) for node in cluster.nodes) if name is not None)


_indices: dict[int, tuple[Cluster, _Index]] = {}
_MOST_INDICES = 8


def _index(cluster: Cluster) -> _Index:
    """The index of a cluster; the last few are kept, known by identity because equality would look at every node."""
    known = _indices.get(id(cluster))
    if known is None or known[0] is not cluster:
        while len(_indices) >= _MOST_INDICES:
            del _indices[next(iter(_indices))]
        known = _indices[id(cluster)] = (cluster, _Index(cluster))
    return known[1]
