"""From runs to a table: means, paired differences, marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from goodwatt.policies.comparison import Comparison, Scenario, Window, compare
from goodwatt.policies.comparison_rows import DAY_S, LEADING, METRICS, OF_SERVICES, comparison_table
from goodwatt.policies.comparison_table import Cell, ComparisonTable, PolicyRow
from goodwatt.simulator.records.result import JobColumns, RunResult, Timeline
from goodwatt.simulator.settings.objective import ServiceFloor
from goodwatt.simulator.settings.run_options import RunOptions
from tests.made_runs import busy_trace
from tests.scenario import EVERY_EVENT, Nodes, cluster

EVEN = {
    "mean_jct_s": 3600.0,
    "p95_jct_s": 7200.0,
    "mean_queueing_s": 600.0,
    "p99_queueing_s": 3600.0,
    "utilisation": 0.5,
    "goodput_per_watt_it": 1.0,
    "it_energy_j": 3.6e9,
    "peak_power_w": 1000.0,
    "over_budget_s": 0.0,
    "fragmentation": None,
    "preemptions": 0,
    "unfinished": 0,
    "work_weighted_stretch": 1.0,
    "work_gpu_s": 3.6e6,
    "energy_cost": None,
    "co2_kg": None,
    "currency": None,
    "jobs": 1000,
    "horizon_s": 9 * DAY_S,
    "span_s": 9 * DAY_S,
}

Span = tuple[float, float, float]
"""Submission, start, end of a job."""


def made(
    policy: str,
    window: int = 1,
    spans: Sequence[Span] = (),
    budget_w: float | None = None,
    power: str = "default",
    **more: Any,
) -> RunResult:
    """A run with this summary, and with the jobs that the means over days are taken from: one, if none is given."""
    summary = {**EVEN, **more}
    if not spans and summary["mean_jct_s"] is not None:
        spans = [(0.0, summary["mean_queueing_s"], summary["mean_jct_s"])]
    count = len(spans)
    jobs = JobColumns(
        job_id=[f"j{i}" for i in range(count)],
        user=[None] * count,
        partition=[None] * count,
        num_gpus=[1] * count,
        submit_s=[span[0] for span in spans],
        start_s=[span[1] for span in spans],
        end_s=[span[2] for span in spans],
        queueing_s=[span[1] - span[0] for span in spans],
        preemptions=[0] * count,
        nodes=["n0"] * count,
        work_gpu_s=[1.0] * count,
        lost_work_gpu_s=[0.0] * count,
        energy_j=[1.0] * count,
        state=["finished"] * count,
    )
    timeline = Timeline([], [], [], [], [], budget_w)
    oracle = policy in {"sjf", "srtf"}
    return RunResult(policy, oracle, "test", f"{window}/9", 0, summary, jobs, timeline, [], [], power=power)


def table_of(*runs: RunResult, **more: Any) -> ComparisonTable:
    policies, powers = (tuple(dict.fromkeys(names)) for names in zip(*((r.policy, r.power) for r in runs), strict=True))
    windows = tuple(Window(label, 0.0, 1.0) for label in dict.fromkeys(run.window for run in runs))
    comparison = Comparison(list(runs), policies, windows, (0,), policies[0], powers=powers)
    return comparison_table(comparison, "t", "c", "goodwatt compare", **more)


def row(table: ComparisonTable, label: str) -> PolicyRow:
    return next(entry for entry in table.rows if entry.label == label)


# cells ---------------------------------------------------------------------------------------------------------------


def test_values_are_means_over_runs_and_the_reference_has_no_difference() -> None:
    table = table_of(*(made("fifo", i, peak_power_w=100.0 * i) for i in (1, 2, 3)))
    assert row(table, "fifo").cells["peak_power_w"] == Cell(200.0)
    assert row(table, "fifo").reference
    assert table.reference is row(table, "fifo")
    assert (table.trace, table.cluster, table.windows, table.seeds) == ("t", "c", ("1/9", "2/9", "3/9"), (0,))


def test_differences_are_paired_by_window() -> None:
    runs = [made("fifo", i, it_energy_j=100.0 * i) for i in (1, 2, 3)]
    runs += [made("easy", i, it_energy_j=100.0 * i + 10.0) for i in (3, 1, 2)]
    cell = row(table_of(*runs), "easy").cells["it_energy_j"]
    assert cell.difference is not None
    assert cell.difference.value == 10.0
    assert cell.difference.interval == (10.0, 10.0)
    assert cell.percent is not None
    assert cell.percent.value == pytest.approx(5.0)


def test_few_windows_are_judged_by_their_days() -> None:
    days = range(5)
    fifo = [(day * DAY_S, day * DAY_S + 100.0, day * DAY_S + 500.0) for day in days]
    easy = [(day * DAY_S, day * DAY_S + 50.0, day * DAY_S + 450.0) for day in days]
    cells = row(table_of(made("fifo", spans=fifo), made("easy", spans=easy)), "easy").cells
    for key, percent in (("mean_jct_s", -10.0), ("mean_queueing_s", -50.0)):
        difference = cells[key].difference
        assert difference is not None
        assert (difference.value, difference.interval) == (-50.0, (-50.0, -50.0))
        assert cells[key].percent is not None
        assert cells[key].percent.value == pytest.approx(percent)  # type: ignore[union-attr]
    assert cells["p95_jct_s"].difference is not None
    assert cells["p95_jct_s"].difference.interval is None


def test_a_reference_of_zero_has_no_percentage() -> None:
    table = table_of(made("fifo", preemptions=0), made("tiresias", preemptions=7))
    cell = row(table, "tiresias").cells["preemptions"]
    assert cell.difference is not None
    assert (cell.value, cell.difference.value, cell.percent) == (7.0, 7.0, None)


def test_what_nobody_knows_stays_empty() -> None:
    table = table_of(made("fifo", goodput_per_watt_it=None), made("easy", goodput_per_watt_it=None))
    assert row(table, "easy").cells["goodput_per_watt_it"] == Cell(None)
    assert row(table, "easy").cells["fragmentation"] == Cell(None)


def test_jobs_of_the_warm_up_count_nowhere_and_the_first_job_after_it_does() -> None:
    spans = [(40.0, 41.0, 1040.0), (44.9, 50.0, 144.9), (50.0, 51.0, 350.0)]
    cells = row(table_of(made("fifo", spans=spans, horizon_s=113.6, span_s=113.6 - 44.9)), "fifo").cells
    assert 113.6 - (113.6 - 44.9) > 44.9, "the subtraction rounds up, which must not cost the job at 44.9"
    assert cells["mean_jct_s"].value == pytest.approx(200.0)


def test_means_are_over_jobs_and_so_are_marks() -> None:
    """Two windows: in the small one the policy is far slower, but few jobs were there."""
    many, few = [(0.0, 10.0, 1000.0)] * 99, [(0.0, 10.0, 1000.0)]
    slow = [(0.0, 10.0, 2000.0)]
    runs = [made("fifo", 1, spans=many), made("fifo", 2, spans=few)]
    runs += [made("easy", 1, spans=many), made("easy", 2, spans=slow)]
    entry = row(table_of(*runs), "easy")
    assert entry.cells["mean_jct_s"].value == pytest.approx(1010.0)
    assert entry.marks == ()


def test_windows_that_one_policy_did_not_finish_are_in_no_difference() -> None:
    runs = [made("fifo", i, p95_jct_s=100.0 * i) for i in (1, 2, 3)] + [made("easy", 1, p95_jct_s=99.0)]
    cells = row(table_of(*runs), "easy").cells
    assert cells["p95_jct_s"].difference is not None
    assert cells["p95_jct_s"].difference.value == -1.0


def test_a_policy_without_a_run_has_no_row() -> None:
    comparison = Comparison([made("fifo")], ("fifo", "easy"), (), (0,), "fifo", partial=True)
    assert [entry.label for entry in comparison_table(comparison, "", "", "").rows] == ["fifo"]
    nothing = Comparison([], ("fifo", "easy"), (), (0,), "fifo", partial=True)
    assert comparison_table(nothing, "", "", "").rows == ()


def test_time_over_budget_is_shown_only_with_a_budget() -> None:
    without, given = (table_of(made("fifo", budget_w=budget)) for budget in (None, 1000.0))
    assert "over_budget_s" not in [metric.key for metric in without.metrics]
    priced = {"energy_cost", "co2_kg", "share_of_bound_it", *OF_SERVICES}
    assert [metric.key for metric in given.metrics] == [m.key for m in METRICS if m.key not in priced]


def test_cost_is_shown_in_its_currency_where_a_price_is_known() -> None:
    table = table_of(made("fifo", energy_cost=5.0, co2_kg=2.0, currency="EUR"))
    assert {m.key: m.unit for m in table.metrics if m.key in {"energy_cost", "co2_kg"}} == {
        "energy_cost": "EUR",
        "co2_kg": "kg",
    }


@pytest.mark.parametrize("goal", LEADING)
def test_the_metric_of_the_goal_stands_first(goal: str) -> None:
    table = table_of(made("fifo", energy_cost=5.0, co2_kg=2.0), goal=goal)
    assert table.metrics[0].key == LEADING[goal]
    assert table_of(made("fifo")).metrics[0].key == "mean_jct_s"


# power policies ------------------------------------------------------------------------------------------------------


def test_each_policy_has_a_row_under_each_power_policy() -> None:
    runs = [made(policy, power=power) for policy in ("fifo", "easy") for power in ("default", "static")]
    table = table_of(*runs)
    assert [entry.label for entry in table.rows] == [
        "fifo / default", "fifo / static", "easy / default", "easy / static",
    ]  # fmt: skip
    assert [entry.reference for entry in table.rows] == [True, False, False, False]
    assert table.setting == ""


def test_what_all_rows_share_is_said_once() -> None:
    table = table_of(made("fifo", power="static", physics="full", truth="model"))
    assert [entry.label for entry in table.rows] == ["fifo"]
    assert table.setting == "the model as truth, power static"
    assert table_of(made("fifo", physics="ideal")).setting == "ideal physics"


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([(10.0, 10.0), (9.0, 11.0), (11.0, 9.0)], [True, True, True]),
        ([(10.0, 10.0), (9.0, 9.0), (11.0, 9.0)], [False, True, False]),
        ([(10.0, 10.0), (10.0, 10.0)], [True, True]),
        ([(10.0, 10.0), (10.0, 9.0)], [False, True]),
    ],
)
def test_the_front_is_who_nobody_beats(points: list[tuple[float, float]], front: list[bool]) -> None:
    names = ("fifo", "easy", "las")
    runs = [made(name, it_energy_j=e, mean_jct_s=t) for name, (e, t) in zip(names, points, strict=False)]
    assert [entry.front for entry in table_of(*runs).rows] == front


def test_oracles_neither_stand_on_the_front_nor_push_others_off_it() -> None:
    table = table_of(made("fifo"), made("srtf", it_energy_j=1.0, mean_jct_s=1.0))
    assert [entry.front for entry in table.rows] == [True, False]


# marks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("summary", "marks"),
    [
        ({}, ()),
        ({"mean_jct_s": 3600.0 * 1.05}, ()),
        ({"mean_jct_s": 3600.0 * 1.06}, ("mean JCT 1.06x the reference's, floor 1.05x",)),
        ({"p95_jct_s": 7200.0 * 1.09}, ()),
        ({"p95_jct_s": 7200.0 * 1.2}, ("p95 JCT 1.20x the reference's, floor 1.1x",)),
        ({"p99_queueing_s": 3600.0 * 2}, ("p99 wait 2.00x the reference's, floor 1.1x",)),
        ({"work_weighted_stretch": 1.1}, ()),
        ({"work_weighted_stretch": 1.12}, ("stretch 1.12x the reference's, floor 1.1x",)),
        ({"unfinished": 5}, ()),
        ({"unfinished": 6}, ("6 unfinished jobs, the reference 0",)),
        ({"mean_queueing_s": 99_999.0}, ()),
        ({"mean_jct_s": None, "p95_jct_s": None, "p99_queueing_s": None}, ()),
    ],
)
def test_marks_for_service_below_the_floor(summary: dict[str, Any], marks: tuple[str, ...]) -> None:
    assert row(table_of(made("fifo"), made("easy", **summary)), "easy").marks == marks


@pytest.mark.parametrize(
    ("factor", "service"), [(0.9, "strict"), (1.02, "strict"), (1.04, "matched"), (1.2, "relaxed"), (1.3, "short")]
)
def test_levels_of_service(factor: float, service: str) -> None:
    entry = row(table_of(made("fifo"), made("easy", mean_jct_s=3600.0 * factor)), "easy")
    assert entry.service == service
    assert bool(entry.marks) == (service in {"relaxed", "short"})
    assert row(table_of(made("fifo")), "fifo").service == ""


def test_unfinished_jobs_fall_short_at_every_level() -> None:
    assert row(table_of(made("fifo"), made("easy", unfinished=50)), "easy").service == "short"


def test_a_floor_of_ones_own() -> None:
    runs = made("fifo"), made("easy", mean_jct_s=3600.0 * 1.15, unfinished=9)
    floor = ServiceFloor(mean_jct=1.2, unfinished=0.01)
    assert row(table_of(*runs, floor=floor), "easy").marks == ()
    assert row(table_of(*runs, floor=floor), "easy").service == "matched"
    assert len(row(table_of(*runs), "easy").marks) == 2


def test_anything_is_more_than_a_reference_of_zero() -> None:
    table = table_of(made("fifo", p99_queueing_s=0.0), made("easy", p99_queueing_s=7200.0))
    assert row(table, "easy").marks == ("p99 wait 2.0 h, reference 0, floor 1.1x",)
    assert row(table_of(made("a", p99_queueing_s=0.0), made("b", p99_queueing_s=0.0)), "b").marks == ()


def test_marks_compare_the_same_windows() -> None:
    runs = [made("fifo", 1, mean_jct_s=1000.0), made("fifo", 2, mean_jct_s=10.0), made("easy", 1, mean_jct_s=1000.0)]
    assert row(table_of(*runs), "easy").marks == ()


PROMISES = [
    # minutes kept with the reference, with the policy, marks of the policy, level of service
    (1.0, 0.9986, (), "strict"),
    (1.0, 0.99, (), "strict"),
    (1.0, 0.985, ("promise kept in 98.5% of minutes, at least 99% wanted",), "short"),
    (0.985, 0.9986, (), "strict"),
    (0.97, 0.98, ("promise kept in 98.0% of minutes, at least 99% wanted",), "short"),
    (
        0.98,
        0.97,
        (
            "promise kept in 97.0% of minutes, at least 99% wanted",
            "promise kept in 97.00% of minutes, the reference 98.00%",
        ),
        "short",
    ),
]


@pytest.mark.parametrize(("reference", "kept", "marks", "service"), PROMISES)
def test_marks_for_broken_promises(reference: float, kept: float, marks: tuple[str, ...], service: str) -> None:
    entry = row(table_of(made("fifo", minutes_kept=reference), made("easy", minutes_kept=kept)), "easy")
    assert (entry.marks, entry.service) == (marks, service)


def test_the_reference_is_never_marked() -> None:
    assert row(table_of(made("fifo", unfinished=900)), "fifo").marks == ()


def test_oracles_are_marked_and_never_the_best() -> None:
    table = table_of(made("fifo", mean_jct_s=100.0), made("sjf", mean_jct_s=10.0), made("easy", mean_jct_s=90.0))
    jct = METRICS[0]
    assert [entry.oracle for entry in table.rows] == [False, True, False]
    assert [table.is_best(entry, jct) for entry in table.rows] == [False, False, True]


def test_a_comparison_as_it_comes_from_runs() -> None:
    options = RunOptions(budget_w=100.0)
    scenario = Scenario(jobs=busy_trace(5), cluster=cluster(Nodes(2)), engine=EVERY_EVENT, options=options)
    table = comparison_table(compare(scenario, ["fifo", "srtf"], 3, [0], workers=1), "busy", "test", "goodwatt compare")
    assert [(entry.label, entry.oracle, entry.reference) for entry in table.rows] == [
        ("fifo", False, True),
        ("srtf", True, False),
    ]
    for metric in METRICS:
        assert metric.key in table.rows[0].cells
    over = table.rows[1].cells["over_budget_s"]
    assert over.value is not None
    assert over.value > 0
