"""Elastic jobs under power policies: what a gang that grows or shrinks may draw, and what it is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from goodwatt.cluster.job import Job
from goodwatt.policies.power_registry import with_power
from goodwatt.simulator.decisions import Decision, Place, Preempt, Resize
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


def test_growth_for_which_there_is_no_power_is_refused_and_harms_nobody() -> None:
    """Its cap is its own to keep: nobody lowers it, although the same gang would run on all nodes under another."""
    sim = until(run_of({0.0: [Place("a", TWO)], 400.0: [Resize("a", ALL)], 900.0: [Resize("a", ALL)]}), 1_500.0)
    assert reasons(sim) == ["site may draw 22,000 W and would be granted 30,953 W"] * 2
    assert (sim.live["a"].spec.num_gpus, sim.live["a"].cap_w) == (16, None)
    wide = until(run_of({0.0: [Place("a", ALL)]}), 1_500.0)
    assert not reasons(wide)
    assert wide.live["a"]._truth.rate > 1.5 * sim.live["a"]._truth.rate


def test_a_clock_goes_along_and_is_looked_at_again() -> None:
    sim = run_of({0.0: [Place("a", ONE)], 400.0: [Resize("a", TWO)]}, "static", None)
    before_mhz = until(sim, 399.0).live["a"].clock_mhz
    assert before_mhz is not None
    run = until(sim, 401.0).live["a"]
    assert (run.spec.num_gpus, run.clock_mhz) == (16, before_mhz)
    until(sim, 600.0)
    assert run.clock_mhz is not None
