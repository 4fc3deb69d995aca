"""CPU seconds and memory of whole commands, start-up included, beside a fixed loop of the same run.

    python benchmarks/speed.py [--large]

Reads public traces from ../shared; what needs a trace that is absent is left out. `--large` adds a generated trace of
1,000,000 jobs on 100,000 GPUs, and ten times Philly's jobs at the same mean load, with the ratio to a tenth of them.
Ten days of jobs fill the cluster less evenly than a hundred (its longest jobs run for weeks), so that ratio counts
queues too, not only jobs.
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
EAGER = "qssf+pack:mode=timeslice,gain=0.7,least_speed=0.2,eager=true,guess=true"
"""Packs whatever it can, good or not, so that a third of the jobs share their GPUs: no policy to use."""


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
    capped = (*full, "--power", "budget", "--budget-w", "115000")
    return [
        *ideal,
        *(
            _row(f"10,650 jobs, 480 GPUs, {p}, full physics", _replay(GOLDEN, "philly-480", p, scratch, *full), 3)
            for p in policies
        ),
        *(
            _row(f"10,650 jobs, 480 GPUs, {p}, a power budget", _replay(GOLDEN, "philly-480", p, scratch, *capped), 1)
            for p in policies
        ),
    ]


def _philly(scratch: str) -> list[dict[str, Any]]:
    if not PHILLY.exists():
        return []
    ideal = [
        _row(f"71,979 jobs, 3,205 GPUs, {p}", _replay(PHILLY, "philly-552", p, scratch), 3) for p in ("sjf", "qssf")
    ]
    packs = _replay(PHILLY, "philly-552", "qssf+pack", scratch, *SHARED_CLOCKS)
    shares = _replay(PHILLY, "philly-100", EAGER, scratch, *SHARED_CLOCKS)
    return [
        *ideal,
        _row("71,979 jobs, 3,205 GPUs, qssf+pack, a clock for each job", packs, 1),
        _row("71,979 jobs, 800 GPUs, a third of the jobs share GPUs, a clock for each job", shares, 1),
    ]


def _large(scratch: Path) -> list[dict[str, Any]]:
    """Ten times the jobs at the same load on the same cluster, and a million jobs on 100,000 GPUs."""
    rows = []
    small, large = (_generated(scratch, jobs, 3205, 0.8) for jobs in (70_000, 700_000))
    for what, policy, more in (("sjf", "sjf", ()), ("qssf+pack, a clock for each job", "qssf+pack", SHARED_CLOCKS)):
        few, many = (
            _row(
                f"{jobs} generated jobs, 3,205 GPUs, {what}",
                _replay(trace, "philly-552", policy, scratch, *more),
                1,
            )
            for jobs, trace in (("70,000", small), ("700,000", large))
        )
        rows += [few, many, _ratio(f"ten times the jobs, {what}: times as much", few, many)]
    trace = _generated(scratch, 1_000_000, 100_000, 0.85)
    command = _replay(trace, "generated:gpus=100000", "fifo", scratch)
    return [*rows, _row("1,000,000 generated jobs, 100,000 GPUs, fifo", command, 1)]


def _ratio(what: str, few: dict[str, Any], many: dict[str, Any]) -> dict[str, Any]:
    """The second row over the first."""
    return {"what": what, **{name: many[name] / few[name] for name in few if name != "what"}}


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
