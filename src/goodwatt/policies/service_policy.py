"""The contract of a service policy: how many instances, where, at which clocks, and what may run beside them.

Like a scheduling policy it is a pure function of a view, whose `services` it reads; what it carries along is its
memory. It is asked at every control (`View.services.due`). Several are combined by a plus sign, and decide in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.policy import Memory, NoMemory
from goodwatt.simulator.view import View


class ServicePolicy(Protocol):
    """What decides about services."""

    @property
    def name(self) -> str:
        """What a specification calls it. `sizes = False` beside it says that others decide how many instances run."""

    def new_memory(self) -> Memory:
        """What it carries from control to control."""

    def decide(self, view: View) -> Sequence[Decision]:
        """The decisions for this control."""


@dataclass(frozen=True, slots=True)
class SteadyServices:
    """Base of service policies without a memory."""

    name: ClassVar[str] = ""

    def new_memory(self) -> Any:
        """None needed."""
        return NoMemory()

    def decide(self, view: View) -> Sequence[Decision]:  # noqa: ARG002 - the contract
        """Nothing."""
        return ()
