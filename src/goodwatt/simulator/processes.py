"""The SimPy processes of a run: what happens by itself.

They hold no state: every loop reads and writes fields of the simulation, so a fork starts them anew and they go on
where the original's stood.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from goodwatt.simulator.events.clock import Kind

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation

Process = Generator[Event, Any, None]


def arrivals(sim: Simulation) -> Process:
    """Jobs are submitted."""
    while sim.next_arrival < len(sim.jobs):
        yield sim.clock.at(sim.jobs[sim.next_arrival].submit_s, Kind.ARRIVAL)
        sim.admit()


def scheduler(sim: Simulation) -> Process:
    """A decision falls due after something happened, or at the next multiple of the decision interval."""
    while True:
        yield sim.round
        sim.open_round()


def outages(sim: Simulation) -> Process:
    """Nodes go away and come back."""
    while sim.next_outage < len(sim.outages):
        time_s, _, _ = sim.outages[sim.next_outage]
        yield sim.clock.at(time_s, Kind.NODE)
        sim.change_node()


def marks(sim: Simulation) -> Process:
    """The warm-up ends, and so does the horizon."""
    while sim.next_mark < len(sim.marks):
        time_s, name = sim.marks[sim.next_mark]
        yield sim.clock.at(time_s, Kind.HORIZON)
        sim.pass_mark(name)
