"""A run that goes on twice: an independent copy of all that changes, facts shared.

What belongs to a fork is what a file of `saved_run` holds; the two are kept in step by the tests of both.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sortedcontainers import SortedSet

from goodwatt.simulator.acting.executor import Executor
from goodwatt.simulator.world import meter_of, new_view, show

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation


def forked(sim: Simulation) -> Simulation:
    """The copy, on a clock of its own."""
    twin = object.__new__(type(sim))
    twin.__dict__.update(sim.__dict__)
    twin.state = sim.state.copy()
    twin.quotas = sim.quotas and sim.quotas.copy()
    twin.recorder = sim.recorder.copy()
    twin.refused = dict(sim.refused)
    twin.live = {job_id: run.copy() for job_id, run in sim.live.items()}
    twin.services = sim.services and sim.services.copy(twin.live)
    twin.pools = {name: pool.copy(twin.live) for name, pool in sim.pools.items()}
    rng = random.Random()
    rng.setstate(sim.view.random.getstate())
    twin.view = new_view(twin, sim.view.memory.copy(), rng)
    twin.view.now_s = sim.view.now_s
    twin.asleep, twin.away = dict(sim.asleep), dict(sim.away)
    twin.physics = sim.physics.copy(twin.state, twin.live)
    twin.racks = sim.racks.copy(meter_of(twin.physics))
    twin.ramp = sim.ramp and sim.ramp.copy(twin.physics)  # type: ignore[arg-type] # as for the book
    twin.book = sim.book and sim.book.copy(twin.physics, twin.asleep)  # type: ignore[arg-type] # the one it was made for
    twin.timers, twin.resetting = sim.timers.copy(twin), dict(sim.resetting)
    twin.late = SortedSet(sim.late)
    twin.failures = sim.failures and sim.failures.copy()
    show(twin)
    twin.executor = Executor(twin)
    twin.executor.refusals = sim.executor.refusals[:]
    twin.view.late, twin.view.kept = sim.view.late, sim.view.kept
    twin.set_going(sim.now_s)
    return twin
