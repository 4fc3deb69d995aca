"""How many GPUs a budget can feed."""

from __future__ import annotations

import pytest

from goodwatt.cluster.cluster import Cluster
from goodwatt.policies.fed_gpus import STEPS, fed_shares
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.policies.power.test_budget import hall, training


def shares(on: Cluster, budget_w: float | None, floor_share: float = 0.4) -> tuple[float, ...]:
    policy = with_power(make_policy("fifo"), "budget")
    sim = Simulation([training("a")], on, policy, options=RunOptions(physics="full", budget_w=budget_w))
    assert sim.view.book is not None
    return fed_shares(on, sim.view.book, floor_share)


def test_without_a_limit_all_are_fed() -> None:
    assert shares(hall(), None) == (1.0,) * 4


@pytest.mark.parametrize("budget_w", [9_000.0, 12_000.0, 15_000.0])
def test_a_site_feeds_as_many_as_can_start(budget_w: float) -> None:
    """Jobs of one GPU, each at its floor, are about as many as was said: they fill one node after the other."""
    on = hall()
    said = sum(share * 8 for share in shares(on, budget_w, 0.4))
    jobs = [training(f"j{i}", 1, duration_s=100_000.0) for i in range(32)]
    sim = Simulation(
        jobs, on, with_power(make_policy("fifo"), "budget"), options=RunOptions(physics="full", budget_w=budget_w)
    )
    while sim.now_s < 2_000.0 and (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
    run = sum(bool(one.placement) for one in sim.live.values())
    assert said == pytest.approx(run, abs=1.6)


def test_each_rack_feeds_its_own() -> None:
    first, second, third, fourth = shares(hall(6_000.0), None)
    assert first == second == third == fourth
    assert 0.0 < first < 1.0


def test_who_gets_more_leaves_less_for_others() -> None:
    more, less = shares(hall(), 15_000.0, 0.8), shares(hall(), 15_000.0, 0.4)
    assert len(more) == len(less) == 4
    assert all(one < other for one, other in zip(more, less, strict=True))


def test_shares_are_whole_steps() -> None:
    assert all((share * STEPS).is_integer() for share in shares(hall(), 12_000.0))
