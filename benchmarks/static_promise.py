"""How many jobs the power policy `static` keeps within the slowdown that it promises, and what caution costs.

    python benchmarks/static_promise.py

Two jobs of every class that fits on the kind, each alone on a GPU for its 20,000 s, under full physics with residuals:
time against the same job at default clocks, energy of all GPUs against theirs. No two jobs have a name in common, so
that each is judged by its own telemetry. Three seeds a kind.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from measured import report

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.job import Job
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.power.workloads.catalogue import all_classes
from goodwatt.simulator.run import finish, result
from goodwatt.simulator.settings.engine import load_engine
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation

KINDS = {"V100-PCIE": "v100-8", "H200-SXM": "dgx-h200"}
SLOWDOWNS, CAUTIONS, SEEDS = (0.05, 0.10), (0.0, 0.5, 1.0, 1.3, 2.0), (1, 2, 3)
DURATION_S = 20_000.0
SLACK = 1e-3
"""A tenth of a per cent more is taken for kept."""


def main() -> None:
    plain = {(kind, seed): _run(kind, "default", seed) for kind in KINDS for seed in SEEDS}
    rows = [_row(plain, slowdown, caution) for slowdown in SLOWDOWNS for caution in CAUTIONS]
    report("static_promise", "static: jobs within their slowdown, and the energy of their GPUs", rows)


def _row(
    plain: dict[tuple[str, int], tuple[dict[str, float], float]], slowdown: float, caution: float
) -> dict[str, Any]:
    stretch, saved = list[float](), list[float]()
    for (kind, seed), (took, joules) in plain.items():
        slow, slow_j = _run(kind, f"static:slowdown={slowdown},caution={caution}", seed)
        stretch += [slow[name] / took[name] - 1.0 for name in took]
        saved.append(1.0 - slow_j / joules)
    return {
        "slowdown %": 100.0 * slowdown,
        "caution": caution,
        "jobs": len(stretch),
        "within %": 100.0 * statistics.fmean(s <= slowdown + SLACK for s in stretch),
        "mean %": 100.0 * statistics.fmean(stretch),
        "95th percentile %": 100.0 * sorted(stretch)[int(0.95 * len(stretch))],
        "most %": 100.0 * max(stretch),
        "GPU energy saved %": 100.0 * statistics.fmean(saved),
    }


def _run(kind: str, power: str, seed: int) -> tuple[dict[str, float], float]:
    """(seconds by job, joules of all GPUs)."""
    jobs = _jobs(kind)
    policy = with_power(make_policy("fifo"), power)
    sim = Simulation(jobs, _cluster(kind, jobs), policy, load_engine("default"), RunOptions(physics="full", seed=seed))
    finish(sim)
    done = result(sim)
    ends = zip(done.jobs.job_id, done.jobs.start_s, done.jobs.end_s, strict=True)
    return {name: (end or math.inf) - (start or 0.0) for name, start, end in ends}, done.summary["gpu_energy_j"]


def _jobs(kind: str) -> tuple[Job, ...]:
    memory_mib = gpu_kind(kind).memory_mib or 0
    names = [name for name, workload in all_classes().items() if workload.memory_mib < memory_mib]
    return tuple(
        Job(job_id=f"{name}-{i}", submit_s=0.0, num_gpus=1, duration_s=DURATION_S, workload=name)
        for name in names
        for i in range(2)
    )


def _cluster(kind: str, jobs: Sequence[Job]) -> Cluster:
    nodes = [{"gpu": kind, "gpus": 8, "count": -(-len(jobs) // 8)}]
    return build_cluster({"nodes": nodes, "power": {"node": KINDS[kind]}})


if __name__ == "__main__":
    main()
