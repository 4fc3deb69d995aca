"""One week of Philly as Lucid's simulator schedules it: every job's start, end and preemptions, for three policies.

The data are not part of the repository; where they are absent the tests are skipped.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.records.result import JobColumns
from goodwatt.simulator.run import run
from goodwatt.simulator.settings.engine import load_engine

DATA = Path(__file__).parents[3] / "shared" / "golden" / "lucid_philly_480"
POLICIES = {"fifo": (43107.0176, 0), "sjf": (10633.3864, 0), "tiresias": (9382.7691, 2989)}
"""Mean JCT in seconds and preemptions in all, as published."""

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the golden results are not here: {DATA}")

Fate = tuple[float, float, int]


def rows(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def jobs() -> tuple[Job, ...]:
    return tuple(
        Job(
            job_id=row["job_id"],
            submit_s=float(row["submit_s"]),
            num_gpus=int(row["num_gpus"]),
            duration_s=float(row["duration_s"]),
        )
        for row in rows("jobs")
    )


@cache
def golden(policy: str) -> Mapping[str, Fate]:
    return {
        row["job_id"]: (float(row["start_s"]), float(row["end_s"]), int(row["preemptions"])) for row in rows(policy)
    }


def fates(columns: JobColumns) -> dict[str, Fate]:
    ends = zip(columns.start_s, columns.end_s, columns.preemptions, strict=True)
    return dict(zip(columns.job_id, ends, strict=True))  # type: ignore[arg-type]


def differing(got: Mapping[str, Fate], expected: Mapping[str, Fate]) -> list[tuple[str, Fate | None, Fate]]:
    return [(job_id, got.get(job_id), fate) for job_id, fate in expected.items() if got.get(job_id) != fate]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_job_is_as_in_lucid(policy: str) -> None:
    outcome = run(jobs(), load_cluster("philly-480"), make_policy(policy), load_engine("lucid"))
    assert len(golden(policy)) == len(outcome.jobs.job_id) == 10_650
    assert differing(fates(outcome.jobs), golden(policy)) == []
    mean_jct_s, preemptions = POLICIES[policy]
    assert outcome.summary["mean_jct_s"] == pytest.approx(mean_jct_s, abs=1e-4)
    assert outcome.summary["preemptions"] == preemptions


def twice_philly_480() -> Cluster:
    """Two partitions, each of them the whole cluster."""
    one = load_cluster("philly-480")
    nodes = [replace(n, name=f"{p}-{n.name}", partition=p) for p in ("east", "west") for n in one.nodes]
    return replace(one, nodes=tuple(nodes))


@pytest.mark.parametrize("policy", POLICIES)
def test_two_partitions_do_not_touch_each_other(policy: str) -> None:
    both = [replace(j, job_id=f"{p}-{j.job_id}", partition=p) for j in jobs() for p in ("east", "west")]
    outcome = run(both, twice_philly_480(), make_policy(policy), load_engine("lucid"))
    got = fates(outcome.jobs)
    assert len(got) == 2 * 10_650
    for partition in ("east", "west"):
        expected = {f"{partition}-{job_id}": fate for job_id, fate in golden(policy).items()}
        assert differing(got, expected) == []
