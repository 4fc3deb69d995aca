"""Timers: they go off once, in order, in forks and after a save as in the run itself."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import Timers, action
from goodwatt.simulator.simulation import Simulation
from tests.scenario import Nodes, cluster, simulate

WENT_OFF: list[tuple[int, float, str]] = []
"""(which run, when, what) of everything that the action below was asked to say."""


@action
def say(sim: Simulation, text: str) -> None:
    """For these tests."""
    WENT_OFF.append((id(sim), sim.now_s, text))


@pytest.fixture(autouse=True)
def silence() -> None:
    WENT_OFF.clear()


def waiting() -> Simulation:
    """A run in which nothing happens but timers."""
    return simulate([], cluster(Nodes(1)))


def told(sim: Simulation, until_s: float = 100.0) -> Sequence[tuple[float, str]]:
    sim.clock.run(until=until_s)
    return [(time_s, text) for run, time_s, text in WENT_OFF if run == id(sim)]


def test_they_go_off_by_time_then_kind_then_number() -> None:
    sim = waiting()
    sim.timers.set(5.0, Kind.SETTLE, say, "third")
    sim.timers.set(5.0, Kind.NODE, say, "first")
    sim.timers.set(5.0, Kind.NODE, say, "second")
    sim.timers.set(7.0, Kind.NODE, say, "last")
    assert told(sim) == [(5.0, "first"), (5.0, "second"), (5.0, "third"), (7.0, "last")]
    assert (sim.timers.waiting, sim.timers.count) == ({}, 4)


def test_what_has_been_cancelled_does_not_happen_and_cancelling_again_does_no_harm() -> None:
    sim = waiting()
    number = sim.timers.set(5.0, Kind.NODE, say, "never")
    other = sim.timers.set(6.0, Kind.NODE, say, "once")
    for _ in range(2):
        sim.timers.cancel(number)
    sim.timers.cancel(0)
    assert told(sim) == [(6.0, "once")]
    sim.timers.cancel(other)


def test_a_time_that_has_passed_is_now() -> None:
    sim = waiting()
    told(sim, 50.0)
    sim.timers.set(20.0, Kind.NODE, say, "late")
    assert told(sim) == [(50.0, "late")]


def test_energy_is_counted_up_to_what_happens() -> None:
    sim = waiting()
    sim.timers.set(30.0, Kind.NODE, say, "now")
    told(sim)
    assert sim.recorder.last_s == 30.0
    assert sim.recorder.totals.it_j == 30.0 * 8 * 50.0


def test_a_fork_has_its_own() -> None:
    sim = waiting()
    kept = sim.timers.set(5.0, Kind.NODE, say, "kept")
    fork = sim.fork()
    sim.timers.cancel(kept)
    assert fork.timers.set(6.0, Kind.NODE, say, "more") == sim.timers.set(8.0, Kind.NODE, say, "other")
    assert told(fork) == [(5.0, "kept"), (6.0, "more")]
    assert told(sim) == [(8.0, "other")]


def test_they_can_be_written_down() -> None:
    sim = waiting()
    sim.timers.set(5.0, Kind.NODE, say, "gone")
    sim.timers.set(6.0, Kind.SETTLE, say, "there")
    told(sim, 5.5)
    plain = json.loads(json.dumps(sim.timers.to_plain()))
    assert plain == [2, [[2, 6.0, int(Kind.SETTLE), "say", ["there"]]]]
    again = waiting()
    again.timers = Timers(again)
    again.timers.load_plain(plain)
    again.timers.restart()
    assert again.timers.waiting == sim.timers.waiting
    assert told(again) == [(6.0, "there")]
