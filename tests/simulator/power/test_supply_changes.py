"""Budgets that change and feeds that are lost at a time that is known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from goodwatt.cluster.cluster import Cluster, Rack
from goodwatt.cluster.job import Job
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.power.supply_changes import budget_at, feed_losses
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.settings.engine import LostFeed
from goodwatt.simulator.settings.run_options import RunOptions
from tests.scenario import Nodes, cluster, engine, finished, job, simulate, until

FULL = RunOptions(physics="full", truth="model", draw=True)
STEPS = replace(FULL, budget_w=2000.0, budget_steps=((500.0, 1000.0), (900.0, 3000.0)))


def two_feeds(limit_w: float = 4000.0) -> Cluster:
    """A node of eight V100 in a rack with two feeds."""
    plain = cluster(Nodes(1, gpus=8, kind="V100"))
    nodes = tuple(replace(node, rack="r") for node in plain.nodes)
    return replace(plain, nodes=nodes, racks={"r": Rack("r", power_limit_w=limit_w, feeds=2)})


def training(name: str, gpus: int = 4) -> Job:
    return job(name, gpus, duration_s=1500.0, workload="resnet50_train", reference_gpu="V100-PCIE")


def jobs() -> list[Job]:
    return [training("a"), training("b")]


@pytest.mark.parametrize(
    ("time_s", "watts"), [(0.0, 2000.0), (499.9, 2000.0), (500.0, 1000.0), (899.0, 1000.0), (5000.0, 3000.0)]
)
def test_the_budget_at_a_time(time_s: float, watts: float) -> None:
    assert budget_at(STEPS, time_s) == watts


def test_without_steps_the_budget_stays() -> None:
    assert budget_at(FULL, 10.0) is None
    assert budget_at(replace(FULL, budget_w=5.0), 10.0) == 5.0


def test_policies_see_the_budget_of_now() -> None:
    sim = simulate(jobs(), two_feeds(), options=STEPS)
    seen = [until(sim, time_s).view.budget_w for time_s in (100.0, 600.0, 1000.0)]
    assert seen == [2000.0, 1000.0, 3000.0]


def test_time_above_the_budget_of_its_hour_counts() -> None:
    """Eight V100 at work draw between one and two kilowatts: above the budget from 500 s to 900 s alone."""
    outcome = finished(simulate(jobs(), two_feeds(), options=STEPS))
    assert outcome.summary["over_budget_s"] == pytest.approx(400.0)
    budgets = outcome.timeline.budgets_w()
    assert set(budgets) == {2000.0, 1000.0, 3000.0}
    assert budgets[0] == 2000.0
    assert budgets[-1] == 3000.0


def test_a_budget_policy_comes_down_when_the_budget_does() -> None:
    policy = with_power(make_policy("fifo"), "budget")
    sim = simulate(jobs(), two_feeds(), policy, options=STEPS)
    until(sim, 480.0)
    before_w = sum(sim.physics.power())
    until(sim, 560.0)
    assert before_w > 1000.0
    assert sum(sim.physics.power()) <= 1000.0
    assert sim.book is not None
    assert sim.book.limit_uw[0] == 1000 * 10**6


def test_a_site_keeps_its_own_limit() -> None:
    on = two_feeds()
    on = replace(on, power=replace(on.power, site_limit_w=1500.0))
    sim = until(simulate(jobs(), on, with_power(make_policy("fifo"), "budget"), options=STEPS), 950.0)
    assert sim.book is not None
    assert sim.book.limit_uw[0] == 1500 * 10**6


def test_a_feed_is_away_for_as_long_as_the_engine_says() -> None:
    settings = engine(lost_feeds=(LostFeed("r", 1, 300.0, 700.0),))
    sim = simulate(jobs(), two_feeds(), settings=settings, options=FULL)
    up = [until(sim, time_s).view.racks["r"].feeds_up for time_s in (200.0, 301.0, 699.0, 701.0)]
    assert up == [2, 1, 1, 2]
    assert sim.racks.trips == 0


def test_a_rack_that_is_too_busy_for_the_other_feed_goes_dark() -> None:
    settings = engine(lost_feeds=(LostFeed("r", 0, 300.0, 7000.0),))
    sim = until(simulate(jobs(), two_feeds(1800.0), settings=settings, options=FULL), 2000.0)
    assert sim.racks.trips == 1
    assert sim.racks.fed["r"].dark


def test_losses_that_touch_are_one() -> None:
    losses = [LostFeed("r", 0, 50.0, 90.0), LostFeed("r", 0, 10.0, 50.0), LostFeed("r", 1, 20.0, 30.0)]
    assert feed_losses(losses, two_feeds()) == [LostFeed("r", 0, 10.0, 90.0), LostFeed("r", 1, 20.0, 30.0)]


def test_feeds_that_are_not_there() -> None:
    with pytest.raises(UnknownNameError, match="unknown rack in lost_feeds 'R'"):
        feed_losses([LostFeed("R", 0, 0.0, 1.0)], two_feeds())
    with pytest.raises(InputError, match="rack r: expected a feed from 0 to 1, got 2"):
        simulate(jobs(), two_feeds(), settings=engine(lost_feeds=(LostFeed("r", 2, 0.0, 1.0),)))


@pytest.mark.parametrize("at_s", [100.0, 400.0, 600.0])
def test_forks_and_saved_runs_meet_the_same_changes(at_s: float, tmp_path: Path) -> None:
    settings = engine(lost_feeds=(LostFeed("r", 1, 300.0, 700.0),))
    sim = until(simulate(jobs(), two_feeds(), settings=settings, options=STEPS), at_s)
    save(sim, tmp_path / "run.json")
    again = load(tmp_path / "run.json", jobs(), two_feeds(), make_policy("fifo"), settings, STEPS)
    summaries = [finished(each).summary for each in (sim.fork(), again, sim)]
    assert summaries[0] == summaries[1] == summaries[2]
    assert again.budget_w == 3000.0


def test_what_lies_before_the_run_has_happened() -> None:
    options = replace(STEPS, start_s=600.0, horizon_s=2000.0)
    settings = engine(lost_feeds=(LostFeed("r", 1, 300.0, 700.0), LostFeed("r", 0, 0.0, 10.0)))
    sim = until(simulate([], two_feeds(), settings=settings, options=options), 600.0)
    assert sim.view.budget_w == 1000.0
    assert sim.view.racks["r"].feeds_up == 1
    sim.run()
    assert result(sim).timeline.budgets_w()[-1] == 3000.0
    assert not math.isnan(sim.now_s)
