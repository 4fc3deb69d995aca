"""CPU seconds and memory of whole commands, start-up included, beside a fixed loop of the same run.

    python benchmarks/speed.py [--large]

Reads public traces from ../shared; what needs a trace that is absent is left out. `--large` adds a generated trace of
1,000,000 jobs on 100,000 GPUs and ten times Philly's jobs.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from measured import GOODWATT, SHARED, loop_s, measure, report

GOLDEN = SHARED / "golden" / "lucid_philly_480" / "jobs.csv.gz"
PHILLY = SHARED / "data" / "philly_2017" / "philly_jobs.csv.gz"
RUNS = 5
SHARED_CLOCKS = ("--physics", "full", "--power", "static")
"""Full physics, with a clock of its own for every job."""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        rows = [_row("--help", [GOODWATT, "--help"], RUNS), *_golden(scratch), *_philly(scratch)]
        if "--large" in sys.argv:
            rows += _large(Path(scratch))
    report("speed", "Whole commands: CPU seconds (median), memory, and the ratio to the fixed loop", rows)


def _golden(scratch: str) -> list[dict[str, Any]]:
    if not GOLDEN.exists():
        return []
    lucid = ("--physics", "ideal", "--engine", "lucid")
    policies = ("fifo", "sjf", "tiresias")
    ideal = [
        _row(f"10,650 jobs, 480 GPUs, {p}", _replay(GOLDEN, "philly-480", p, scratch, *lucid), RUNS) for p in policies
    ]
    full = ("--physics", "full", "--engine", "lucid")
    return ideal + [
        _row(f"10,650 jobs, 480 GPUs, {p}, full physics", _replay(GOLDEN, "philly-480", p, scratch, *full), 3)
        for p in policies
    ]


def _philly(scratch: str) -> list[dict[str, Any]]:
    if not PHILLY.exists():
        return []
    ideal = [
        _row(f"71,979 jobs, 3,205 GPUs, {p}", _replay(PHILLY, "philly-552", p, scratch), 3) for p in ("sjf", "qssf")
    ]
    command = _replay(PHILLY, "philly-552", "qssf+pack", scratch, *SHARED_CLOCKS)
    return [*ideal, _row("71,979 jobs, 3,205 GPUs, qssf+pack, a clock for each job", command, 1)]


def _large(scratch: Path) -> list[dict[str, Any]]:
    """Ten times the jobs at the same load on the same cluster, and a million jobs on 100,000 GPUs."""
    rows = []
    for jobs in (70_000, 700_000):
        trace = _generated(scratch, jobs, 3205, 0.8)
        rows.append(_row(f"{jobs:,} generated jobs, 3,205 GPUs, sjf", _replay(trace, "philly-552", "sjf", scratch), 1))
        command = _replay(trace, "philly-552", "qssf+pack", scratch, *SHARED_CLOCKS)
        rows.append(_row(f"{jobs:,} generated jobs, 3,205 GPUs, qssf+pack, a clock for each job", command, 1))
    trace = _generated(scratch, 1_000_000, 100_000, 0.85)
    command = _replay(trace, "generated:gpus=100000", "fifo", scratch)
    return [*rows, _row("1,000,000 generated jobs, 100,000 GPUs, fifo", command, 1)]


def _generated(scratch: Path, jobs: int, gpus: int, load: float) -> Path:
    path = scratch / f"{jobs}.csv.gz"
    options = ("--jobs", str(jobs), "--gpus", str(gpus), "--load", str(load), "--seed", "1")
    done = measure([GOODWATT, "traces", "generate", str(path), *options])
    if done.status:
        raise SystemExit(f"goodwatt traces generate ended with status {done.status}")
    return path


def _replay(trace: Path, cluster: str, policy: str, scratch: str | Path, *more: str) -> list[str]:
    options = ("--physics", "ideal", "--skip-bad-rows", "--no-report", "--out", f"{scratch}/out")
    return [GOODWATT, "replay", str(trace), "--cluster", cluster, "--policy", policy, *options, *more]


def _row(what: str, command: list[str], runs: int) -> dict[str, Any]:
    done, loops = [], []
    for _ in range(runs):
        loops.append(loop_s())
        done.append(measure(command))
        if done[-1].status:
            raise SystemExit(f"{' '.join(command)} ended with status {done[-1].status}")
    cpu_s, loop = statistics.median(d.cpu_s for d in done), statistics.median(loops)
    return {
        "what": what,
        "CPU s": cpu_s,
        "least": min(d.cpu_s for d in done),
        "loops": cpu_s / loop,
        "peak MiB": max(d.peak_mib for d in done),
        "loop s": loop,
    }


if __name__ == "__main__":
    main()
