"""Batch jobs beside instances that can spare something; they leave when the load returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.harvest_memory import HarvestMemory
from goodwatt.policies.harvesting import Rules, changes, guests_of, left_behind
from goodwatt.policies.power_memory import OBSERVE_S
from goodwatt.policies.service_scaling import moments
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Harvest:
    """Places waiting jobs under MPS beside instances that still carry their load then, a share `spare` more now and at
    the load foretold for `ahead_s`; stops them when instances carry the load no longer, or latencies come near.

    A job may use `threads` per cent of the SMs at most, fewer where that is what instances can spare; it is placed only
    if it keeps `least` of its speed. It goes beside an instance that holds as many GPUs as it asks for, and nowhere
    while it fits on free ones. After jobs had to leave none comes for `hold_s`. When it goes wrong beside guests less
    is expected of instances beside guests from then on. It needs room in the GPUs' memory: `memory_share` of the
    services file; and does nothing where jobs that have just started must be left alone. The number of instances is for
    another policy: `predictive+harvest`. Source of the idea: Orion (Strati et al., EuroSys 2024).
    """

    name: ClassVar[str] = "harvest"
    sizes: ClassVar[bool] = False
    observe_s: ClassVar[float | None] = OBSERVE_S

    threads: float = 25.0
    spare: float = 0.3
    least: float = 0.1
    ahead_s: float = 600.0
    hold_s: float = 300.0

    def __post_init__(self) -> None:
        if not (0.0 < self.threads <= 100.0 and 0.0 <= self.least <= 1.0):
            raise ValueError("expected threads above 0, up to 100, and least from 0 to 1")
        if not (self.spare >= 0.0 and self.ahead_s >= 0.0 and self.hold_s >= 0.0):
            raise ValueError("expected spare, ahead_s and hold_s of at least 0")

    def new_memory(self) -> HarvestMemory:
        """Load, lengths of requests, what jobs ask of GPUs."""
        return HarvestMemory()

    def decide(self, view: View) -> Sequence[Decision]:
        """Who leaves, then who comes."""
        assert view.services is not None  # noqa: S101 - it is asked where there are services
        rules = Rules(self.threads, self.spare, self.least, self.ahead_s, self.hold_s)
        there, taken = guests_of(view), set[str]()
        decisions: list[Decision] = list(left_behind(view, there))
        quick = view.guardrails.min_run_s <= view.services.control_s
        for moment in moments(view) if quick or there else ():
            for role in moment.serving.service.pools:
                decisions += changes(view, moment, role, there, rules, taken)
        return decisions
