"""Comparing policies: windows, order, workers, interruption."""

from __future__ import annotations

import itertools
import os
import signal
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.errors import UnknownNameError
from goodwatt.policies import comparison as module
from goodwatt.policies.comparison import Case, Comparison, Scenario, Window, compare, run_case, split
from goodwatt.simulator.run import run
from goodwatt.simulator.settings.run_options import RunOptions
from tests.made_runs import busy_trace
from tests.scenario import EVERY_EVENT, Nodes, cluster, job
from tests.third_party import installed

JOBS = busy_trace(5)
SCENARIO = Scenario(jobs=JOBS, cluster=cluster(Nodes(2)), engine=EVERY_EVENT)


def plain(comparison: Comparison) -> list[dict[str, Any]]:
    return [asdict(result) for result in comparison.results]


# windows -------------------------------------------------------------------------------------------------------------


@given(
    submissions=st.lists(st.one_of(st.integers(-1000, 10**7), st.floats(-1e3, 1e9)), min_size=1, max_size=60),
    windows=st.integers(1, 12),
)
def test_windows_cover_every_job_once(submissions: list[float], windows: int) -> None:
    jobs = [job(f"j{i}", submit_s=float(s)) for i, s in enumerate(sorted(submissions))]
    parts = split(jobs, windows)
    assert [part.label for part in parts] == [f"{i + 1}/{windows}" for i in range(windows)]
    assert [spec for part in parts for spec in part.jobs(jobs)] == jobs
    assert all(a.until_s == b.from_s for a, b in itertools.pairwise(parts))
    assert all(part.from_s < part.until_s for part in parts)


def test_no_jobs_no_windows() -> None:
    assert split([], 3) == ()


def test_a_window_takes_its_beginning_and_not_its_end() -> None:
    jobs = [job("a", submit_s=0.0), job("b", submit_s=10.0), job("c", submit_s=20.0)]
    assert [spec.job_id for spec in Window("", 0.0, 20.0).jobs(jobs)] == ["a", "b"]
    assert [spec.job_id for spec in Window("", 20.0, 30.0).jobs(jobs)] == ["c"]


def test_a_window_counts_energy_to_its_end_and_waits_for_its_jobs() -> None:
    jobs = [job("a", gpus=8, submit_s=0.0, duration_s=500.0), job("b", submit_s=99.0, duration_s=1.0)]
    scenario = replace(SCENARIO, jobs=jobs, cluster=cluster(Nodes(1)))
    for policy in ("fifo", "srtf"):
        result = run_case(scenario, Case(policy, "default", Window("1/1", 0.0, 100.0), 0))
        assert (result.summary["horizon_s"], result.summary["span_s"]) == (100.0, 100.0)
        assert None not in result.jobs.end_s
        assert result.summary["work_gpu_s"] == pytest.approx(8 * (100 if policy == "fifo" else 99) + (policy == "srtf"))


def test_the_end_of_a_window_is_the_same_for_all_policies_when_jobs_end_before_it() -> None:
    jobs = [job("a", gpus=8, duration_s=10.0)]
    scenario = replace(SCENARIO, jobs=jobs, cluster=cluster(Nodes(1)))
    cases = [Case(policy, "default", Window("1/1", 0.0, 100.0), 0) for policy in ("fifo", "las")]
    spans = {run_case(scenario, case).summary["span_s"] for case in cases}
    assert spans == {100.0}


def test_an_empty_window_is_a_run_without_jobs() -> None:
    jobs = [job("a", submit_s=0.0), job("b", submit_s=900.0)]
    made = compare(replace(SCENARIO, jobs=jobs), ["fifo"], 3, [0], workers=1)
    assert [result.summary["jobs"] for result in made.results] == [1, 0, 1]
    assert made.results[1].summary["span_s"] == pytest.approx(300, abs=1)


# runs ----------------------------------------------------------------------------------------------------------------


def test_runs_are_in_the_order_policy_window_seed() -> None:
    seen: list[Case] = []
    made = compare(SCENARIO, ["sjf", "fifo"], 2, [3, 1], workers=1, done=seen.append)
    wanted = [(p, w, s) for p in ("sjf", "fifo") for w in ("1/2", "2/2") for s in (3, 1)]
    assert [(r.policy, r.window, r.seed) for r in made.results] == wanted
    assert [(case.policy, case.window.label, case.seed) for case in seen] == wanted
    assert (made.policies, made.seeds, made.reference, made.partial) == (("sjf", "fifo"), (3, 1), "sjf", False)


def test_a_case_is_a_run_of_its_window() -> None:
    window = split(JOBS, 2)[1]
    alone = run_case(SCENARIO, Case("sjf+best-fit", "uniform-cap", window, 4))
    assert alone.power == alone.summary["power"] == "uniform-cap"
    assert alone.policy == alone.summary["policy"] == "sjf+best-fit"
    assert (alone.window, alone.seed) == ("2/2", 4)
    assert alone.jobs.job_id == [spec.job_id for spec in window.jobs(JOBS)]


def test_one_worker_and_two_give_the_same_bytes() -> None:
    alone, two = (compare(SCENARIO, ["fifo", "tiresias", "random-fit"], 2, [0, 1], workers=n) for n in (1, 2))
    assert plain(alone) == plain(two)


def test_a_wrong_policy_is_found_before_anything_runs() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'fifo'"):
        compare(SCENARIO, ["sjf", "fifoo"], 1, [0], workers=1, done=lambda _: pytest.fail("it ran"))


def test_every_policy_runs_under_every_power_policy() -> None:
    powers = ["default", "uniform-clock:share=0.6"]
    on = cluster(Nodes(2, kind="V100"))
    scenario = replace(SCENARIO, jobs=JOBS[:12], cluster=on, options=RunOptions(physics="full"))
    seen: list[str] = []
    made = compare(scenario, ["sjf", "fifo"], 1, [0], 1, lambda case: seen.append(case.label), powers)
    assert [(r.policy, r.power) for r in made.results] == [(p, w) for p in ("sjf", "fifo") for w in powers]
    assert seen == ["sjf", "sjf / uniform-clock:share=0.6", "fifo", "fifo / uniform-clock:share=0.6"]
    assert (made.powers, made.reference) == (tuple(powers), "sjf")
    plain, slow = (r.summary["work_weighted_stretch"] for r in made.results[:2])
    assert slow > plain
    with pytest.raises(UnknownNameError, match="did you mean 'uniform-clock'"):
        compare(scenario, ["sjf"], 1, [0], 1, powers=["uniform-klock"])


def test_whole_policies_keep_the_specification_they_were_made_of(tmp_path: Path) -> None:
    specs = ["one-at-a-time:node=0", "one-at-a-time:node=1"]
    jobs = [job("a"), job("b", submit_s=1.0)]
    with installed(tmp_path / "site", {"one-at-a-time": "OneAtATime"}):
        made = compare(replace(SCENARIO, jobs=jobs), specs, 1, [0], workers=1)
    assert [r.policy for r in made.results] == [r.summary["policy"] for r in made.results] == specs
    assert [r.jobs.nodes for r in made.results] == [["n0", "n0"], ["n1", "n1"]]


# interruption --------------------------------------------------------------------------------------------------------


def _ctrl_c(_: int) -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_finished_when_interrupted_stays(workers: int) -> None:
    ended: list[Case] = []

    def done(case: Case) -> None:
        ended.append(case)
        if len(ended) == 3:
            raise KeyboardInterrupt

    made = compare(SCENARIO, ["fifo", "sjf"], 2, [0, 1], workers=workers, done=done)
    assert made.partial
    assert len(made.results) == 3
    whole = plain(compare(SCENARIO, ["fifo", "sjf"], 2, [0, 1], workers=1))
    assert all(result in whole for result in plain(made))


def test_a_run_in_its_middle_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = 0

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        nonlocal runs
        runs += 1
        return run(*args, **{**kwargs, "progress": _ctrl_c if runs == 2 else None})

    monkeypatch.setattr(module, "run", interrupted)
    made = compare(SCENARIO, ["fifo", "sjf"], 1, [0, 1], workers=1)
    assert made.partial
    assert [(r.policy, r.seed) for r in made.results] == [("fifo", 0)]
    assert "partial" not in made.results[0].summary


def test_ctrl_c_works_as_before_after_workers_have_started() -> None:
    before = signal.getsignal(signal.SIGINT)
    compare(SCENARIO, ["fifo"], 2, [0], workers=2)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_job_too_wide_is_refused_in_every_run() -> None:
    jobs = [job("wide", gpus=64), job("a")]
    made = compare(replace(SCENARIO, jobs=jobs), ["fifo", "srtf"], 1, [0], workers=1)
    assert [r.summary["refused"] for r in made.results] == [1, 1]
