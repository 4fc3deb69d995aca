"""When a run is over although jobs still wait: nothing runs, nobody comes any more, and policies only go on asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation

STANDSTILL_S = 30 * 86_400.0
"""Assumed: nothing starts after so long. Repairs take hours, and prices repeat within weeks."""
STANDSTILL_BESIDE_SERVICES_S = 86_400.0
"""Services have their rhythm of the day: a job that found no GPUs in one finds none."""


def reached(sim: Simulation) -> bool:
    """Whether nothing has run for so long, with nobody left to come, that nothing ever will."""
    now: float = sim.clock.now
    to_come = sim.next_arrival < len(sim.jobs) or sim.next_mark < len(sim.marks) or _serving(sim)
    if to_come or sim.running_and_queued()[0]:
        sim.still_since_s = now
    most_s = STANDSTILL_S if sim.services is None else STANDSTILL_BESIDE_SERVICES_S
    return now - sim.still_since_s > most_s


def _serving(sim: Simulation) -> bool:
    """Whether requests are still to come, or to be answered by somebody who is there."""
    services = sim.services
    return services is not None and not sim.served and (sim.clock.now < services.ends_s or services.holding > 0)
