"""Memory of a run: what the process holds per job and per node, and the cost of a fork.

    python benchmarks/memory.py

Peak memory of whole replays of generated traces, from which the cost of one more job follows; and, inside this
process, how long `Simulation.fork` takes at 480 GPUs with 500 live jobs.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from measured import GOODWATT, measure, report

from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.simulation import Simulation

SIZES = (20_000, 100_000, 200_000)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        rows = [_row(Path(scratch), jobs) for jobs in SIZES]
    first, last = rows[0], rows[-1]
    for row in rows:
        row["bytes per job"] = (last["peak MiB"] - first["peak MiB"]) * 2**20 / (last["jobs"] - first["jobs"])
    fork_ms = fork_milliseconds()
    report("memory", "Peak memory of replays on 8,000 GPUs", rows, fork_ms=fork_ms)
    print(f"fork at 480 GPUs and 500 live jobs: median {fork_ms:.2f} ms")


def _row(scratch: Path, jobs: int) -> dict[str, Any]:
    trace = scratch / f"{jobs}.csv.gz"
    measure([GOODWATT, "traces", "generate", str(trace), "--jobs", str(jobs), "--gpus", "8000", "--load", "0.8"])
    cluster = "generated:gpus=8000"
    policy = ("--policy", "fifo", "--physics", "ideal")
    options = (*policy, "--skip-bad-rows", "--no-report", "--out", str(scratch / "out"))
    done = measure([GOODWATT, "replay", str(trace), "--cluster", cluster, *options])
    if done.status:
        raise SystemExit(f"goodwatt replay ended with status {done.status}")
    return {"jobs": jobs, "peak MiB": done.peak_mib, "CPU s": done.cpu_s}


def fork_milliseconds(live: int = 500, forks: int = 50) -> float:
    """Median milliseconds of a fork with so many waiting and running jobs on 480 GPUs."""
    jobs = [Job(job_id=str(i), submit_s=i * 7.0 / live, num_gpus=1 + i % 4, duration_s=1e6 + i) for i in range(live)]
    simulation = Simulation(jobs, load_cluster("philly-480"), make_policy("tiresias"))
    while (view := simulation.advance()) is not None and len(simulation.live) < live:
        simulation.apply(simulation.policy.decide(view))
    assert len(simulation.live) == live
    times = []
    for _ in range(forks):
        start = time.perf_counter()
        simulation.fork()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    main()
