"""What would be granted if some jobs left and others started, made up step by step; the book itself stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from goodwatt.cluster.state import NodeCounts

if TYPE_CHECKING:
    from goodwatt.simulator.power.power_book import PowerBook


class NodeMost(NamedTuple):
    """The most that a node may draw: watts of its GPUs, how many of them are held, microwatts at the feed."""

    gpu_w: float
    held: int
    wall_uw: int


class PowerPlan:
    """Starts and departures at one instant, on top of a book: to ask about one costs as much as it has nodes."""

    __slots__ = ("_book", "_gone", "_granted_uw", "_nodes")

    def __init__(self, book: PowerBook, leaving: Iterable[str] = ()) -> None:
        self._book, self._gone = book, frozenset[str]()
        self._granted_uw = book.granted_uw[:]
        self._nodes: dict[int, NodeMost] = {}
        self.leave(leaving)

    def leave(self, jobs: Iterable[str]) -> None:
        """Running jobs give their GPUs back."""
        before = self._gone
        more = [job_id for job_id in dict.fromkeys(jobs) if job_id not in before]  # in an order that every run has
        self._gone = before.union(more)
        for node in self._book.nodes_of(more):
            old, new = self._book.without(node, before), self._book.without(node, self._gone)
            self._put(node, self._book.other(node, self._of(node), new.gpu_w - old.gpu_w, new.held - old.held))

    def shortage(self, nodes: NodeCounts, cap_w: float) -> str | None:
        """Why a job may not start on so many idle GPUs of these nodes under this cap, W; None if it may."""
        more: dict[int, int] = {}
        for node, count in nodes:
            at = self._of(node)
            uw = self._with(node, count, cap_w).wall_uw - at.wall_uw
            for level in self._book.path[node]:
                more[level] = more.get(level, 0) + uw
        return self._book.excess({level: self._granted_uw[level] + uw for level, uw in more.items()})

    def start(self, nodes: NodeCounts, cap_w: float) -> None:
        """A job starts there."""
        for node, count in nodes:
            self._put(node, self._with(node, count, cap_w))

    def copy(self) -> PowerPlan:
        """To try something that may not be wanted."""
        twin = object.__new__(PowerPlan)
        twin._book, twin._gone = self._book, self._gone
        twin._granted_uw, twin._nodes = self._granted_uw[:], dict(self._nodes)
        return twin

    def _of(self, node: int) -> NodeMost:
        return self._nodes.get(node) or self._book.of(node)

    def _with(self, node: int, gpus: int, cap_w: float) -> NodeMost:
        """With so many of its idle GPUs more in use."""
        return self._book.other(node, self._of(node), gpus * (cap_w - self._book.idle_w(node)), gpus)

    def _put(self, node: int, most: NodeMost) -> None:
        before_uw = self._of(node).wall_uw
        for level in self._book.path[node]:
            self._granted_uw[level] += most.wall_uw - before_uw
        self._nodes[node] = most
