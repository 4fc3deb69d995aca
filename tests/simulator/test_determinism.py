"""One seed, one result, on any interpreter; and no policy but an oracle learns a duration before the job ends."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from goodwatt.policies.registry import make_policy, names, role_of
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.run import run
from tests.made_runs import ROUGH, TWO_NODES, Made, busy_trace
from tests.scenario import DRAWN

ROOT = Path(__file__).parents[2]
INTERPRETERS = [path for path in os.environ.get("GOODWATT_OTHER_PYTHONS", "").split(os.pathsep) if path]
"""Interpreters with the package's dependencies, to compare results with."""

SPECS = ["fifo", "sjf", "tiresias:threshold_gpu_s=100", "srtf", "las", "qssf", "easy-backfill", "conservative-backfill"]

PRINTED = """
from tests.simulator.test_determinism import SPECS, digest
for spec in SPECS:
    print(spec, digest(spec))
"""


def digest(spec: str) -> str:
    """A hash of all that a run leaves behind."""
    jobs = [replace(job, gpu_milli=(job.num_gpus == 1 and 300) or 1000) for job in busy_trace(7)]
    found = hashlib.sha256()
    for horizon_s in (100.0, 200.0, 250.0):
        options = replace(DRAWN, horizon_s=horizon_s, drain=True)
        outcome = run(jobs, TWO_NODES, make_policy(spec), ROUGH, options)
        everything = (outcome.jobs, outcome.timeline, outcome.occupancy, sorted(outcome.summary.items()))
        found.update(repr(everything).encode())
    return found.hexdigest()


def digests(python: str, hash_seed: str) -> str:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [python, "-c", PRINTED]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603


def here() -> str:
    return "".join(f"{spec} {digest(spec)}\n" for spec in SPECS)


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_seed_of_hashes_does_not_matter(hash_seed: str) -> None:
    assert digests(sys.executable, hash_seed) == here()


@pytest.mark.skipif(not INTERPRETERS, reason="no other interpreters named in GOODWATT_OTHER_PYTHONS")
def test_other_interpreters_give_the_same() -> None:
    for python in INTERPRETERS:
        assert digests(python, "random") == here(), python


# what policies may know ----------------------------------------------------------------------------------------------

ORDERS = [name for name, part in names().items() if role_of(part) == "order" and not make_policy(name).oracle]


def decided(of: Made, until_s: float) -> list[tuple[float, Sequence[Decision]]]:
    """What is decided up to a time."""
    sim, seen = of.simulation(), list[tuple[float, Sequence[Decision]]]()
    while (view := sim.advance()) is not None and view.now_s <= until_s:
        decisions = list(sim.policy.decide(view))
        seen.append((view.now_s, decisions))
        sim.apply(decisions)
    return seen


@pytest.mark.parametrize("policy", ORDERS)
def test_no_policy_but_an_oracle_knows_how_long_a_job_will_run(policy: str) -> None:
    """Whatever has not ended by some time could as well last much longer: nothing decided until then may differ."""
    of = Made(TWO_NODES, busy_trace(11), ROUGH, policy)
    columns = run(of.jobs, of.on, make_policy(policy), of.settings, of.options).jobs
    for until_s in (20.0, 90.0, 200.0, 333.0):
        longer = tuple(
            job if end_s is not None and end_s <= until_s else replace(job, duration_s=job.duration_s + 1000 * i + 500)
            for i, (job, end_s) in enumerate(zip(of.jobs, columns.end_s, strict=True))
        )
        assert decided(replace(of, jobs=longer), until_s) == decided(of, until_s)


@pytest.mark.parametrize("policy", ["sjf", "srtf"])
def test_the_check_above_finds_an_oracle(policy: str) -> None:
    of = Made(TWO_NODES, busy_trace(11), ROUGH, policy)
    reversed_durations = tuple(replace(job, duration_s=500 + 1000 / (1 + job.duration_s)) for job in of.jobs)
    assert decided(replace(of, jobs=reversed_durations), 90.0) != decided(of, 90.0)
