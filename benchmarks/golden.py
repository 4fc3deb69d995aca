"""Reproduces the published results of another simulator: start, end and preemptions of every job.

    python benchmarks/golden.py [GOLDEN]

GOLDEN is the folder with jobs.csv.gz and fifo, sjf and tiresias as Lucid's simulator computed them. Runs the command
line for each policy, and for all jobs twice in two partitions, each on its own nodes, and counts jobs that differ.
"""

from __future__ import annotations

import csv
import gzip
import sys
import tempfile
from pathlib import Path
from typing import Any

from measured import GOODWATT, SHARED, measure, need, report

POLICIES = ("fifo", "sjf", "tiresias")
TWO_PARTITIONS = """\
name: two-partitions
nodes:
  - {count: 60, gpu: P100-PCIE, gpus: 8, partition: a}
  - {count: 60, gpu: P100-PCIE, gpus: 8, partition: b}
"""

Fate = tuple[float, float, int]


def main() -> None:
    folder = need(Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED / "golden" / "lucid_philly_480")
    with tempfile.TemporaryDirectory() as scratch:
        rows = [row for policy in POLICIES for row in _rows(folder, policy, Path(scratch))]
    report("golden", "Jobs whose start, end or preemptions differ from Lucid's simulator", rows)
    sys.exit(any(row["differing"] for row in rows))


def _rows(folder: Path, policy: str, scratch: Path) -> list[dict[str, Any]]:
    golden = _fates(folder / f"{policy}.csv.gz")
    alone = _replayed(folder / "jobs.csv.gz", "philly-480", policy, scratch / f"{policy}-alone")
    rows = [{"policy": policy, "cluster": "philly-480", "jobs": len(golden), "differing": _differing(golden, alone)}]
    trace, cluster = scratch / "twice.csv", scratch / "two.yaml"
    cluster.write_text(TWO_PARTITIONS, encoding="utf-8")
    _write_twice(folder / "jobs.csv.gz", trace)
    both = _replayed(trace, str(cluster), policy, scratch / f"{policy}-both")
    for partition in "ab":
        half = {job_id.removeprefix(f"{partition}-"): f for job_id, f in both.items() if job_id.startswith(partition)}
        differing = _differing(golden, half)
        rows.append({"policy": policy, "cluster": f"partition {partition}", "jobs": len(half), "differing": differing})
    return rows


def _write_twice(source: Path, target: Path) -> None:
    """The jobs once for each partition, with the partition's letter before their ids."""
    with gzip.open(source, "rt", encoding="utf-8") as file, target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("job_id", "submit_s", "num_gpus", "duration_s", "partition"))
        for row in csv.DictReader(file):
            for partition in "ab":
                numbers = (row["submit_s"], row["num_gpus"], row["duration_s"])
                writer.writerow((f"{partition}-{row['job_id']}", *numbers, partition))


def _replayed(trace: Path, cluster: str, policy: str, out: Path) -> dict[str, Fate]:
    options = ("--physics", "ideal", "--engine", "lucid", "--no-report", "--out", str(out))
    done = measure([GOODWATT, "replay", str(trace), "--cluster", cluster, "--policy", policy, *options])
    if done.status:
        raise SystemExit(f"goodwatt replay ended with status {done.status}")
    return _fates(out / "jobs.csv")


def _fates(path: Path) -> dict[str, Fate]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return {
        row["job_id"]: (float(row["start_s"]), float(row["end_s"]), int(row["preemptions"]))
        for row in csv.DictReader(text.splitlines())
    }


def _differing(golden: dict[str, Fate], ours: dict[str, Fate]) -> int:
    return sum(golden.get(job_id) != ours.get(job_id) for job_id in golden.keys() | ours.keys())


if __name__ == "__main__":
    main()
