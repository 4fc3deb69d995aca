"""Batch work that a service leaves room for: on GPUs that it gives back, beside its instances, in slices beside them.

Sixteen H200 on two nodes from the night's least load to noon: an 8B chat service of two to eight instances of one GPU
(40 ms per token are promised) beside a backlog of training of one to four GPUs. In the last rows instances have a MIG
slice of half a GPU each, and sixteen of them do what eight did.

    python benchmarks/beside_services.py [--hours 12] [--workers 2]
"""

from __future__ import annotations

import argparse
import random
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

from measured import report

from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.power.serving.llm_models import llm_model
from goodwatt.simulator.run import result
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.traces.requests.generate import class_source

CLASSES = ("bert_train", "resnet50_imagenet", "gnn_train", "resnet50_train", "mobilenet_train", "transformer_multi30k")
WHOLE, SLICED = "whole GPUs", "4g.71gb"
SETUPS = (
    (WHOLE, "fixed"),
    (WHOLE, "fixed+harvest"),
    (WHOLE, "predictive"),
    (WHOLE, "predictive+harvest"),
    (WHOLE, "predictive+harvest:ahead_s=1800,spare=0.5"),
    (SLICED, "fixed"),
    (SLICED, "fixed+slices"),
    (SLICED, "predictive+slices"),
)


def service(instances: str) -> Service:
    shape = llm_model("llama-3.1-8b")
    assert shape is not None
    whole = Service(
        name="chat",
        model=shape,
        gpu="H200-SXM",
        tensor_parallel=1,
        promise=Promise(ttft_s=1.0, tpot_s=0.04),
        requests=class_source("chat", mean_per_s=55.0, peak_to_trough=4.0, seed=3),
        min_replicas=2,
        max_replicas=8,
        memory_share=0.6,
        start_s=40.0,
    )
    if instances == WHOLE:
        return whole
    return replace(whole, mig_profile=instances, min_replicas=4, max_replicas=16, memory_share=0.9)


def training() -> list[Job]:
    """Forty wait at the beginning, then one comes every 150 s."""
    rng, jobs = random.Random(2), []
    for number in range(600):
        gpus, length_s, workload = rng.choice([1, 1, 1, 2, 4]), rng.uniform(1200, 12_000), rng.choice(CLASSES)
        jobs.append(
            Job(
                job_id=f"j{number}",
                submit_s=max(0.0, 150.0 * (number - 40)),
                num_gpus=gpus,
                duration_s=length_s,
                gpu_memory_mib=20_000,
                user=f"u{number % 5}",
                name=workload,
                workload=workload,
            )
        )
    return jobs


def run(instances: str, spec: str, hours: float) -> dict[str, Any]:
    began_s, counts, beside = time.process_time(), list[int](), list[int]()
    options = RunOptions(seed=1, physics="full", start_s=0.0, horizon_s=hours * 3600.0, services=(service(instances),))
    policy = with_services(make_policy("easy-backfill"), spec)
    sim = Simulation(training(), load_cluster("generated:gpus=16,gpu=H200-SXM,per_node=8"), policy, None, options)
    while (view := sim.advance()) is not None:
        if view.services is not None and view.services.due:
            counts.append(sum(one.state in {"starting", "serving"} for one in view.services.instances(0)))
            jobs = [job for pool in view.pools for job in pool.running.values()]
            beside.append(sum(job.sharing in {"mps", "mig"} for job in jobs))
        sim.apply(sim.policy.decide(view))
    sim.close()
    assert sim.services is not None
    summary, book = result(sim).summary, sim.services.fleet.books[0]
    return {
        "instances in": instances,
        "services": spec,
        "instances": sum(counts) / len(counts),
        "jobs beside": sum(beside) / len(beside),
        "jobs' work, GPU-h": summary["work_gpu_s"] / 3600.0,
        "IT kWh": summary["it_energy_j"] / 3.6e6,
        "stopped": summary["preemptions"],
        "minutes %": 100.0 * (book.minutes_kept or 0.0),
        "p99 TTFT ms": 1000.0 * (book.percentile_s("ttft_s") or 0.0),
        "p99 TPOT ms": 1000.0 * (book.percentile_s("tpot_s") or 0.0),
        "CPU s": time.process_time() - began_s,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hours", type=float, default=12.0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    with ProcessPoolExecutor(args.workers) as pool:
        rows = list(pool.map(run, *zip(*SETUPS, strict=True), [args.hours] * len(SETUPS)))
    report("beside_services", f"{args.hours:g} h of a service and of training that waits for what it leaves", rows)


if __name__ == "__main__":
    main()
