"""Racks during a run: meters, breakers that trip, feeds that are lost, nodes that go dark and come back."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.job import Job
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.power import racks
from goodwatt.simulator.power.racks import RESET_S
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.settings.failure_rates import ComponentRates, FailureSettings
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import EVERY_EVENT, engine, fates, finished, job, simulate, step, until

FULL = RunOptions(physics="full", truth="model", draw=True)


def hall(limit_w: float | None = 12_000.0, feeds: int = 2) -> Cluster:
    """Two racks of two nodes of eight H100."""
    limit = {} if limit_w is None else {"power_limit_w": limit_w}
    return build_cluster(
        {
            "nodes": [{"gpu": "H100-SXM", "gpus": 8, "count": 4, "nodes_per_rack": 2}],
            "racks": [{"name": "rack-*", "feeds": feeds, **limit}],
            "power": {"node": "dgx-h100"},
        }
    )


def training(job_id: str, gpus: int = 8, submit_s: float = 0.0, duration_s: float = 5_000.0, **more: Any) -> Job:
    """A job that draws 685 W on each H100."""
    return job(job_id, gpus, submit_s, duration_s, workload="bert_squad", reference_gpu="H100-SXM", **more)


def losing(sim: Simulation, at_s: float, for_s: float = 1e6, feed: int = 0) -> Simulation:
    """A feed of the first rack fails at a time."""
    sim.timers.set(at_s, Kind.NODE, racks.lose_feed, "rack-001", feed, at_s + for_s)
    return sim


def loads(sim: Simulation) -> dict[str, float]:
    """Watts of each rack as its meter shows them."""
    return {name: sim.racks.load_uw(name) / MICRO for name in sim.view.racks}


def test_meters_of_racks_add_up() -> None:
    sim = until(simulate([training("a", 8), training("b", 2)], hall(30_000.0), options=FULL), 100.0)
    assert sum(loads(sim).values()) == pytest.approx(sum(sim.physics.power()), rel=1e-12)
    assert loads(sim)["rack-001"] > 10_000
    assert loads(sim)["rack-002"] < 4_000
    assert sim.view.racks["rack-001"].limit_w == pytest.approx(30_000.0)
    assert sim.view.racks["rack-001"].feeds_up == 2


def test_within_its_limit_nothing_trips() -> None:
    sim = simulate([training("a", 8), training("b", 8)], hall(17_000.0), options=FULL)
    assert {f["end"] is not None for f in fates(finished(sim)).values()} == {True}
    assert sim.racks.trips == 0


def test_a_rack_above_its_limit_goes_dark_and_comes_back() -> None:
    """15.2 kW on breakers that carry 10.5 kW for ever: both trip, the jobs fail, an hour later they start again."""
    jobs = [training("a", 8), training("b", 8), training("c", 8), training("d", 8, submit_s=10.0)]
    sim = simulate(jobs, hall(10_500.0), options=FULL)
    until(sim, 50.0)
    load_w = loads(sim)["rack-001"]
    assert 15_000 < load_w < 15_500
    until(sim, 2_000.0)
    assert sim.racks.trips == 4
    assert loads(sim) == {"rack-001": 0.0, "rack-002": 0.0}
    assert sim.state.up == 0
    assert [run.failures for run in sim.live.values()] == [1, 1, 1, 1]
    assert all(rack.dark for rack in sim.racks.fed.values())
    while sim.state.up != 0b1111:
        step(sim)
    assert RESET_S < sim.now_s < RESET_S + 2_000.0
    assert not any(rack.dark for rack in sim.racks.fed.values())


def test_the_trip_comes_when_the_curve_says() -> None:
    sim = simulate([training("a", 8), training("b", 8)], hall(10_500.0), options=FULL)
    until(sim, 0.0)
    rack = sim.racks.fed["rack-001"]
    due_s = rack.since_s + rack.feeds.trips_in(rack.load_uw / MICRO)
    until(sim, math.nextafter(due_s, 0.0))
    assert len(rack.feeds.up) == 2
    until(sim, due_s)
    assert len(rack.feeds.up) == 0
    assert rack.dark


def test_the_trip_is_put_off_when_the_load_falls() -> None:
    """A job ends before the breaker is warm enough; what it would have tripped at passes."""
    sim = simulate([training("a", 8), training("b", 8, duration_s=100.0)], hall(10_500.0), options=FULL)
    finished(sim)
    assert sim.racks.trips == 0


@pytest.mark.parametrize(("feeds", "trips"), [(1, 0), (2, 1), (3, 0)])
def test_a_feed_is_lost(feeds: int, trips: int) -> None:
    """15.2 kW on a rack of 20 kW: with one feed it is dark at once, of two the other trips, of three two carry it."""
    sim = losing(simulate([training("a", 8), training("b", 8)], hall(20_000.0, feeds), options=FULL), 1_000.0)
    until(sim, 1_000.0)
    assert sim.racks.fed["rack-001"].dark == (feeds == 1)
    until(sim, 1_900.0)
    assert sim.racks.trips == trips
    assert sim.racks.fed["rack-001"].dark == (feeds < 3)


def test_a_rack_that_is_dark_waits_for_a_feed() -> None:
    """One feed fails for long, the other trips: when that one is closed again the rack is back."""
    sim = losing(simulate([training("a", 8), training("b", 8)], hall(18_000.0), options=FULL), 1_000.0)
    until(sim, 1_900.0)
    assert sim.state.up == 0b1100
    until(sim, 1_900.0 + RESET_S)
    assert sim.state.up == 0b1111
    assert sim.view.racks["rack-001"].feeds_up in {0, 1}


def test_a_feed_that_is_back_carries_again() -> None:
    sim = losing(simulate([training("a", 8)], hall(18_000.0), options=FULL), 1_000.0, for_s=500.0)
    until(sim, 1_200.0)
    assert sim.view.racks["rack-001"].feeds_up == 1
    assert sim.view.racks["rack-001"].limit_w == pytest.approx(9_000.0)
    until(sim, 1_600.0)
    assert sim.view.racks["rack-001"].feeds_up == 2
    assert sim.view.racks["rack-001"].limit_w == pytest.approx(18_000.0)


def test_racks_without_limits_never_trip_but_need_a_feed() -> None:
    sim = simulate([training("a", 8), training("b", 8)], hall(None, feeds=1), options=FULL)
    assert sim.view.racks == {}
    losing(sim, 1_000.0, for_s=500.0)
    until(sim, 1_200.0)
    assert sim.state.up == 0b1100
    until(sim, 1_600.0)
    assert sim.state.up == 0b1111


@pytest.mark.parametrize("physics", ["ideal", "full"])
def test_feeds_fail_by_chance(physics: str) -> None:
    often = FailureSettings(feed=ComponentRates(per_hour=5.0, repair_median_s=300.0))
    jobs = [training(f"j{i}", 8, 100.0 * i, 3_000.0) for i in range(8)]
    sim = simulate(
        jobs, hall(18_000.0, feeds=1), settings=engine(failures=often), options=replace(FULL, physics=physics)
    )
    outcome = finished(sim)
    assert sim.recorder.failures > 2
    assert sum(outcome.jobs.lost_work_gpu_s) > 0
    assert set(outcome.jobs.state) == {"finished"}


def outcome_of(sim: Simulation) -> RunResult:
    sim.run()
    return result(sim)


@pytest.mark.parametrize("at_s", [0.0, 300.0, 1_010.0, 1_900.0, 5_000.0])
def test_forks_and_saved_runs_go_on_alike(at_s: float, tmp_path: Path) -> None:
    jobs = [training(f"j{i}", 8, 50.0 * i, 2_000.0, checkpoint_interval_s=60.0) for i in range(6)]
    on, often = hall(14_000.0), FailureSettings(feed=ComponentRates(per_hour=2.0, repair_median_s=300.0))
    settings = engine(failures=often)
    alone = outcome_of(simulate(jobs, on, settings=settings, options=FULL))
    sim = until(simulate(jobs, on, settings=settings, options=FULL), at_s)
    fork = sim.fork()
    save(sim, tmp_path / "run.json")
    loaded = load(tmp_path / "run.json", jobs, on, sim.policy, settings, FULL)
    assert loaded.racks.to_plain() == fork.racks.to_plain() == sim.racks.to_plain()
    assert outcome_of(fork) == alone
    assert outcome_of(loaded) == alone
    assert outcome_of(sim) == alone
    assert fork.racks.to_plain() == loaded.racks.to_plain() == sim.racks.to_plain()


@given(st.integers(0, 10_000), st.sampled_from([10_000.0, 13_000.0, 16_000.0]))
def test_nothing_is_above_the_curve_for_longer_than_it_bears(seed: int, limit_w: float) -> None:
    """Jobs come and go; replayed from the meter, the breakers trip when the run says that they did."""
    dice = random.Random(seed)
    jobs = [
        training(f"j{i}", dice.choice([1, 4, 8]), dice.uniform(0, 3_000), dice.uniform(10, 2_000)) for i in range(20)
    ]
    sim = simulate(sorted(jobs, key=lambda j: j.submit_s), hall(limit_w), settings=EVERY_EVENT, options=FULL)
    again = {name: rack.feeds.copy() for name, rack in sim.racks.fed.items()}
    dark: dict[str, bool] = dict.fromkeys(again, False)
    last_s, load_w = sim.now_s, loads(sim)
    while not sim.stopped and sim.clock.peek() < RESET_S:
        step(sim)
        for name, feeds in again.items():
            feeds.advance(load_w[name], sim.now_s - last_s)
            dark[name] |= not feeds.up or max(breaker.heat for breaker in feeds.breakers) > 1.0 - 1e-9
        last_s, load_w = sim.now_s, loads(sim)
    assert dark == {name: rack.dark for name, rack in sim.racks.fed.items()}
