"""What operators fear, as tables: a feed is lost at full load, 4,096 GPUs start, energy is dear in the evening.

Left of the bar stands what is done, right of it what must come of it. The same stories with more figures are printed by
benchmarks/fidelity/scenarios.py.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

import pytest

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import preset_content
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.power.facility.energy_price import J_PER_KWH, EnergyPrice, StepSeries
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.power import racks
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import EVERY_EVENT, job, until

FULL = RunOptions(physics="full", start_s=0.0)
RACK, ONE_FEED_W = "rack-001", 60_000.0


def run_of(jobs: list[Job], on: Cluster, power: str, options: RunOptions = FULL) -> Simulation:
    return Simulation(jobs, on, with_power(make_policy("fifo"), power), EVERY_EVENT, options)


def lines(table: str) -> list[list[str]]:
    return [line.replace("|", " ").split() for line in table.strip().splitlines()[1:]]


def nvl72_rack() -> Cluster:
    content = preset_content("nvl72-4")
    return build_cluster({**content, "nodes": [{**content["nodes"][0], "count": 18, "names": "tray[01-18]"}]})


LOST_FEED = """
policy                    | trips  failed  kW  seconds-to-come-down  back-kW
default                   |     1       9   0                     -       85
uniform-cap:share=0.7     |     1       9   0                     -       85
budget                    |     0       0  57                   0.2      110
budget:division=demand    |     0       0  57                   0.2      110
budget:division=capacity  |     0       0  57                   0.2      110
budget:division=priority  |     0       0  57                   0.2      110
"""


@pytest.mark.parametrize("line", lines(LOST_FEED), ids=lambda line: line[0])
def test_one_of_two_feeds_of_a_full_nvl72_rack_is_lost(line: list[str]) -> None:
    """At 600 s, for an hour. With a budget no breaker is ever above its curve; without one the rack goes dark."""
    power, trips, failed, left_kw, seconds, back_kw = line
    jobs = [
        job(f"j{i}", 8, 0.0, 1e5, workload="llm_prefill", reference_gpu="GB200", checkpoint_interval_s=600.0)
        for i in range(9)
    ]
    sim = run_of(jobs, nvl72_rack(), power)
    sim.timers.set(600.0, Kind.NODE, racks.lose_feed, RACK, 0, 4_200.0)
    until(sim, 599.0)
    assert 80_000 < sim.racks.load_uw(RACK) / MICRO < 120_000
    heats = []
    while sim.clock.peek() < 1_500.0:
        until(sim, sim.clock.peek())
        heats.append(max(breaker.heat for breaker in sim.racks.fed[RACK].feeds.breakers))
        if seconds != "-" and sim.now_s > 600.0 + float(seconds):
            assert sim.racks.load_uw(RACK) / MICRO <= ONE_FEED_W
    until(sim, 4_000.0)
    assert sim.racks.trips == int(trips)
    assert sum(run.failures for run in sim.live.values()) == int(failed)
    assert round(sim.racks.load_uw(RACK) / MICRO / 1e3) == int(left_kw)
    assert (max(heats) < 0.8) == (trips == "0")
    until(sim, 4_500.0)
    assert sim.racks.load_uw(RACK) / MICRO / 1e3 > int(back_kw)


LARGE_START = """
policy                | kW-per-s  seconds
default               |     2458        0
ramp:w_per_s=250000   |      250       15
ramp:w_per_s=500000   |      500        8
"""


@pytest.mark.parametrize("line", lines(LARGE_START), ids=lambda line: line[0])
def test_4096_gpus_start(line: list[str]) -> None:
    """Power rises no faster than it may in any second, and is at its most soon after."""
    power, kw_per_s, seconds = line
    nodes = [{"gpu": "H100-SXM", "gpus": 8, "count": 512, "nodes_per_rack": 4}]
    on = build_cluster({"nodes": nodes, "power": {"node": "dgx-h100"}})
    gang = job("a", 4096, 10.5, 60.0, workload="llama30b_train", reference_gpu="H100-SXM")
    outcome = result(until(run_of([gang], on, power), 1e6))
    times, watts = outcome.timeline.t_s, outcome.timeline.power_w
    before = [bisect_right(times, time_s - 1.0) - 1 for time_s in times]
    steepest_w = max(now - watts[i] for now, i in zip(watts, before, strict=True) if i >= 0)
    assert 0.9 * float(kw_per_s) <= steepest_w / 1e3 <= float(kw_per_s)
    full_s = next(time_s for time_s, w in zip(times, watts, strict=True) if w > 0.998 * max(watts))
    assert full_s - 10.5 <= float(seconds)
    assert max(watts) == pytest.approx(3.264e6, rel=0.01)


PEAKS = EnergyPrice(
    per_kwh=StepSeries((0.0, 17 * 3600.0, 21 * 3600.0), (0.10, 0.40, 0.10), 86_400.0),
    gco2_per_kwh=StepSeries((0.0, 8 * 3600.0, 16 * 3600.0), (400.0, 200.0, 450.0), 86_400.0),
)
PRICE_DAY = """
policy                             | start-h   EUR  kg-CO2  kWh
default                            |    16.5  1.48    1.90  4.23
uniform-cap:share=0.5              |    16.5  1.12    1.39  3.10
shift:max_delay_s=43200            |    21.0  0.42    1.90  4.23
shift:max_delay_s=80000,by=carbon  |    32.0  0.42    0.85  4.23
"""


@pytest.mark.parametrize("line", lines(PRICE_DAY), ids=lambda line: line[0])
def test_a_job_of_three_hours_is_submitted_before_the_evening_peak(line: list[str]) -> None:
    """What it costs is what is drawn while it runs, at the price of each hour, beyond what the node idles at."""
    power, start_h, euros, kg, kwh = line
    content = preset_content("dgx-h100")
    on = build_cluster({**content, "nodes": [{**content["nodes"][0], "count": 1, "names": "dgx1"}]})
    submitted_s = 16.5 * 3600.0
    one = job("a", 2, submitted_s, 3.0 * 3600.0, workload="bert_pretrain", reference_gpu="H100-SXM", user="u", name="n")
    options = replace(FULL, price=PEAKS, truth="model", horizon_s=40 * 3600.0)
    known = [job(f"known{i}", 2, 60.0 * i, 3 * 3600.0, workload="bert_pretrain", reference_gpu="H100-SXM", user="u",
                 name="n") for i in range(4)]  # fmt: skip
    sim = run_of([*known, one], on, power, options)
    idle = run_of(known, on, power, options)
    columns = result(until(sim, 1e6)).jobs
    until(idle, 1e6)
    assert round((columns.start_s[-1] or 0.0) / 3600.0, 1) == float(start_h)
    spent, idled = sim.recorder.marks["horizon"], idle.recorder.marks["horizon"]
    assert spent.cost - idled.cost == pytest.approx(float(euros), abs=0.02)
    assert (spent.co2_g - idled.co2_g) / 1e3 == pytest.approx(float(kg), abs=0.02)
    assert (spent.facility_j - idled.facility_j) / J_PER_KWH == pytest.approx(float(kwh), abs=0.02)


def test_cost_and_carbon_are_integrals_of_the_timeline() -> None:
    """Over each row of constant power, hour by hour."""
    jobs = [job(f"j{i}", 4, 1800.0 * i, 9_000.0, workload="vit_train", reference_gpu="H100-SXM") for i in range(30)]
    sim = run_of(jobs, nvl72_rack(), "default", replace(FULL, price=PEAKS))
    outcome = result(until(sim, 1e6))
    rows = list(zip(outcome.timeline.t_s, outcome.timeline.t_s[1:], outcome.timeline.power_w, strict=False))
    assert PEAKS.per_kwh is not None
    assert PEAKS.gco2_per_kwh is not None
    pue, totals = 1.15, sim.recorder.totals
    cost = sum(pue * watts * PEAKS.per_kwh.integral(a, b) for a, b, watts in rows) / J_PER_KWH
    grams = sum(pue * watts * PEAKS.gco2_per_kwh.integral(a, b) for a, b, watts in rows) / J_PER_KWH
    assert totals.cost == pytest.approx(cost, rel=1e-9)
    assert totals.co2_g == pytest.approx(grams, rel=1e-9)
    assert totals.facility_j == pytest.approx(pue * totals.it_j, rel=1e-9)


def test_hot_hours_cost_more() -> None:
    """A site that cools by compressors above 18 degrees, on a day with 30 degrees from ten to six."""
    content = preset_content("dgx-h100")
    power = {**content["power"], "cooling": {"design_it_w": 20_000}}
    on = build_cluster({**content, "nodes": [{**content["nodes"][0], "count": 2, "names": "dgx[1-2]"}], "power": power})
    outside = StepSeries((0.0, 36_000.0, 64_800.0), (12.0, 30.0, 12.0), 86_400.0)
    jobs = [job("a", 16, 20_000.0, 40_000.0, workload="vit_train", reference_gpu="H100-SXM")]
    cold, warm = (
        until(run_of(jobs, on, "default", replace(FULL, outside_c=series)), 1e6) for series in (None, outside)
    )
    result(cold), result(warm)
    rows = list(
        zip(warm.recorder.times, [*warm.recorder.times[1:], warm.recorder.last_s], warm.recorder.power, strict=True)
    )
    hot_j = sum(watts * max(min(b, 64_800.0) - max(a, 36_000.0), 0.0) for a, b, watts in rows)
    more_j = warm.recorder.totals.facility_j - cold.recorder.totals.facility_j
    assert more_j == pytest.approx(hot_j * 0.012 * 12, rel=1e-9)
