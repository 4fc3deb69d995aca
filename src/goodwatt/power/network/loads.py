"""Which gangs share which links of the network, and how much slower that makes each of them.

Links are the network cards of a node and the uplink of a rack. A gang asks of every link on its way what its ring
would carry if it had the network for itself; when the gangs on a link ask for more than it carries, each gets less
in the same proportion. Gangs that compute do not send: the others count with the share of time that they send, as
long as nobody arranges their steps (compare Rajasekaran et al., CASSINI, NSDI 2024). The nodes of an NVLink domain
carry the ring together, each as much as its cards take. What a slower network does to a step is left to `gang_step`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from goodwatt.cluster.cluster import Cluster
from goodwatt.power.network.board import board_of, node_gbps, uplink_gbps
from goodwatt.power.network.collectives import ring_network_gbps
from goodwatt.power.network.layout import Layout, Placement

Link = int
"""A node's cards by the node's position; a rack's uplink by the number of nodes plus the rack's position."""
_PER_GBPS = 1_000_000
"""Demands are whole numbers of kB/s, so that adding and removing leaves nothing behind."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """The links of a gang; of each it asks for `demand` kB/s while it sends, `mean` kB/s on average."""

    links: tuple[Link, ...]
    demand: tuple[int, ...]
    mean: tuple[int, ...]

    @property
    def asked(self) -> Iterator[tuple[Link, int, int]]:
        """(link, demand, mean) of each link."""
        return zip(self.links, self.demand, self.mean, strict=True)


NOWHERE = Crossing((), (), ())


class NetworkLoads:
    """The gangs on every link. A gang is known by any hashable name, its job's id for example."""

    __slots__ = ("_asked", "_capacity", "_cluster", "_crossings", "_gangs", "_racks")

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        racks = dict.fromkeys(node.rack for node in cluster.nodes)
        self._racks = {name: len(cluster.nodes) + i for i, name in enumerate(racks)}
        self._capacity = _capacities(cluster, self._racks)
        self._asked: dict[Link, int] = {}
        self._gangs: dict[Link, tuple[str, ...]] = {}
        self._crossings: dict[str, Crossing] = {}

    def copy(self) -> NetworkLoads:
        """An independent copy."""
        twin = object.__new__(NetworkLoads)
        twin._cluster, twin._racks, twin._capacity = self._cluster, self._racks, self._capacity
        twin._asked, twin._gangs = self._asked.copy(), self._gangs.copy()
        twin._crossings = self._crossings.copy()
        return twin

    def add(self, gang: str, placement: Placement, layout: Layout, busy: float = 1.0) -> tuple[str, ...]:
        """A gang starts; `busy` is its `gang_step.network_share`. Who shares a link with it now, in a fixed order.

        A gang inside one machine uses no link and shares none. Raises ValueError if it is there already.
        """
        if gang in self._crossings:
            raise ValueError(f"expected a gang that is not on the network yet, got {gang!r}")
        crossing = self._crossing(placement, layout, busy)
        if crossing is NOWHERE:
            return ()
        self._crossings[gang] = crossing
        touched: dict[str, None] = {}
        for link, _, mean in crossing.asked:
            there = self._gangs.get(link, ())
            touched.update(dict.fromkeys(there))
            self._gangs[link] = (*there, gang)
            self._asked[link] = self._asked.get(link, 0) + mean
        return tuple(touched)

    def remove(self, gang: str) -> tuple[str, ...]:
        """A gang ends or moves away; nothing happens if it uses no link. Who shared one with it."""
        crossing = self._crossings.pop(gang, NOWHERE)
        touched: dict[str, None] = {}
        for link, _, mean in crossing.asked:
            left = tuple(other for other in self._gangs[link] if other != gang)
            touched.update(dict.fromkeys(left))
            if left:
                self._gangs[link] = left
                self._asked[link] -= mean
            else:
                del self._gangs[link], self._asked[link]
        return tuple(touched)

    def load(self, gang: str) -> float:
        """How many times slower than alone the network is for a gang: 1 at least, 1 for one that uses no link."""
        crossing = self._crossings.get(gang, NOWHERE)
        asked, capacity = self._asked, self._capacity
        return max((1.0, *((asked[link] + demand - mean) / capacity[link] for link, demand, mean in crossing.asked)))

    def _crossing(self, placement: Placement, layout: Layout, busy: float) -> Crossing:
        if layout.num_machines < 2:
            return NOWHERE
        nodes, links = self._cluster.nodes, [node for node, _ in placement]
        ring = ring_network_gbps(layout, self._cluster.network) * _PER_GBPS
        demand = [round(ring * share) for share in self._node_shares(placement, layout)]
        if layout.num_racks > 1:
            uplinks = dict.fromkeys(self._racks[nodes[node].rack] for node, _ in placement)
            links += uplinks
            demand += [round(ring)] * len(uplinks)
        sends = min(1.0, max(0.0, busy))
        return Crossing(tuple(links), tuple(demand), tuple(round(kbps * sends) for kbps in demand))

    def _node_shares(self, placement: Placement, layout: Layout) -> list[float]:
        """Which part of what its machine sends each node does: all of it but in an NVLink domain of several nodes."""
        nodes, network = self._cluster.nodes, self._cluster.network
        cliques = [nodes[node].clique for node, _ in placement]
        if not any(cliques):
            return [1.0] * len(cliques)
        cards = [node_gbps(layout.board, network, nodes[node].gpus, mask.bit_count()) for node, mask in placement]
        total: dict[str | None, float] = {}
        for clique, gbps in zip(cliques, cards, strict=True):
            total[clique] = total.get(clique, 0.0) + gbps
        return [1.0 if c is None else gbps / total[c] for c, gbps in zip(cliques, cards, strict=True)]


def _capacities(cluster: Cluster, racks: dict[str | None, Link]) -> dict[Link, int]:
    boards = {name: board_of(kind) for name, kind in cluster.kinds.items()}
    nodes_in = dict.fromkeys(racks, 0)
    for node in cluster.nodes:
        nodes_in[node.rack] += 1
    found: dict[Link, int] = {}
    for position, node in enumerate(cluster.nodes):
        if not node.gpus:  # nothing there takes part in a collective
            continue
        board = boards[node.gpu_kind]
        own = node_gbps(board, cluster.network, node.gpus, node.gpus)
        found[position] = max(1, round(own * _PER_GBPS))
        uplink = uplink_gbps(board, cluster.network, nodes_in[node.rack], node.gpus)
        # A rack of unlike nodes carries what its narrowest node would need, as `Layout.racks` has it at worst.
        link = racks[node.rack]
        found[link] = min(found.get(link, round(uplink * _PER_GBPS)), max(1, round(uplink * _PER_GBPS)))
    return found
