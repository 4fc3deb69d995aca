"""What policies believe of jobs, from noisy telemetry, against the simulated truth that they never see.

    PYTHONPATH=benchmarks python benchmarks/fidelity/estimator.py

Every workload class ten times on four GPU kinds, each time with residuals and sensor noise of its own: the error of
kappa, of watts and of time at three quarters of the greatest clock, after one reading at default clocks and after a
second at a lower clock; and of the speeds of pairs that share a GPU. Nothing of it is fitted. Prints one table and
writes benchmarks/results/fidelity_estimator.json.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from typing import Any

from measured import report

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.job import Job
from goodwatt.power.colocation.sharing import Mode, Resident, pair_error, shared_point
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.telemetry.estimator import Estimator
from goodwatt.power.telemetry.sensors import counters_at, noisy
from goodwatt.power.workloads.catalogue import all_classes, phases_on
from goodwatt.power.workloads.demand import Demand, Setting
from goodwatt.power.workloads.workload import Phase, mean_demand
from goodwatt.simulator.physics.truth import Truth

Row = dict[str, Any]
KINDS = ("V100-SXM2", "A100-SXM4-80GB", "H200-SXM", "P100-PCIE")
SECOND = (None, 1.07, 1.2, 1.5)
"""f_max / f of the second reading."""
TIMES = 10
AT = 0.75
MODES: tuple[Mode, ...] = ("timeslice", "mps")
TRUTH = Truth(1)


def rows() -> list[Row]:
    """Every line of the table."""
    alone = [_alone(kind, second) for kind in KINDS for second in SECOND]
    return [*alone, *(_pairs(kind, mode) for kind in KINDS for mode in MODES)]


def _alone(kind: str, second: float | None) -> Row:
    model = gpu_model(gpu_kind(kind))
    found = [_errors(model, name, i, second) for name in all_classes() for i in range(TIMES)]
    kappa, watts, time = (100 * statistics.fmean(abs(row[i]) for row in found) for i in range(3))
    return {
        "GPU": kind,
        "readings": "one" if second is None else f"two, the second at {100 / second:.0f}% of the clock",
        "n": len(found),
        "kappa MAE": f"{kappa / 100:.3f}",
        "kappa bias": f"{statistics.fmean(row[0] for row in found):+.3f}",
        "watts %": round(watts, 2),
        "time or speed %": round(time, 2),
    }


def _errors(model: GpuModel, name: str, turn: int, second: float | None) -> tuple[float, float, float]:
    """Errors of kappa (absolute), watts and time (relative) at `AT` of the greatest clock."""
    phases, demand, believed = _job(model, name, turn, (1.0,) if second is None else (1.0, second))
    at = Setting(model.top_mhz * AT)
    real, said = alone_point(model, phases, at), alone_point(model, (Phase("all", 1.0, 1.0, believed),), at)
    return believed.kappa - demand.kappa, said.watts / real.watts - 1.0, said.speeds[0] / real.speeds[0] - 1.0


def _job(model: GpuModel, name: str, turn: int, stretches: Sequence[float]) -> tuple[tuple[Phase, ...], Demand, Demand]:
    """(true phases, their mean demand, what is believed after readings at these f_max / f)."""
    kind, estimator = model.kind.name, Estimator()
    job = Job(job_id=f"{name}-{turn}", submit_s=0.0, num_gpus=1, duration_s=1.0)
    phases = TRUTH.phases(phases_on(all_classes()[name], kind), TRUTH.job_residual(job.job_id), model)
    demand, dice = mean_demand(phases), random.Random(f"{kind} {job.job_id}")
    for stretch in stretches:
        point = alone_point(model, phases, Setting(model.top_mhz / stretch))
        estimator.observe(job, kind, noisy(counters_at(model, demand, point.clock_mhz, point.watts), dice))
    estimate = estimator.estimate(job, kind)
    assert estimate is not None
    return phases, demand, estimate.demand


def _pairs(kind: str, mode: Mode) -> Row:
    """Speeds of random pairs of classes, each seen alone once, against the truth with its residual of the pair."""
    model, dice, names = gpu_model(gpu_kind(kind)), random.Random(kind), list(all_classes())
    errors = []
    for turn in range(300):
        jobs = [(name, *_job(model, name, turn, (1.0,))) for name in dice.sample(names, 2)]
        real = shared_point(model, tuple(Resident(demand) for _, _, demand, _ in jobs), mode).speeds
        factors = TRUTH.pair_factors(f"{jobs[0][0]}-{turn}", f"{jobs[1][0]}-{turn}", pair_error(mode))
        said = shared_point(model, tuple(Resident(believed) for _, _, _, believed in jobs), mode).speeds
        errors += [b - min(a * f, 1.0) for a, f, b in zip(real, factors, said, strict=True)]
    return {
        "GPU": kind,
        "readings": f"pairs, {mode}, each seen alone once",
        "n": len(errors),
        "kappa MAE": "",
        "kappa bias": "",
        "watts %": "",
        "time or speed %": round(100 * statistics.fmean(map(abs, errors)), 2),
    }


if __name__ == "__main__":
    report("fidelity_estimator", "Estimates from telemetry against the simulated truth", rows())
