"""How many GPUs a power budget can feed: what an order that stops jobs has to give, beside the GPUs themselves."""

from __future__ import annotations

from collections.abc import Mapping

from goodwatt.cluster.cluster import Cluster
from goodwatt.policies.job_budget import NOTHING_MORE, floor_of
from goodwatt.power.facility.supply import node_facts, node_wall_w
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.power.power_book import NO_LIMIT
from goodwatt.simulator.power.power_room import PowerRoom

STEPS = 256
"""Shares are multiples of one in so many."""
KEPT_BACK = 0.02
"""Of every limit: jobs do not spread as evenly over nodes as is taken here, and who finds no power undoes a round."""


def fed_shares(
    cluster: Cluster, room: PowerRoom, floor_share: float, more_w: Mapping[int, float] = NOTHING_MORE
) -> tuple[float, ...]:
    """The share of each node's GPUs, 0 to 1, that may be in use at once with at least their floors.

    All nodes below a limit are taken to be equally full. `more_w`: watts by node that services need above the floors of
    its GPUs.
    """
    below: list[list[int]] = [[] for _ in room.names]
    for node, path in enumerate(room.path):
        for level in path:
            below[level].append(node)
    shares = [
        1.0 if limit >= NO_LIMIT else _share(cluster, nodes, _left_w(limit, nodes, more_w), floor_share)
        for nodes, limit in zip(below, room.limit_uw, strict=True)
    ]
    return tuple(min(shares[level] for level in path) for path in room.path)


def _left_w(limit_uw: int, nodes: list[int], more_w: Mapping[int, float]) -> float:
    return limit_uw / MICRO * (1.0 - KEPT_BACK) - sum(more_w.get(node, 0.0) for node in nodes)


def _share(cluster: Cluster, nodes: list[int], limit_w: float, floor_share: float) -> float:
    """The greatest share of these nodes' GPUs with which they stay within a limit at their feeds."""
    low, high = 0, STEPS + 1
    while high - low > 1:
        middle = (low + high) // 2
        if sum(_wall_w(cluster, node, middle / STEPS, floor_share) for node in nodes) <= limit_w:
            low = middle
        else:
            high = middle
    return low / STEPS


def _wall_w(cluster: Cluster, node: int, share: float, floor_share: float) -> float:
    facts = cluster.nodes[node]
    kind = cluster.kinds[facts.gpu_kind]
    gpu_w = (1.0 - share) * (kind.idle_w or 0.0) + share * floor_of(kind, floor_share)
    return node_wall_w(facts.gpus * gpu_w, share, node_facts(cluster.power))
