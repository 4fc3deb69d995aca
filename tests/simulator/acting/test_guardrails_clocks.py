"""Guardrails on clocks: no lock, no cap and no neighbour slows a job beyond what is allowed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from goodwatt.simulator.decisions import (
    Group,
    Migrate,
    Place,
    SetCap,
    SetClock,
)
from tests.scenario import Nodes, cluster, scripted, simulate
from tests.simulator.acting.guardrails_runs import COMPUTING, clock_of, guarded, reasons, until

ONE_V100 = cluster(Nodes(1, 2, "V100"))


@pytest.mark.parametrize(
    ("limits", "least_mhz"),
    [({}, 135.0), ({"min_clock_mhz": 900.0}, 900.0), ({"max_slowdown": 1.25}, 1104.0), ({"max_slowdown": 1.3}, 1062.0)],
)
def test_a_lock_is_raised_to_what_is_allowed(limits: dict[str, float], least_mhz: float) -> None:
    policy = scripted((0.0, Place("a", ((0, 1),), clock_mhz=1.0)), (50.0, SetClock("a", 2.0)))
    sim = until(simulate([COMPUTING], ONE_V100, policy, options=guarded("full", **limits)), 40)
    assert least_mhz <= clock_of(sim) < least_mhz + 7.5
    assert least_mhz <= clock_of(until(sim, 90)) < least_mhz + 7.5
    assert not sim.executor.refusals


def test_a_cap_that_holds_the_clock_too_low_is_taken_back_when_it_has_settled() -> None:
    policy = scripted((0.0, Place("a", ((0, 1),))), (50.0, SetCap("a", 100.0)))
    free = until(simulate([COMPUTING], ONE_V100, policy, options=guarded("full")), 90)
    assert clock_of(free) < 1104
    sim = until(simulate([COMPUTING], ONE_V100, policy, options=guarded("full", max_slowdown=1.25)), 90)
    assert sim.live["a"].cap_w is None
    assert clock_of(sim) >= 1104
    (refusal,) = sim.executor.refusals
    assert refusal.decision == SetCap("a", 100.0)
    assert 50.0 < refusal.time_s < 50.5
    assert "taken back" in refusal.reason


def test_a_job_that_starts_under_too_low_a_cap_goes_on_without_it() -> None:
    policy = scripted((0.0, Place("a", ((0, 1),), cap_w=100.0)))
    sim = until(simulate([COMPUTING], ONE_V100, policy, options=guarded("full", min_clock_mhz=1000.0)), 40)
    assert (sim.live["a"].cap_w, len(sim.executor.refusals)) == (None, 1)
    assert clock_of(sim) >= 1000


def test_a_cap_that_was_high_enough_is_taken_back_when_a_neighbour_makes_it_too_low() -> None:
    jobs = [COMPUTING, replace(COMPUTING, job_id="b", submit_s=50.0)]
    place = Place("b", (), beside="a", sharing="mps")
    policy = scripted((0.0, Place("a", ((0, 1),), cap_w=130.0)), (50.0, place))
    options = guarded("full", min_clock_mhz=1150.0)
    sim = until(simulate(jobs, ONE_V100, policy, options=options), 40)
    assert sim.live["a"].cap_w == 130.0
    assert until(sim, 60).live["a"].cap_w is None
    assert clock_of(sim) >= 1150


def test_the_last_wish_for_a_clock_does_not_drop_the_one_for_a_cap() -> None:
    policy = scripted((0.0, Place("a", ((0, 1),))), (50.0, SetClock("a", 900.0)), (50.0, SetCap("a", 120.0)))
    sim = until(simulate([COMPUTING], ONE_V100, policy, options=guarded("full")), 60)
    assert (sim.live["a"].clock_mhz, sim.live["a"].cap_w) == (900.0, 120.0)


@pytest.mark.parametrize("wish", [{"cap_w": 99.0}, {"cap_w": 251.0}, {"cap_w": math.nan}, {"clock_mhz": 0.0}])
@pytest.mark.parametrize("grouped", [False, True])
def test_boards_refuse_what_they_cannot_do(wish: dict[str, Any], grouped: bool) -> None:
    place = Place("a", ((0, 1),), **wish)
    sim = simulate(
        [COMPUTING], ONE_V100, scripted((0.0, Group((place,)) if grouped else place)), options=guarded("full")
    )
    sim.run()
    assert len(reasons(sim)) == 1
    assert not sim.live["a"].placement
    assert "caps from 100 to 250 W" in reasons(sim)[0] or "a clock above 0" in reasons(sim)[0]


def test_a_lock_goes_along_to_another_kind_within_its_limits_and_a_cap_only_where_boards_take_it() -> None:
    both = cluster(Nodes(1, 1, "V100"), Nodes(1, 1, "H200"))
    policy = scripted(
        (0.0, Place("a", ((0, 1),), clock_mhz=1.0)), (10.0, SetCap("a", 150.0)), (20.0, Migrate("a", ((1, 1),)))
    )
    sim = until(simulate([COMPUTING], both, policy, options=guarded("full", max_slowdown=2.0)), 30)
    assert (sim.live["a"].clock_mhz, sim.live["a"].cap_w) == (990.0, None)
    policy = scripted((0.0, Place("a", ((0, 1),), clock_mhz=1.0)), (20.0, Migrate("a", ((1, 1),))))
    sim = until(simulate([COMPUTING], both, policy, options=guarded("full", max_slowdown=2.0)), 30)
    assert sim.live["a"].clock_mhz == 990.0


@pytest.mark.parametrize("wish", [{"cap_w": 99.0}, {"cap_w": 251.0}, {"clock_mhz": -1.0}])
def test_boards_refuse_a_move_with_what_they_cannot_do(wish: dict[str, Any]) -> None:
    two = cluster(Nodes(2, 1, "V100"))
    policy = scripted((0.0, Place("a", ((0, 1),))), (20.0, Migrate("a", ((1, 1),), **wish)))
    sim = until(simulate([COMPUTING], two, policy, options=guarded("full")), 30)
    assert len(reasons(sim)) == 1
    assert "caps from 100 to 250 W" in reasons(sim)[0] or "a clock above 0" in reasons(sim)[0]
    assert sim.live["a"].placement == ((0, 1),)
