"""The numbers of a run, counted by hand."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import HostPower
from goodwatt.cluster.host_power import Cooling
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.power.facility.energy_price import EnergyPrice, StepSeries, constant
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.failure_rates import ComponentRates, FailureSettings
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.summary import ENERGY_PARTS, _percentile, _spread
from tests.made_runs import busy_trace
from tests.scenario import EVERY_EVENT, Nodes, cluster, engine, job, simulate

ONE_NODE = cluster(Nodes(1), power=HostPower(pue=1.5, host_idle_w=100.0, host_max_w=300.0))
"""A GPU draws 50 W when idle and 250 W in use: the node 500 to 2300 W, hosts included."""


def summary(
    *jobs: Any, settings: Any = EVERY_EVENT, policy: str = "fifo", on: Any = ONE_NODE, **options: Any
) -> dict[str, Any]:
    scheduling, _, power = policy.partition(" / ")
    chosen = with_power(make_policy(scheduling), power or "default")
    sim = simulate(jobs, on, chosen, settings, RunOptions(**options))
    sim.run()
    return dict(result(sim).summary)


# jobs ----------------------------------------------------------------------------------------------------------------


def test_what_was_run_is_said() -> None:
    got = summary(job(), policy="srtf", seed=7)
    assert (got["policy"], got["oracle"], got["cluster"], got["gpus"], got["seed"]) == ("srtf", True, "test", 8, 7)
    assert got["engine"] == "test"


def test_times_of_three_jobs() -> None:
    got = summary(job("a", gpus=8, duration_s=100), job("b", gpus=8, submit_s=50, duration_s=10), job("c", submit_s=60))
    assert (got["jobs"], got["finished"], got["unfinished"], got["refused"]) == (3, 3, 0, 0)
    assert got["mean_jct_s"] == (100 + 60 + 150) / 3
    assert (got["p50_jct_s"], got["p95_jct_s"], got["p99_jct_s"]) == (100, pytest.approx(145), pytest.approx(149))
    assert got["mean_queueing_s"] == pytest.approx((0 + 50 + 50) / 3)
    assert got["p99_slowdown"] == pytest.approx(6 - 0.02 * 4.5)
    assert got["makespan_s"] == 210


def test_short_jobs_count_as_ten_seconds_in_slowdowns() -> None:
    assert summary(job("a", duration_s=0.0))["p99_slowdown"] == 1.0
    got = summary(job("a", gpus=8, duration_s=50.0), job("b", gpus=8, duration_s=1.0))
    assert got["p99_slowdown"] == pytest.approx(1 + 0.99 * 4.1)


def test_nothing_is_none_and_not_zero() -> None:
    got = summary()
    assert got["jobs"] == 0
    for key in ("mean_jct_s", "p99_queueing_s", "p99_slowdown", "utilisation", "goodput_per_watt_it", "mean_power_w"):
        assert got[key] is None
    orjson.dumps(got)


def test_refused_jobs_count_in_nothing_but_themselves() -> None:
    got = summary(job("huge", gpus=9, duration_s=9999), job("a", duration_s=10))
    assert (got["jobs"], got["refused"], got["mean_jct_s"]) == (1, 1, 10)


def test_preemptions_and_lost_work() -> None:
    settings = engine(checkpoint_interval_s=50.0, restart_overhead_s=10.0)
    got = summary(
        job("a", gpus=8, duration_s=200), job("b", gpus=8, submit_s=70, duration_s=10), settings=settings, policy="srtf"
    )
    assert (got["preemptions"], got["lost_work_gpu_s"]) == (1, 8 * 20)
    assert got["work_gpu_s"] == 8 * 210
    assert got["makespan_s"] == 200 + 10 + 20 + 10


# windows -------------------------------------------------------------------------------------------------------------


def test_the_horizon_ends_the_count() -> None:
    jobs = (job("a", gpus=8, duration_s=100), job("b", gpus=8, submit_s=1, duration_s=100), job("c", submit_s=500))
    got = summary(*jobs, horizon_s=150.0)
    assert (got["jobs"], got["finished"], got["unfinished"], got["not_submitted"]) == (2, 1, 1, 1)
    assert (got["horizon_s"], got["span_s"], got["work_gpu_s"]) == (150, 150, 8 * 150)


def test_draining_knows_all_completion_times_and_counts_no_more_energy() -> None:
    jobs = (job("a", gpus=8, duration_s=100), job("b", gpus=8, submit_s=1, duration_s=100))
    got = summary(*jobs, horizon_s=150.0, drain=True)
    assert (got["finished"], got["unfinished"], got["span_s"], got["work_gpu_s"]) == (2, 1, 150, 8 * 150)
    assert got["mean_jct_s"] == (100 + 199) / 2
    assert got["gpu_energy_j"] == 150 * 8 * 250


@pytest.mark.parametrize("drain", [True, False])
def test_a_horizon_after_the_last_end_counts_the_idle_time_too(drain: bool) -> None:
    got = summary(job("a", gpus=8, duration_s=100), horizon_s=1000.0, drain=drain)
    assert (got["horizon_s"], got["span_s"]) == (1000, 1000)
    assert got["gpu_energy_j"] == pytest.approx(8 * (100 * 250 + 900 * 50))
    assert got["utilisation"] == pytest.approx(0.1)
    assert got["unfinished"] == 0


def test_a_job_that_ends_at_the_horizon_is_finished() -> None:
    assert summary(job("a", duration_s=100), horizon_s=100.0)["unfinished"] == 0


def test_the_warm_up_counts_in_nothing() -> None:
    settings = engine(warm_up_s=100.0)
    jobs = (job("a", gpus=8, duration_s=150), job("b", gpus=8, submit_s=120, duration_s=50))
    got = summary(*jobs, settings=settings)
    assert (got["jobs"], got["warm_up_jobs"], got["mean_jct_s"]) == (1, 1, 80)
    assert (got["span_s"], got["work_gpu_s"]) == (100, 8 * 100)
    assert got["gpu_energy_j"] == 100 * 8 * 250


# energy --------------------------------------------------------------------------------------------------------------


def test_energy_power_and_goodput() -> None:
    got = summary(job("a", gpus=4, duration_s=100), start_s=0.0, horizon_s=200.0, budget_w=1400.0)
    busy_w, idle_w = 4 * 250 + 4 * 50, 8 * 50
    gpu_j = 100 * busy_w + 100 * idle_w
    assert got["gpu_energy_j"] == gpu_j
    assert got["it_energy_j"] == gpu_j + 100 * 200 + 100 * 100
    assert got["facility_energy_j"] == pytest.approx(1.5 * got["it_energy_j"])
    assert got["goodput_per_watt_gpu"] == pytest.approx(400 / (gpu_j / 1000))
    assert got["goodput_per_watt_it"] == pytest.approx(400 / (got["it_energy_j"] / 1000))
    assert got["mean_power_w"] == got["it_energy_j"] / 200
    assert got["peak_power_w"] == busy_w + 200
    assert got["over_budget_s"] == 0
    assert summary(job("a", gpus=4, duration_s=100), budget_w=1399.0)["over_budget_s"] == 100


def test_every_joule_has_a_place() -> None:
    for physics in ("ideal", "full"):
        on = cluster(Nodes(2, kind="V100"), power=HostPower(pue=1.5, host_idle_w=100.0, host_max_w=300.0))
        got = summary(job("a", gpus=8), job("b", submit_s=9.0), on=on, physics=physics, horizon_s=300.0)
        parts = [got[f"{part}_energy_j"] for part in ENERGY_PARTS]
        assert math.fsum(parts) == pytest.approx(got["it_energy_j"], rel=1e-12)
        assert math.fsum(parts[:4]) == pytest.approx(got["gpu_energy_j"], rel=1e-12)
        assert got["it_energy_j"] + got["cooling_energy_j"] == pytest.approx(got["facility_energy_j"], rel=1e-12)
        assert got["facility_energy_kwh"] == pytest.approx(got["facility_energy_j"] / 3.6e6)


def test_the_bill_follows_the_price_over_time() -> None:
    price = EnergyPrice(StepSeries((0.0, 100.0), (0.5, 0.1)), constant(300.0), "EUR")
    got = summary(job("a", gpus=4, duration_s=100), horizon_s=200.0, price=price)
    busy_j, idle_j = 1.5 * 100 * (4 * 250 + 4 * 50 + 200), 1.5 * 100 * (8 * 50 + 100)
    assert got["energy_cost"] == pytest.approx((0.5 * busy_j + 0.1 * idle_j) / 3.6e6)
    assert got["currency"] == "EUR"
    assert got["co2_kg"] == pytest.approx(0.3 * got["facility_energy_kwh"])
    assert (got["price_carried_s"], got["carbon_carried_s"]) == (0.0, 0.0)
    later = summary(job("a", gpus=4, duration_s=100), horizon_s=250.0, price=price)
    assert (later["price_carried_s"], later["carbon_carried_s"]) == (50.0, 0.0)
    unpriced = summary(job())
    assert unpriced["energy_cost"] is unpriced["co2_kg"] is None
    assert unpriced["price_carried_s"] is unpriced["carbon_carried_s"] is None


def test_cooling_that_follows_load_has_a_fixed_part() -> None:
    power = HostPower(host_idle_w=100.0, host_max_w=300.0, cooling=Cooling(design_it_w=10_000.0, fixed=0.02))
    got = summary(job("a", gpus=8), on=cluster(Nodes(1), power=power))
    assert got["cooling_energy_j"] == pytest.approx(100 * 200 + 0.05 * got["it_energy_j"])


def test_the_clock_is_the_mean_over_gpus_that_jobs_hold() -> None:
    on = cluster(Nodes(1, kind="V100"))
    assert summary(job("a"), on=on)["mean_clock_mhz"] is None
    low = summary(job("a", gpus=4), on=on, physics="full", policy="fifo / uniform-clock:share=0.6")["mean_clock_mhz"]
    high = summary(job("a", gpus=4), on=on, physics="full")["mean_clock_mhz"]
    top_mhz = on.kinds[on.nodes[0].gpu_kind].max_clock_mhz
    assert top_mhz is not None
    assert low == pytest.approx(0.6 * top_mhz, rel=0.02)
    assert low < high <= top_mhz


# service -------------------------------------------------------------------------------------------------------------


def test_the_stretch_weighs_jobs_by_their_work() -> None:
    settings = engine(checkpoint_interval_s=50.0, restart_overhead_s=10.0)
    jobs = job("a", gpus=8, duration_s=200), job("b", gpus=8, submit_s=70, duration_s=10)
    got = summary(*jobs, settings=settings, policy="srtf")
    assert got["work_weighted_stretch"] == pytest.approx((200 + 20 + 10 + 10) / 210)
    assert (got["queue_gpu_s"], got["restart_gpu_s"], got["redone_gpu_s"]) == (80, 80, 160)
    assert got["effective_training_time_ratio"] == pytest.approx(8 * 210 / (8 * 250))
    assert summary(job("a"), job("b"))["work_weighted_stretch"] == 1.0
    assert summary()["work_weighted_stretch"] is summary()["effective_training_time_ratio"] is None


def test_slower_clocks_stretch_jobs() -> None:
    on = cluster(Nodes(1, kind="V100"))
    got = summary(job("a", gpus=4), on=on, physics="full", policy="fifo / uniform-clock:share=0.4", truth="model")
    assert got["work_weighted_stretch"] > 1.05
    assert (got["physics"], got["truth"], got["power"]) == ("full", "model", "uniform-clock:share=0.4")
    assert got["oracle"] is True
    assert summary(job("a"), on=on, physics="full")["oracle"] is False


def test_failures_are_counted() -> None:
    settings = engine(failures=FailureSettings(node=ComponentRates(per_hour=60.0, repair_median_s=5.0)))
    got = summary(job("a", gpus=8, duration_s=600.0), settings=settings, seed=1)
    assert got["component_failures"] >= got["job_failures"] > 0


def test_gpus_without_published_power_leave_goodput_open() -> None:
    got = summary(job("a"), on=cluster(Nodes(1), Nodes(1, kind="secret")))
    assert (got["gpus_without_energy"], got["goodput_per_watt_gpu"], got["goodput_per_watt_it"]) == (8, None, None)
    assert got["gpu_energy_j"] > 0


def test_fragmentation_is_counted_while_jobs_wait() -> None:
    on = cluster(Nodes(2))
    jobs = (job("a", gpus=6, duration_s=100), job("b", gpus=16, submit_s=10, duration_s=10))
    got = summary(*jobs, on=on)
    assert got["fragmentation"] == pytest.approx(2 / 10)
    assert summary(job("a"), on=on)["fragmentation"] is None


# sums and percentiles ------------------------------------------------------------------------------------------------


@given(values=st.lists(st.floats(0, 1e9), min_size=1, max_size=50), percent=st.sampled_from([0, 50, 95, 99, 100]))
def test_percentiles_are_linear_between_neighbours(values: list[float], percent: int) -> None:
    got = _percentile(sorted(values), percent)
    assert got == pytest.approx(float(np.percentile(values, percent)), rel=1e-9, abs=1e-9)


def test_means_are_exact() -> None:
    values = [1e16, 1.0, -1e16, 1.0] * 3
    assert _spread("x", values)["mean_x"] == math.fsum(values) / 12
    random.Random(0).shuffle(values)
    assert _spread("x", values)["mean_x"] == 0.5


def test_asking_twice_changes_nothing() -> None:
    sim = Simulation(busy_trace(3), cluster(Nodes(2)), simulate([], ONE_NODE, "srtf").policy, EVERY_EVENT)
    sim.run()
    assert orjson.dumps(result(sim).summary) == orjson.dumps(result(sim).summary)


def test_a_run_that_was_cut_short_says_so() -> None:
    sim = simulate([job("a"), job("b", submit_s=50.0)], ONE_NODE)
    sim.advance()
    got = result(sim, partial=True).summary
    assert got["partial"] is True
    assert "partial" not in result(sim).summary
    assert (got["jobs"], got["not_submitted"]) == (1, 1)
