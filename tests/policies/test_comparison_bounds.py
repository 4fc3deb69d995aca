"""Shares of the bound in a comparison: every window and seed is held against its own bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from goodwatt.policies.bounds import energy_bounds
from goodwatt.policies.comparison import Comparison, Scenario, compare
from goodwatt.policies.comparison_bounds import FEW_JOBS, GPU, IT, are_cheap, with_shares
from goodwatt.policies.comparison_rows import comparison_table
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.settings.run_options import RunOptions
from tests.made_runs import busy_trace
from tests.scenario import Nodes, cluster, engine, job

EAGER = "fifo+pack:mode=timeslice,gain=0.1,least_speed=0.05,eager=true,guess=true"


def scenario(physics: str = "full", truth: str = "residual") -> Scenario:
    options = RunOptions(physics=physics, truth=truth)
    return Scenario(jobs=busy_trace(1), cluster=cluster(Nodes(2, kind="H200")), engine=engine(), options=options)


def compared(about: Scenario, workers: int = 1) -> Comparison:
    return with_shares(compare(about, ["fifo", "sjf"], 2, (0, 1), 1), about, workers)


@pytest.mark.parametrize("physics", ["ideal", "full"])
@pytest.mark.parametrize("truth", ["model", "residual"])
def test_every_run_has_its_share(physics: str, truth: str) -> None:
    found = compared(scenario(physics, truth))
    assert len(found.results) == 8
    for run in found.results:
        assert 0.05 < run.summary[IT] <= 1.0 + 1e-9
        assert 0.0 < run.summary[GPU] <= 1.0 + 1e-9


def test_ctrl_c_leaves_the_shares_that_are_known_marked_as_partial(monkeypatch: pytest.MonkeyPatch) -> None:
    about, whole = scenario(truth="model"), energy_bounds.energy_bounds
    asked: list[float] = []

    def interrupted(jobs: object, on: object, options: energy_bounds.BoundOptions, *more: Any) -> dict[str, Any]:
        asked.append(options.start_s or 0.0)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return whole(jobs, on, options, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(energy_bounds, "energy_bounds", interrupted)
    found = compared(about)
    assert found.partial
    known = [run.summary[IT] is not None for run in found.results]
    assert len(known) == 8
    assert known.count(True) == 4, "two of the four pairs of window and seed, for both policies"
    assert (comparison_table(found, "t", "c", "").rows[0].cells[IT].value or 0.0) > 0.05


def test_processes_find_the_same_as_one() -> None:
    about = scenario(truth="model")
    alone, several = compared(about), compared(about, workers=2)
    assert [run.summary[IT] for run in alone.results] == [run.summary[IT] for run in several.results]


def test_the_table_has_a_column_where_shares_are_known() -> None:
    about = scenario("ideal")
    plain = compare(about, ["fifo"], 1, (0,), 1)
    assert IT not in {metric.key for metric in comparison_table(plain, "t", "c", "").metrics}
    table = comparison_table(with_shares(plain, about, 1), "t", "c", "")
    assert IT in {metric.key for metric in table.metrics}
    assert (table.rows[0].cells[IT].value or 0.0) > 0.05


def test_runs_that_share_gpus_are_held_against_bounds_that_share_as_many() -> None:
    """A run that shared for a while only, and of which no stays are kept, too."""
    about = scenario(truth="model")
    plain = compare(about, ["fifo", EAGER], 1, (0,), 1)
    alone, packed = plain.results
    assert (alone.summary["most_jobs_per_gpu"], packed.summary["most_jobs_per_gpu"]) == (1, 2)
    assert not packed.occupancy
    shares = [run.summary[IT] for run in with_shares(plain, about, 1).results]
    assert all(0.05 < share <= 1.0 + 1e-9 for share in shares)
    (as_alone,) = with_shares(replace(plain, results=[pretending(packed, 1)]), about, 1).results
    assert as_alone.summary[IT] > shares[1]


def pretending(run: RunResult, jobs: int) -> RunResult:
    return replace(run, summary={**run.summary, "most_jobs_per_gpu": jobs})


def test_what_costs_little_is_told_by_jobs_seeds_and_truth() -> None:
    about = replace(scenario(), jobs=(job("a"),) * FEW_JOBS)
    assert are_cheap(about, 1)
    assert not are_cheap(about, 2)
    assert are_cheap(replace(about, options=RunOptions(physics="full", truth="model")), 2)
