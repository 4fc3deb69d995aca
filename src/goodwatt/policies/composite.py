"""A policy out of an order and a placement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from goodwatt.policies.order import Order, Placement
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.job_run import JobRun
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

    def new_memory(self) -> Memory:
        """The order's."""
        return self.order.new_memory()

    def queue_key(self, run: JobRun, view: View) -> Any:
        """The order's."""
        return self.order.queue_key(run, view)

    def decide(self, view: View) -> Sequence[Decision]:
        """The order's decisions with this placement."""
        return self.order.decide(view, self.placement)
