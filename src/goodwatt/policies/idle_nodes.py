"""Which nodes stand empty and since when, and which sleeping ones the queue needs: what policies of sleep ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from goodwatt.cluster.bitset import members
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.host_power import SLEEPS
from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.best_fit import BestFit
from goodwatt.power.facility.node_sleep import break_even_s
from goodwatt.power.facility.supply import node_facts, node_wall_w
from goodwatt.simulator.nodes import ASLEEP, WAKING
from goodwatt.simulator.view import View


class IdleNodes:
    """The memory of a policy of sleep: since when each empty node has been empty, as far as it was asked."""

    def __init__(self) -> None:
        self.since_s: dict[int, float] = {}
        self._empty = 0

    def look(self, state: ClusterState, now_s: float) -> None:
        """Note which nodes are empty now; GPU nodes that are up only."""
        empty = empty_nodes(state)
        for node in members(self._empty & ~empty):
            del self.since_s[node]
        for node in members(empty & ~self._empty):
            self.since_s[node] = now_s
        self._empty = empty

    def longest(self, count: int) -> list[tuple[int, float]]:
        """(node, since when) of so many nodes that have been empty the longest; of equals the highest numbers."""
        return sorted(self.since_s.items(), key=lambda entry: (entry[1], -entry[0]))[: max(count, 0)]

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """It will show."""

    def copy(self) -> Self:
        """An independent copy."""
        twin = type(self)()
        twin.since_s, twin._empty = dict(self.since_s), self._empty
        return twin

    def to_plain(self) -> Any:
        """(node, since when) of each."""
        return [list(entry) for entry in self.since_s.items()]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave."""
        self.since_s = {int(node): since_s for node, since_s in plain}
        self._empty = sum(1 << node for node in self.since_s)


def idle_nodes(view: View) -> IdleNodes:
    """The memory of the policy that is asked, which the class above is, as of now."""
    assert isinstance(view.memory, IdleNodes)  # noqa: S101 - its new_memory made it
    view.memory.look(view.state, view.now_s)
    return view.memory


def empty_nodes(state: ClusterState) -> int:
    """The set of nodes with GPUs that are up and of whose GPUs none is in use."""
    empty = 0
    for gpus in range(1, state.max_gpus + 1):
        empty |= state.by_free[gpus] & state.full_of[gpus]
    return empty & state.up


def pays_after_s(cluster: Cluster, node: int) -> float:
    """How long an awake node must stand idle for sleep to have been cheaper; inf if it never is."""
    facts = cluster.nodes[node]
    gpus_w = facts.gpus * (cluster.kinds[facts.gpu_kind].idle_w or 0.0)
    idle_w = node_wall_w(gpus_w, 0.0, node_facts(cluster.power))
    return break_even_s(cluster.power.sleep or SLEEPS["off"], idle_w)


def sleeping(view: View, *stages: str) -> list[int]:
    """Nodes at one of these stages of sleep."""
    return [node for node, how in view.asleep.items() if how in stages]


def needed(view: View, depth: int) -> list[int]:
    """Sleeping nodes without which some of the first `depth` jobs of each queue find no room, nor on waking ones.

    Jobs are placed one after the other, by best fit, on what is free and then on what is to come.
    """
    asleep = sleeping(view, ASLEEP)
    if not asleep or not any(pool.queue for pool in view.pools):
        return []
    coming = {node: view.state.capacity[node] for node in sleeping(view, WAKING)}
    woken: list[int] = []
    with view.what_if() as state:
        for job in _first_jobs(view, depth):
            place = BestFit().place(job, state, view)
            if place is not None:
                state.allocate(job, place.nodes, place.gpus)
            else:
                wake_for(job, state, asleep, coming, woken)
    return woken


def _first_jobs(view: View, depth: int) -> Iterator[JobRequest]:
    for pool in view.pools:
        yield from (run.spec for _, _, run in pool.queue[:depth] if run.spec.job_id not in view.held)


def wake_for(job: JobRequest, state: ClusterState, asleep: list[int], coming: dict[int, int], woken: list[int]) -> None:
    """Take room for a job on nodes that are coming, and wake more if that is not enough; nothing if it never is."""
    allowed = state.eligible(job).nodes
    left = max(job.num_gpus, 1)
    if left > state.eligible(job).largest_node:
        left -= _free_whole(state, allowed)
    one_node = left <= state.eligible(job).largest_node
    taken: dict[int, int] = {}
    candidates = [*sorted(coming, key=lambda node: coming[node]), *(node for node in asleep if node not in coming)]
    for node in candidates:
        room = coming.get(node, state.capacity[node])
        wanted = left if one_node else min(left, state.capacity[node])
        if left <= 0 or not allowed >> node & 1 or not room or room < wanted:
            continue
        taken[node] = min(room, left)
        left -= taken[node]
    if left > 0:
        return
    for node, gpus in taken.items():
        if node not in coming:
            woken.append(node)
        coming[node] = coming.get(node, state.capacity[node]) - gpus


def _free_whole(state: ClusterState, allowed: int) -> int:
    """GPUs of whole empty nodes that a gang may take."""
    return sum(state.capacity[node] for node in members(empty_nodes(state) & allowed))
