"""The numbers of a run: what summary.json holds.

Jobs submitted during the warm-up, or after the run was stopped, count in no statistic. Energy and work are those
between the end of the warm-up and the horizon (the end of the run, if none was set); unfinished jobs are those not
done by then. Percentiles are linear between neighbours, sums are exact (`math.fsum`), so that the same run gives the
same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from goodwatt.power.facility.energy_price import J_PER_KWH
from goodwatt.simulator.jobs.lost_time import LostTime, cluster_parts, ettr_of
from goodwatt.simulator.records.recorder import LOST_WIDTH, Totals
from goodwatt.simulator.simulation import Simulation

KILO = 1000.0
ENERGY_PARTS = ("idle", "held", "sm", "dram", "host", "loss", "asleep")
"""Where the energy of IT goes, as in `physics.contract.ClusterPower`; their sum is `it_energy_j`."""


def summarise(sim: Simulation) -> dict[str, Any]:
    """The fields of summary.json, without what only the command knows (times of the machine)."""
    options = sim.options
    first = sim.recorder.marks.get("warm-up", Totals(time_s=sim.start_s))
    last = sim.recorder.marks["horizon"] if "horizon" in sim.recorder.marks else sim.recorder.marks["end"]
    return {
        "policy": sim.policy.name,
        "oracle": sim.policy.oracle or (options.physics == "full" and options.truth == "model"),
        "power": getattr(sim.policy, "power_spec", "default"),
        "physics": options.physics,
        "truth": options.truth if options.physics == "full" else None,
        "cluster": sim.cluster.name,
        "gpus": sim.cluster.num_gpus,
        "seed": sim.options.seed,
        "engine": sim.engine.name,
        **_jobs(sim, first.time_s, last.time_s),
        **_work(sim, first, last),
        **_energy(sim, first, last),
        **_bill(sim, first, last),
    }


def _jobs(sim: Simulation, from_s: float, until_s: float) -> dict[str, Any]:
    recorder, jobs = sim.recorder, sim.jobs
    submitted = jobs[: sim.next_arrival]
    counted = _counted(sim, from_s)
    ended = [i for i in counted if not math.isnan(recorder.end_s[i])]
    started = [i for i in counted if not math.isnan(recorder.start_s[i])]
    in_time = sum(1 for i in ended if recorder.end_s[i] <= until_s)
    jct = [recorder.end_s[i] - jobs[i].submit_s for i in ended]
    return {
        "jobs": len(counted),
        "finished": len(ended),
        "unfinished": len(counted) - in_time,
        "refused": len(sim.refused),
        "warm_up_jobs": len(submitted) - len(counted) - len(sim.refused),
        "not_submitted": len(jobs) - len(submitted),
        **_spread("jct_s", jct),
        **_spread("queueing_s", [recorder.start_s[i] - jobs[i].submit_s for i in started]),
        "p99_slowdown": _percentile(sorted(_slowdowns(sim, ended)), 99),
        "makespan_s": max((recorder.end_s[i] for i in ended), default=sim.start_s) - sim.start_s,
        "preemptions": sum(recorder.preemptions[i] for i in counted),
        "job_failures": sum(recorder.job_failures[i] for i in counted),
        "component_failures": recorder.failures,
        "most_jobs_per_gpu": recorder.most_jobs_per_gpu,
        "refused_decisions": len(sim.executor.refusals),
        **_service(sim, counted),
    }


def _counted(sim: Simulation, from_s: float) -> list[int]:
    """Indexes of the jobs that count in statistics."""
    submitted = sim.jobs[: sim.next_arrival]
    return [i for i, job in enumerate(submitted) if job.submit_s >= from_s and i not in sim.refused]


def _service(sim: Simulation, counted: Sequence[int]) -> dict[str, Any]:
    """Where the jobs' GPU time went up to the end of the run, waiting by the GPUs asked for, the rest by those held.

    The stretch is wall time in service over time alone at full clock, weighted by work: GPU time in service over work.
    """
    jobs, plain, more = sim.jobs, sim.recorder.lost_s, dict(sim.recorder.more_gpu_s)
    rows = ((i, plain[i * LOST_WIDTH : (i + 1) * LOST_WIDTH]) for i in counted)
    parts = cluster_parts((jobs[i].gpus, LostTime.from_plain(row, more.get(i))) for i, row in rows)
    work = math.fsum(sim.recorder.work_gpu_s[i] for i in counted)
    return {
        "work_weighted_stretch": _ratio(math.fsum(parts.values()) - parts["queue"], work),
        "effective_training_time_ratio": ettr_of(parts),
        **{f"{part}_gpu_s": seconds for part, seconds in parts.items()},
    }


def _slowdowns(sim: Simulation, ended: Sequence[int]) -> list[float]:
    """Time from submission to end over the time alone; jobs under 10 s count as 10 s (Feitelson's bound)."""
    jobs, end_s = sim.jobs, sim.recorder.end_s
    return [max((end_s[i] - jobs[i].submit_s) / max(jobs[i].duration_s, 10.0), 1.0) for i in ended]


def _work(sim: Simulation, first: Totals, last: Totals) -> dict[str, Any]:
    span, queued = last.time_s - first.time_s, last.queued_s - first.queued_s
    return {
        "horizon_s": last.time_s,
        "span_s": span,
        "work_gpu_s": last.work_gpu_s - first.work_gpu_s,
        "lost_work_gpu_s": last.lost_gpu_s - first.lost_gpu_s,
        "utilisation": _ratio(last.busy_gpu_s - first.busy_gpu_s, span * sim.cluster.num_gpus),
        "fragmentation": _ratio(last.split_s - first.split_s, queued),
        "asleep_node_s": last.asleep_node_s - first.asleep_node_s,
        "mean_clock_mhz": _ratio(last.clock_mhz_s - first.clock_mhz_s, last.clocked_s - first.clocked_s),
    }


def _energy(sim: Simulation, first: Totals, last: Totals) -> dict[str, Any]:
    gpu_j, it_j = last.gpu_j - first.gpu_j, last.it_j - first.it_j
    work, span = last.work_gpu_s - first.work_gpu_s, last.time_s - first.time_s
    known = sim.physics.gpus_without_energy == 0
    facility_j = last.facility_j - first.facility_j
    return {
        "gpu_energy_j": gpu_j,
        "it_energy_j": it_j,
        "facility_energy_j": facility_j,
        "facility_energy_kwh": facility_j / J_PER_KWH,
        **{f"{part}_energy_j": getattr(last, f"{part}_j") - getattr(first, f"{part}_j") for part in ENERGY_PARTS},
        "cooling_energy_j": facility_j - it_j,
        "gpus_without_energy": sim.physics.gpus_without_energy,
        "goodput_per_watt_gpu": _ratio(work, gpu_j / KILO) if known else None,
        "goodput_per_watt_it": _ratio(work, it_j / KILO) if known else None,
        "mean_power_w": _ratio(it_j, span),
        "peak_power_w": last.peak_w,
        "over_budget_s": last.over_budget_s - first.over_budget_s,
    }


def _bill(sim: Simulation, first: Totals, last: Totals) -> dict[str, Any]:
    """What the energy of the site cost in money and CO2, None where nobody says what a kWh costs.

    And for how long of the span the series did not speak, so that its first or last value was carried on.
    """
    price, span = sim.options.price, (first.time_s, last.time_s)
    priced, weighed = bool(price and price.per_kwh), bool(price and price.gco2_per_kwh)
    return {
        "energy_cost": last.cost - first.cost if priced else None,
        "currency": price.currency if price and priced else None,
        "co2_kg": (last.co2_g - first.co2_g) / KILO if weighed else None,
        "price_carried_s": price.per_kwh.carried_s(*span) if price and price.per_kwh else None,
        "carbon_carried_s": price.gco2_per_kwh.carried_s(*span) if price and price.gco2_per_kwh else None,
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _spread(name: str, values: list[float]) -> dict[str, float | None]:
    ordered = sorted(values)
    mean = math.fsum(ordered) / len(ordered) if ordered else None
    return {f"mean_{name}": mean, **{f"p{p}_{name}": _percentile(ordered, p) for p in (50, 95, 99)}}


def _percentile(ordered: Sequence[float], percent: float) -> float | None:
    if not ordered:
        return None
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
