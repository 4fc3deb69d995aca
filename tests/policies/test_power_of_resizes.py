"""Elastic jobs under power policies: what a gang that grows or shrinks may draw, and what it is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from goodwatt.cluster.job import Job
from goodwatt.policies.power_registry import with_power
from goodwatt.simulator.decisions import Decision, Place, Preempt, Resize, SetCap
from goodwatt.simulator.simulation import Simulation
from tests.policies.power.test_budget import FULL, hall, training
from tests.scenario import EVERY_EVENT, Scripted, step

Script = Mapping[float, Sequence[Decision]]
OTHERS = ((2, 8), (3, 8))
ONE, TWO, ALL = (tuple((node, 8) for node in range(count)) for count in (1, 2, 4))


def elastic(job_id: str = "a", gpus: int = 16, duration_s: float = 5_000.0) -> Job:
    """685 W on each H100 unless it is capped."""
    return training(job_id, gpus, 0.0, duration_s, min_gpus=8, max_gpus=32)


def run_of(script: Script, power: str = "budget", budget_w: float | None = 22_000.0, *more: Job) -> Simulation:
    policy = with_power(Scripted(script), power)
    return Simulation([elastic(), *more], hall(), policy, EVERY_EVENT, replace(FULL, budget_w=budget_w))


def until(sim: Simulation, time_s: float) -> Simulation:
    """Run on; at every event no more is drawn than was granted, and no more granted than there is."""
    while not sim.stopped and (sim.deciding or sim.clock.peek() <= time_s):
        step(sim)
        if sim.book is not None:
            assert sum(sim.racks.meter.wall_uw) <= sim.book.granted_uw[0] <= sim.book.limit_uw[0]  # type: ignore[union-attr]
    return sim


def reasons(sim: Simulation) -> list[str]:
    return [refusal.reason for refusal in sim.executor.refusals]


def test_a_gang_grows_where_there_is_power_and_gets_all_that_it_wants() -> None:
    sim = until(run_of({0.0: [Place("a", TWO)], 400.0: [Resize("a", ALL)]}, budget_w=40_000.0), 1_000.0)
    assert not reasons(sim)
    assert (sim.live["a"].spec.num_gpus, sim.live["a"].cap_w) == (32, None)
    assert sum(sim.physics.power()) > 29_000


def test_a_gang_keeps_its_cap_on_the_gpus_that_it_gets_until_the_budget_is_divided_anew() -> None:
    """The cap that it had beside another fits when the other goes and it takes its GPUs in the same breath."""
    script: Script = {
        0.0: [Place("a", TWO)],
        5.0: [Place("b", OTHERS)],  # held back, and the first comes down for it
        50.0: [Place("b", OTHERS)],
        900.0: [Preempt("a"), Resize("b", ALL)],
        2_000.0: [Resize("b", ONE)],
    }
    sim = until(run_of(script, "budget", 22_000.0, elastic("b")), 899.0)
    run = sim.live["b"]
    before_w = run.cap_w
    assert before_w is not None
    until(sim, 900.0)
    assert not reasons(sim)
    assert (run.spec.num_gpus, run.cap_w) == (32, before_w)
    until(sim, 1_900.0)
    assert 20_000 < sum(sim.physics.power()) <= 22_000
    until(sim, 3_000.0)
    assert run.spec.num_gpus == 8
    assert (run.cap_w or 700.0) > before_w + 200.0, "fewer may draw more"


def test_a_gang_that_grows_comes_down_to_what_there_is_power_for() -> None:
    """It is faster on all nodes under a lower cap than on half of them without."""
    sim = until(run_of({0.0: [Place("a", TWO)], 400.0: [Resize("a", ALL)]}), 399.0)
    run = sim.live["a"]
    before = run._truth.rate
    assert run.cap_w is None
    until(sim, 1_500.0)
    assert not reasons(sim)
    assert run.spec.num_gpus == 32
    assert run.cap_w is not None
    assert 400.0 < run.cap_w < 500.0
    assert run._truth.rate > 1.5 * before


def test_growth_for_which_not_even_the_floor_is_there_waits() -> None:
    sim = until(run_of({0.0: [Place("a", TWO)], 400.0: [Resize("a", ALL)]}, budget_w=13_000.0), 1_500.0)
    assert not reasons(sim)
    assert sim.live["a"].spec.num_gpus == 16


def test_a_clock_is_chosen_for_the_new_size() -> None:
    sim = run_of({0.0: [Place("a", ONE)], 400.0: [Resize("a", TWO)]}, "static", None)
    before_mhz = until(sim, 399.0).live["a"].clock_mhz
    assert before_mhz is not None
    run = until(sim, 401.0).live["a"]
    assert run.spec.num_gpus == 16
    assert run.clock_mhz == pytest.approx(before_mhz, rel=0.05)


# what a decision may say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resize", "expected"),
    [
        (Resize("a", ONE), (1_500.0, 500.0)),
        (Resize("a", ONE, clock_mhz=None), (None, 500.0)),
        (Resize("a", ONE, cap_w=400.0), (1_500.0, 400.0)),
        (Resize("a", ONE, clock_mhz=1_200.0, cap_w=None), (1_200.0, None)),
    ],
)
def test_a_resize_may_bring_a_setting(resize: Resize, expected: tuple[float | None, float | None]) -> None:
    start = Place("a", TWO, clock_mhz=1_500.0, cap_w=500.0)
    sim = Simulation([elastic()], hall(), Scripted({0.0: [start], 50.0: [resize], 60.0: []}), EVERY_EVENT, FULL)
    until(sim, 60.0)
    assert not reasons(sim)
    assert (sim.live["a"].clock_mhz, sim.live["a"].cap_w) == expected


def test_a_lower_cap_is_there_at_once_and_what_was_asked_for_before_is_forgotten() -> None:
    script: Script = {
        0.0: [Place("a", TWO)],
        50.0: [SetCap("a", 600.0), Resize("a", ONE, cap_w=400.0)],
        60.0: [],
    }
    sim = Simulation([elastic()], hall(), Scripted(dict(script)), EVERY_EVENT, FULL)
    assert until(sim, 50.0).live["a"].cap_w == 400.0
    assert until(sim, 60.0).live["a"].cap_w == 400.0


@pytest.mark.parametrize("cap_w", [1.0, 5_000.0])
def test_a_cap_that_no_board_takes_is_refused_and_nothing_happens(cap_w: float) -> None:
    script: Script = {0.0: [Place("a", TWO)], 50.0: [Resize("a", ONE, cap_w=cap_w)], 60.0: []}
    sim = Simulation([elastic()], hall(), Scripted(dict(script)), EVERY_EVENT, FULL)
    until(sim, 60.0)
    (reason,) = reasons(sim)
    assert "the boards take caps from" in reason
    assert sim.live["a"].spec.num_gpus == 16
