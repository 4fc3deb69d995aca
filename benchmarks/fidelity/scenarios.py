"""Power above the GPU in three stories: a feed of an NVL72 rack is lost, 4,096 GPUs start, a day has price peaks.

    PYTHONPATH=benchmarks python benchmarks/fidelity/scenarios.py

Not a comparison with measurements: nobody has published such. It says what the models make of situations that operators
fear, with and without the policies that are there for them. Loads are classes of the catalogue, limits and curves those
of the presets; the prices of the day are made up (night, noon sun, evening peak). Prints three tables and writes
benchmarks/results/scenarios.json.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from measured import print_table, write_results

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import preset_content
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.power.facility.energy_price import EnergyPrice, StepSeries
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.power import racks
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation

Line = dict[str, Any]
RACK, LOST_S, AGAIN_S, END_S = "rack-001", 600.0, 4_200.0, 7_200.0
FULL = RunOptions(physics="full", start_s=0.0)
HOUR_S, DAY_S = 3_600.0, 86_400.0
EUR_PER_KWH = (
    0.09, 0.08, 0.08, 0.08, 0.09, 0.11, 0.16, 0.22, 0.20, 0.14, 0.09, 0.06,
    0.05, 0.05, 0.06, 0.09, 0.14, 0.24, 0.34, 0.38, 0.30, 0.20, 0.14, 0.11,
)  # fmt: skip
GCO2_PER_KWH = (
    380, 375, 370, 370, 375, 390, 400, 380, 330, 270, 220, 190,
    180, 185, 210, 260, 330, 400, 450, 460, 440, 420, 400, 390,
)  # fmt: skip
"""Made up: the shape of a spring day in a grid with much solar power."""


def run_of(jobs: Sequence[Job], on: Cluster, power: str, options: RunOptions, order: str = "fifo") -> Simulation:
    """A run of jobs under a power policy."""
    return Simulation(jobs, on, with_power(make_policy(order), power), None, options)


# a feed is lost ------------------------------------------------------------------------------------------------------


def one_rack() -> Cluster:
    """One rack of the NVL72 preset."""
    content = preset_content("nvl72-4")
    return build_cluster({**content, "nodes": [{**content["nodes"][0], "count": 18, "names": "tray[01-18]"}]})


def prefill(count: int = 9) -> list[Job]:
    """Jobs of eight GPUs at full load for longer than the story lasts, with a checkpoint every ten minutes."""
    return [
        Job(job_id=f"j{i}", submit_s=0.0, num_gpus=8, duration_s=1e5, workload="llm_prefill", reference_gpu="GB200",
            checkpoint_interval_s=600.0)
        for i in range(count)
    ]  # fmt: skip


def feed_loss(power: str) -> Line:
    """One of two feeds of 60 kW is away for an hour."""
    sim = run_of(prefill(), one_rack(), power, replace(FULL, horizon_s=END_S))
    sim.timers.set(LOST_S, Kind.NODE, racks.lose_feed, RACK, 0, AGAIN_S)
    loads: list[tuple[float, float]] = []
    hottest = 0.0
    while not sim.stopped:
        step(sim)
        loads.append((sim.now_s, sim.racks.load_uw(RACK) / MICRO))
        hottest = max(hottest, *(breaker.heat for breaker in sim.racks.fed[RACK].feeds.breakers))
    outcome = result(sim)
    tripped = sim.racks.trips > 0
    return {
        "power policy": power,
        "kW before": round(max(watts for time_s, watts in loads if time_s < LOST_S) / 1e3, 1),
        "kW on one feed": round(at(loads, AGAIN_S - 1.0) / 1e3, 1),
        "s above 60 kW": round(first_below(loads), 2),
        "s above the curve": "trips" if tripped else 0,
        "heat at most": round(1.0 if tripped else hottest, 2),
        "breakers tripped": sim.racks.trips,
        "jobs that failed": sum(outcome.jobs.failures),
        "GPU-hours of work": round(outcome.summary["work_gpu_s"] / HOUR_S, 1),
    }


def first_below(loads: Sequence[tuple[float, float]]) -> float:
    """Seconds from the loss of the feed until what is left of the supply carries the load for ever."""
    for time_s, watts in loads:
        if time_s >= LOST_S and watts <= 60_000.0:
            return time_s - LOST_S
    return END_S - LOST_S


def at(loads: Sequence[tuple[float, float]], time_s: float) -> float:
    """The load at a time."""
    return loads[bisect_right(loads, (time_s, float("inf"))) - 1][1]


def step(sim: Simulation) -> None:
    """One event or one decision."""
    if sim.deciding:
        view = sim.advance()
        assert view is not None
        sim.apply(sim.policy.decide(view))
    else:
        sim.clock.step()


# 4,096 GPUs start ----------------------------------------------------------------------------------------------------


def large_start(power: str, gpus: int = 4_096) -> Line:
    """A gang that trains a model of 30 billion parameters on nodes of eight H100."""
    on = build_cluster(
        {
            "nodes": [{"gpu": "H100-SXM", "gpus": 8, "count": gpus // 8, "nodes_per_rack": 4}],
            "power": {"node": "dgx-h100"},
        }
    )
    job = Job(job_id="a", submit_s=10.0, num_gpus=gpus, duration_s=1_800.0, workload="llama30b_train",
              reference_gpu="H100-SXM")  # fmt: skip
    sim = run_of([job], on, power, FULL)
    sim.run()
    outcome = result(sim)
    times, watts = outcome.timeline.t_s, outcome.timeline.power_w
    most_w = max(watts)
    full_s = next(time_s for time_s, w in zip(times, watts, strict=True) if w >= 0.999 * most_w)
    return {
        "power policy": power,
        "kW idle": round(watts[0] / 1e3),
        "kW at most": round(most_w / 1e3),
        "kW/s at most": round(steepest_w(outcome) / 1e3, 1),
        "s to full power": round(full_s - 10.0, 1),
        "s later done": round((outcome.jobs.end_s[0] or 0.0) - 10.0 - 1_800.0, 1),
    }


def steepest_w(outcome: RunResult) -> float:
    """The most by which power rises within a second, wherever it begins."""
    times, watts = outcome.timeline.t_s, outcome.timeline.power_w
    before = [bisect_right(times, time_s - 1.0) - 1 for time_s in times]
    return max((now - watts[i] for now, i in zip(watts, before, strict=True) if i >= 0), default=0.0)


# a day with price peaks ----------------------------------------------------------------------------------------------


def prices() -> EnergyPrice:
    """The same day again and again."""
    hours = tuple(HOUR_S * hour for hour in range(24))
    carbon = StepSeries(hours, tuple(map(float, GCO2_PER_KWH)), DAY_S)
    return EnergyPrice(StepSeries(hours, EUR_PER_KWH, DAY_S), carbon, "EUR")


def office_days(days: int = 3) -> list[Job]:
    """Jobs that people submit in the daytime; most are the same ones every day and may wait until next morning."""
    dice = random.Random(0)
    classes = ["bert_pretrain", "vit_train", "resnet50_imagenet", "llama7b_train"]
    jobs = []
    for day in range(days):
        for i in range(40):
            submit_s = day * DAY_S + dice.uniform(7, 20) * HOUR_S
            waits = i % 4 != 0
            jobs.append(
                Job(
                    job_id=f"d{day}-{i}",
                    submit_s=submit_s,
                    num_gpus=(1, 2, 4, 8)[i % 4],
                    duration_s=(0.5 + (i % 5)) * HOUR_S * dice.uniform(0.9, 1.1),
                    workload=classes[i % len(classes)],
                    reference_gpu="H100-SXM",
                    user=f"u{i % 8}",
                    name=f"train-{'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP'[i]}",
                    deadline_s=submit_s + 20 * HOUR_S if waits else None,
                )
            )
    return sorted(jobs, key=lambda job: job.submit_s)


def price_day(power: str, order: str = "easy-backfill") -> Line:
    """Three days on 8 nodes of eight H100."""
    content = preset_content("dgx-h100")
    on = build_cluster({**content, "nodes": [{**content["nodes"][0], "count": 8, "names": "dgx[01-08]"}]})
    jobs = office_days()
    options = replace(FULL, price=prices(), horizon_s=4 * DAY_S, drain=True)
    sim = run_of(jobs, on, power, options, order)
    sim.run()
    outcome = result(sim)
    totals = sim.recorder.marks["horizon"]
    ends = outcome.jobs.end_s
    due_s = [job.deadline_s or float("inf") for job in sim.jobs]
    late = sum(end is None or end > due for end, due in zip(ends, due_s, strict=True))
    jct_s = [(end or 4 * DAY_S) - job.submit_s for end, job in zip(ends, sim.jobs, strict=True)]
    return {
        "power policy": power,
        "MWh of the site": round(totals.facility_j / 3.6e9, 2),
        "EUR": round(totals.cost),
        "EUR/MWh": round(totals.cost / (totals.facility_j / 3.6e9), 1),
        "kg CO2": round(totals.co2_g / 1e3),
        "mean h to completion": round(sum(jct_s) / len(jct_s) / HOUR_S, 1),
        "late jobs": late,
        "n": len(jobs),
    }


TABLES: dict[str, list[tuple[Any, str]]] = {
    "Loss of one of two feeds of an NVL72 rack at full load": [
        (feed_loss, power)
        for power in ("default", "budget", "budget:division=demand", "budget:division=capacity",
                      "budget:division=priority")
    ],
    "Start of a job on 4,096 GPUs": [
        (large_start, power)
        for power in ("default", "ramp:w_per_s=50000", "ramp:w_per_s=100000", "ramp:w_per_s=250000")
    ],
    "Days with price peaks": [
        (price_day, power)
        for power in ("default", "uniform-cap:share=0.7", "shift:margin=2", "shift:margin=2,by=carbon", "static",
                      "static+shift:margin=2", "static+shift:margin=2+sleep")
    ],
}  # fmt: skip


def table(title: str) -> list[Line]:
    """One of them."""
    return [make(power) for make, power in TABLES[title]]


def rows() -> dict[str, list[Line]]:
    """All tables."""
    return {title: table(title) for title in TABLES}


if __name__ == "__main__":
    tables = rows()
    for title, lines in tables.items():
        print_table(title, lines)
    write_results("scenarios", tables=tables)
