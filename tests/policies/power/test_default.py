"""The boards' own choice."""

from __future__ import annotations

from goodwatt.policies.power_registry import make_power, with_power
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.run import result
from goodwatt.simulator.simulation import Simulation
from tests.policies.power.powered_runs import V100, decisions_of, one_of_each, powered
from tests.scenario import EVERY_EVENT, simulate
from tests.simulator.physics.full_physics_runs import FULL


def test_it_leaves_the_scheduling_policy_as_it_is() -> None:
    policy = make_policy("fifo")
    assert with_power(policy, "default") is policy


def test_nothing_is_set() -> None:
    made = [decision for _, decision in decisions_of(powered(one_of_each(), "default"))]
    assert all(isinstance(d, Place) and d.clock_mhz is None and d.cap_w is None for d in made)


def test_in_a_row_with_others_it_changes_nothing() -> None:
    power = make_power("default")
    assert (power.oracle, power.restless, power.observe_s) == (False, False, None)
    combined = result(_ended(powered(one_of_each(500.0), "default+default", truth="model")))
    alone = result(_ended(simulate(one_of_each(500.0), V100, "fifo", EVERY_EVENT, FULL)))
    assert combined.jobs.end_s == alone.jobs.end_s
    assert combined.jobs.energy_j == alone.jobs.energy_j


def _ended(sim: Simulation) -> Simulation:
    sim.run()
    return sim
