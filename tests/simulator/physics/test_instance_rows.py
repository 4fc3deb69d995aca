"""Instances told all at once: sums of nodes are those of their GPUs, whoever comes and goes, whatever is set."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from goodwatt.cluster.bitset import members
from goodwatt.simulator.decisions import Decision, Drain, Place, SetCap, SetClock
from goodwatt.simulator.physics.full import FullPhysics
from goodwatt.simulator.physics.instance_rows import InstanceDraws
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.services import instance_draw
from goodwatt.simulator.services.fleet import Report
from goodwatt.simulator.services.instance_draw import draws_of
from goodwatt.simulator.services.services_state import Services
from goodwatt.simulator.simulation import Simulation
from goodwatt.traces.requests.generate import class_source
from tests.simulator.services.test_service_run import CHAT, services_of, simulation

EVENTS: dict[float, Decision] = {
    100.0: SetClock("chat/0", 990.0),
    150.0: SetCap("chat/1", 300.0),
    200.0: Drain("chat/2"),
    300.0: Place("chat/2", ((1, 1),)),
    400.0: SetClock("chat/0", None),
}


@pytest.mark.parametrize("beside", [0, 6])
def test_what_nodes_draw_is_what_their_gpus_draw(beside: int) -> None:
    sim, looked = simulation(CHAT, jobs=beside), 0
    events = dict(EVENTS)
    while (view := sim.advance()) is not None:
        decisions = list(sim.policy.decide(view)) if sim.now_s == 0.0 or beside else []
        due = [events.pop(time_s) for time_s in sorted(events) if time_s <= sim.now_s]
        sim.apply([*decisions, *(one for one in due if not isinstance(one, Place) or not beside)])
        looked += _agree(sim, look=sim.now_s % 3 < 1)
    assert looked > 30


def _agree(sim: Simulation, look: bool) -> int:
    """Sums against parts; `look` at them only now and then, as others do, so that much is told before."""
    physics = cast("FullPhysics", sim.physics)
    if not look:
        return 0
    for node in range(len(physics._book.parts)):
        physics._bring(node)
        parts = [sum(column) for column in zip(*physics._book.parts[node], strict=True)]
        assert list(physics.meter.parts[node][:4]) == parts
    clocks = [round(p.clock_mhz * 1000.0) for points in physics._gpus.points for p in points if p is not None]
    assert physics.clocks() == (sum(clocks) / 1000.0, len(clocks))
    for instance in services_of(sim).instances.values():
        node_parts = [physics._book.parts[n][g] for n, mask in instance.run.placement for g in members(mask)]
        if node_parts:
            assert instance.run._truth.power_w == pytest.approx(sum(map(sum, node_parts)) / MICRO, rel=1e-12)
    return 1


GUEST_S = 100.0
LEAN = replace(CHAT, memory_share=0.4, min_replicas=1, max_replicas=1)


def _with_guest(rate: float) -> Simulation:
    """Two instances on a node each, one with so many requests a second; a job comes beside it for about 200 s."""
    rates = {"chat": rate, "talk": 10.0}
    sources = {name: class_source("chat", mean_per_s=each, seed=2, peak_to_trough=1.0) for name, each in rates.items()}
    return simulation(*[replace(LEAN, name=name, requests=source) for name, source in sources.items()], jobs=1)


def _step(sim: Simulation) -> bool:
    """To the next decision, and that."""
    if sim.advance() is None:
        return False
    if sim.now_s == 0.0:
        sim.apply([Place("chat/0", ((0, 1),)), Place("talk/0", ((1, 1),))])
    elif sim.now_s == GUEST_S:
        sim.apply([Place("j0", (), beside="chat/0", sharing="mps", thread_percent=50.0)])
    else:
        sim.apply([])
    return True


def _end(sim: Simulation) -> list[float | None]:
    while _step(sim):
        pass
    assert not sim.executor.refusals
    assert list(sim.live) == ["chat/0", "talk/0"]
    return [instance.run._truth.energy_j for instance in services_of(sim).instances.values()]


def test_forks_leave_the_run_as_it_is() -> None:
    """They bring its books up to date; who comes beside an instance meets what that does now, with them or without."""
    alone, watched = _with_guest(11.0), _with_guest(11.0)
    while _step(watched) and watched.now_s < 2 * GUEST_S:
        watched.fork()
    assert _end(alone) == _end(watched)


def test_a_fork_has_the_same_to_itself() -> None:
    """An instance whose guest has left is told as any other again, in the run and in its fork."""
    sim = _with_guest(10.0)
    while _step(sim) and sim.now_s < 4 * GUEST_S:
        pass
    assert "j0" not in sim.live
    twin = sim.fork()
    assert _end(sim) == _end(twin)


def test_each_gpu_draws_as_its_chip_does_where_no_cap_goes_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told at once is what settling finds: under so low a cap, the lowest clock of each chip."""

    def all_they_can(services: Services, report: Report) -> InstanceDraws:
        told = draws_of(services, report)
        return replace(told, sm_w=np.full_like(told.sm_w, 1e3))

    monkeypatch.setattr(instance_draw, "draws_of", all_they_can)
    few = class_source("chat", mean_per_s=1.0, seed=1, peak_to_trough=1.0)  # so that nothing is at risk
    sim = simulation(replace(CHAT, tensor_parallel=2, min_replicas=1, max_replicas=1, requests=few), jobs=0)
    physics = cast("FullPhysics", sim.physics)
    while (view := sim.advance()) is not None and sim.now_s < 60.0:
        sim.apply([*sim.policy.decide(view), *([SetCap("chat/0", 200.0)] if sim.now_s == 20.0 else [])])
    run = services_of(sim).instances["chat/0"].run
    ((node, mask),) = run.placement
    physics._bring(node)
    brought = [physics._book.parts[node][gpu] for gpu in members(mask)]
    assert len(set(brought)) == 2
    assert physics.gpu_w(node, 0) > 200.0
    physics.reset(run)
    sim.follow()
    assert brought == [physics._book.parts[node][gpu] for gpu in members(mask)]
