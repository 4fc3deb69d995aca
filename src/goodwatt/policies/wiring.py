"""Domains of a cluster, from the NVLink domains inside a node to racks, and the tightest one that holds a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import or_

from goodwatt.cluster.bitset import bitset, first, members
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.gang import gang_nodes
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.state import ClusterState, NodeCounts, host_share
from goodwatt.policies.per_state import PerState

APART = 1 << 20
"""More GPUs than any node has: half of it is added to what is left over if a job would be spread over domains."""


class Wiring:
    """Facts of a cluster as sets of nodes: `split` are the nodes of several NVLink domains.

    `levels` are the domains of nodes, smallest level first: NVLink domains that reach beyond a node, then racks.
    """

    def __init__(self, cluster: Cluster) -> None:
        nodes = cluster.nodes
        self.split = bitset(i for i, node in enumerate(nodes) if len(node.domains) > 1)
        levels = (_groups([node.clique for node in nodes]), _groups([node.rack for node in nodes]))
        self.levels = tuple(level for level in levels if level)


def _groups(names: Sequence[str | None]) -> tuple[int, ...]:
    found: dict[str, int] = {}
    for node, name in enumerate(names):
        if name is not None:
            found[name] = found.get(name, 0) | 1 << node
    return tuple(found.values())


wiring: PerState[Wiring] = PerState(lambda state: Wiring(state.cluster))
"""The wiring of a state's cluster, looked up once."""


def free_gpus(nodes: int, state: ClusterState) -> int:
    """Wholly free GPUs on these nodes."""
    return sum(free * (state.by_free[free] & nodes).bit_count() for free in range(1, state.max_gpus + 1))


# one node --------------------------------------------------------------------------------------------------------


def tightest_node(job: JobRequest, state: ClusterState) -> int | None:
    """The node whose smallest domain that holds the job has the fewest GPUs left over; None if no node holds it.

    Among equals: the node, then the NVLink domain of nodes, then the rack with the fewest free GPUs, then the lowest.
    """
    nodes = _least_left_over(job, state)
    if not nodes:
        return None
    for level in wiring(state).levels:
        nodes = _in_fullest(nodes, level, state)
    return first(nodes)


def _least_left_over(job: JobRequest, state: ClusterState) -> int:
    """The nodes with the least left over in the domain, then in the node."""
    if job.gpu_milli < WHOLE_GPU_MILLI or not job.num_gpus:
        first_found = next((nodes for _, nodes in state.single_node(job) if nodes), 0)
        return next((found for free in state.by_free if (found := free & first_found)), 0)
    split = wiring(state).split
    best, chosen = (APART, 0), 0
    for free, nodes in state.single_node(job):
        for key, found in _by_left_over(job.num_gpus, free, nodes, split, state):
            if key <= best:
                best, chosen = key, found | (chosen if key == best else 0)
    return chosen


def _by_left_over(
    gpus: int, free: int, nodes: int, split: int, state: ClusterState
) -> Iterator[tuple[tuple[int, int], int]]:
    """((left over in the domain, free GPUs), nodes) of nodes with so many free GPUs."""
    if whole := nodes & ~split:
        yield (free - gpus, free), whole
    for node in members(nodes & split):
        yield (_left_over(state.free_mask[node], state.cluster.nodes[node].domains, gpus), free), 1 << node


@lru_cache(maxsize=65_536)
def _left_over(free_mask: int, domains: tuple[int, ...], gpus: int) -> int:
    """GPUs left over in the tightest NVLink domain that has so many free; if none has, in the node, plus a lot."""
    free = [(domain & free_mask).bit_count() for domain in domains]
    return min((count - gpus for count in free if count >= gpus), default=free_mask.bit_count() - gpus + APART // 2)


def _in_fullest(nodes: int, domains: Sequence[int], state: ClusterState) -> int:
    """Those of `nodes` that are in the domain with the fewest free GPUs; all if none is in a domain."""
    if nodes.bit_count() == 1:
        return nodes
    touched = [domain for domain in domains if domain & nodes]
    return min(touched, key=lambda domain: free_gpus(domain, state)) & nodes if touched else nodes


# several nodes ---------------------------------------------------------------------------------------------------


def gang_in_domains(job: JobRequest, state: ClusterState) -> NodeCounts | None:
    """Nodes for a gang in the smallest domain that holds it, or else in as few as possible; None if it does not fit."""
    if gang_nodes(job, state) is None:
        return None
    for among in _domains_for(job, state):
        nodes = gang_nodes(job, state, among)
        if nodes is not None:
            return _tighten(job, state, nodes, among)
    return None


def _domains_for(job: JobRequest, state: ClusterState) -> Iterator[int]:
    """Sets of nodes to try: each domain, fullest first, level by level; the emptiest together; all nodes."""
    usable = state.eligible(job).nodes
    levels = [sorted((free_gpus(domain & usable, state), domain) for domain in level) for level in wiring(state).levels]
    for level in levels:
        yield from (domain for free, domain in level if free >= job.num_gpus)
    if levels:
        united = accumulate((domain for _, domain in reversed(levels[0])), or_)
        yield from (nodes for nodes in united if free_gpus(nodes & usable, state) >= job.num_gpus)
    yield -1


def _tighten(job: JobRequest, state: ClusterState, nodes: NodeCounts, among: int) -> NodeCounts:
    """Move what does not fill a node from the emptiest node to the one with the fewest GPUs left over."""
    *full, (last, count) = nodes
    if count == state.capacity[last]:
        return nodes
    allowed = state.eligible(job).nodes & among & ~bitset(node for node, _ in full)
    for free in range(count, state.max_gpus + 1):
        fitting = state.host_fit(state.by_free[free] & allowed, *host_share(job, count))
        if fitting:
            return (*full, (first(fitting), count))
    return nodes
