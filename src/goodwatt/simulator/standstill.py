"""When a run is over although jobs still wait: nothing runs, nobody comes any more, and policies only go on asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation

STANDSTILL_S = 30 * 86_400.0
"""Assumed: nothing starts after so long. Repairs take hours, and prices repeat within weeks."""


def reached(sim: Simulation) -> bool:
    """Whether nothing has run for so long, with nobody left to come, that nothing ever will."""
    now: float = sim.clock.now
    if sim.state.placements or sim.next_arrival < len(sim.jobs) or sim.next_mark < len(sim.marks):
        sim.still_since_s = now
    return now - sim.still_since_s > STANDSTILL_S
