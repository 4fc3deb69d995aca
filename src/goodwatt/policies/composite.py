"""A policy out of an order and a placement.

A placement that learns has a memory of its own, beside the order's: it then defines `new_memory`, and `observe_s` if it
wants to see telemetry. The order never notices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.memories import Memories, parts_of, remembering, soonest
from goodwatt.policies.order import Order, Placement
from goodwatt.simulator.decisions import Decision, Place
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import Memory
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Composite:
    """What the specification `order+placement` makes."""

    name: str
    order: Order
    placement: Placement

    @property
    def oracle(self) -> bool:
        """As the order is."""
        return self.order.oracle

    @property
    def preemptive(self) -> bool:
        """As the order is."""
        return self.order.preemptive

    @property
    def head_only(self) -> bool:
        """As the order is."""
        return self.order.head_only

    @property
    def observe_s(self) -> float | None:
        """When the order or the placement wants to see telemetry."""
        return soonest(*(getattr(part, "observe_s", None) for part in (self.order, self.placement)))

    @property
    def _learns(self) -> bool:
        return hasattr(self.placement, "new_memory")

    def new_memory(self) -> Memory:
        """The order's; beside it the placement's, if it has one."""
        memory = self.order.new_memory()
        of_placement: Callable[[], Memory] | None = getattr(self.placement, "new_memory", None)
        return memory if of_placement is None else Memories((memory, of_placement()))

    def queue_key(self, run: JobRun, view: View) -> Any:
        """The order's."""
        if not self._learns:
            return self.order.queue_key(run, view)
        with remembering(view, parts_of(view)[0]):
            return self.order.queue_key(run, view)

    def decide(self, view: View) -> Sequence[Decision]:
        """The order's decisions with this placement."""
        if not self._learns:
            return self.order.decide(view, self.placement)
        order, placement = parts_of(view)
        with remembering(view, order):
            return self.order.decide(view, _Learning(self.placement, placement))


@dataclass(frozen=True, slots=True)
class _Learning:
    """A placement with its memory, as an order asks it."""

    name: ClassVar[str] = "with its memory"

    placement: Placement
    memory: Memory

    @property
    def shares(self) -> bool:
        return getattr(self.placement, "shares", False)

    def place(self, job: JobRequest, state: ClusterState, view: View) -> Place | None:
        with remembering(view, self.memory):
            return self.placement.place(job, state, view)
