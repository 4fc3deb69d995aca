"""The data of the page agrees with the runs it comes from."""

from __future__ import annotations

import base64
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from goodwatt.cli.report import headline, occupancy_data
from goodwatt.cli.report.dimensions import gang_classes, ranked_names, run_labels
from goodwatt.cli.report.occupancy_data import Bars, bars_of, chosen_runs, lanes, largest
from goodwatt.cli.report.page import embedded_json, report_html, write_report
from goodwatt.cli.report.payload import payload
from goodwatt.errors import InputError
from goodwatt.simulator.records.result import Occupancy
from tests.cli.report.made_runs import HOSTILE, made_comparison, made_manifest, made_run


def unpacked(column: dict[str, str], kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(column["base64"]), dtype=kind)


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return payload([made_run("fifo", count=900), made_run("srtf", count=900)], None, made_manifest())


def test_sums_are_those_of_the_run(data: dict[str, Any]) -> None:
    jobs = made_run("fifo", count=900).jobs
    groups = data["runs"][0]["groups"]
    assert sum(groups["jobs"]) == 900
    assert sum(groups["finished"]) == sum(end is not None for end in jobs.end_s) < 900
    assert sum(groups["started"]) == sum(start is not None for start in jobs.start_s)
    assert sum(groups["work_gpu_s"]) == pytest.approx(math.fsum(jobs.work_gpu_s), rel=1e-6)
    jct = math.fsum(end - jobs.submit_s[i] for i, end in enumerate(jobs.end_s) if end is not None)
    assert sum(groups["jct_s"]) == pytest.approx(jct, rel=1e-6)


def test_distributions_count_unfinished_jobs(data: dict[str, Any]) -> None:
    times = data["runs"][0]["times"]
    assert sum(times["jobs"]) == 900
    assert sum(times["jct_s"]["counts"]) == sum(data["runs"][0]["groups"]["finished"])
    points = unpacked(times["jct_s"]["points"], "<f4")
    assert len(points) == sum(min(n, data["limits"]["points"]) for n in times["jct_s"]["counts"])


def test_the_timeline_keeps_energy_and_the_highest_power(data: dict[str, Any]) -> None:
    run = made_run("fifo", count=900)
    power = data["runs"][0]["timeline"]["power_w"]
    mean, peak = unpacked(power["mean"], "<f4"), unpacked(power["peak"], "<f4")
    times = np.array(run.timeline.t_s)
    energy_j = float(np.sum(np.diff(times) * np.array(run.timeline.power_w)[:-1]))
    covered = times[-1] - times[0]
    assert float(np.nanmean(mean)) * covered == pytest.approx(energy_j, rel=0.01)
    assert float(np.nanmax(peak)) == pytest.approx(max(run.timeline.power_w), rel=1e-6)


def test_gang_sizes_are_named_by_what_occurs() -> None:
    gangs = gang_classes([1, 3, 4, 8, 6, 100, 70, 1])
    assert gangs.labels == ["1", "3\u20134", "6\u20138", "70\u2013100"]
    assert gangs.of([1, 3, 4, 8, 6, 100, 70]).tolist() == [0, 1, 1, 2, 2, 3, 3]


def test_light_names_are_added_up_not_dropped() -> None:
    names = ranked_names(Counter({"a": 5, "b": 4, None: 3, "c": 1}), 2, "(nobody)")
    assert names.labels == ["a", "b", "2 others"]
    assert names.of(["c", None, "a", "b"]).tolist() == [2, 2, 0, 1]


def test_runs_that_differ_in_power_policy_get_different_names() -> None:
    run = made_run("fifo", count=20)
    capped = replace(run, power="uniform-cap")
    assert run_labels([run, run]) == ["fifo", "fifo"]
    assert run_labels([run, capped]) == ["fifo / default", "fifo / uniform-cap"]


@pytest.mark.parametrize(
    ("mask", "expected"),
    [(0, []), (0b1, [(0, 1)]), (0b100011, [(0, 2), (5, 1)]), (0xFF, [(0, 8)]), (1 << 71, [(71, 1)])],
)
def test_lanes_of_a_mask(mask: int, expected: list[tuple[int, int]]) -> None:
    assert lanes(mask) == expected


def test_bars_hold_all_gpu_time() -> None:
    run = made_run("fifo", count=400)
    held = math.fsum(s.gpus.bit_count() * (s.end_s - s.start_s) for s in run.occupancy)
    assert float(bars_of(run).gpu_s.sum()) == pytest.approx(held)


def test_too_many_bars_keep_the_largest_in_order() -> None:
    places = np.array([[0, 0, 0, 1], [1, 0, 0, 1], [2, 1, 0, 1]])
    bars = Bars(places, np.array([[0.0, 1.0], [1.0, 9.0], [0.0, 5.0]]))
    assert largest(bars, 2).places[:, 0].tolist() == [1, 2]


def test_charts_of_nodes_go_window_by_window_until_the_page_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    run = replace(made_run("fifo", count=5), occupancy=[Occupancy(0, 0, 1, 0.0, 1.0)] * 10)
    runs = [replace(run, policy=p, window=w) for p in ("a", "b") for w in ("1/2", "2/2")]
    monkeypatch.setattr(occupancy_data, "BARS_PER_PAGE", 25)
    assert list(chosen_runs(runs)) == [0, 2], "both policies of the first window"


@pytest.mark.parametrize("text", [HOSTILE, "<!--", "a&b", "\u2028", "\u202eabc"])
def test_embedded_json_cannot_end_its_block_and_reads_back(text: str) -> None:
    written = embedded_json({"name": text})
    assert not set("<>&") & set(written)
    assert orjson.loads(written) == {"name": text}


def test_hostile_names_reach_the_markup_only_escaped() -> None:
    run = replace(made_run("fifo", count=30), policy=HOSTILE, cluster=HOSTILE)
    page = report_html([run], None, {"trace": HOSTILE, "created": HOSTILE, HOSTILE: HOSTILE})
    assert "<img" not in page
    assert page.count("</script>") == 3


def test_names_that_utf8_cannot_carry_do_not_cost_the_report(tmp_path: Path) -> None:
    run = made_run("fifo", count=30)
    run.jobs.user[:] = ["\ud800"] * 30
    run.jobs.job_id[0] = "\udcff"
    write_report(tmp_path / "report.html", [run], None, {"command": "\ud800"})


def test_odd_numbers_are_left_out_not_written_as_text() -> None:
    run = made_run("fifo", count=30)
    run.summary["mean_jct_s"] = math.nan
    written = embedded_json(payload([run], None, {}))
    assert orjson.loads(written)["runs"][0]["summary"]["mean_jct_s"] is None


def test_numbers_of_numpy_and_huge_seeds_are_written() -> None:
    run = replace(made_run("fifo", count=30), seed=2**80)
    run.summary["mean_jct_s"] = np.float64(1.5)
    data = orjson.loads(embedded_json(payload([run], None, {"seed": 2**80, "cores": np.int64(2)})))
    assert data["dimensions"]["seeds"] == [str(2**80)]
    assert data["runs"][0]["summary"]["mean_jct_s"] == 1.5
    assert data["origin"] == [["Seed", str(2**80)], ["cores", 2]]


def test_a_report_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one run"):
        write_report(tmp_path / "report.html", [], None, {})


def test_a_run_in_which_nothing_happened_is_still_a_page(tmp_path: Path) -> None:
    run = made_run("fifo", count=10)
    nothing: list[float | None] = [None] * 10
    jobs = replace(run.jobs, start_s=nothing, end_s=nothing, queueing_s=nothing, state=["refused"] * 10)
    empty = replace(run, jobs=jobs, occupancy=[], timeline=replace(run.timeline, t_s=[]))
    write_report(tmp_path / "report.html", [empty], None, {})
    assert "no job finished" in headline.finding([empty], None)
    assert "10 of 10 jobs were left unfinished" in headline.finding([empty], None)


def test_the_finding_of_a_comparison_names_the_best_fair_policy_and_its_interval() -> None:
    said = headline.finding([made_run("fifo", count=200)], made_comparison())
    assert said.startswith(
        "qssf:history_days=30+fgd has the lowest mean JCT (10.83 h), -12.3% against fifo (95% interval"
    )
    assert "fifo has the highest goodput per watt" in said


def test_the_finding_of_one_run_is_computed_from_it() -> None:
    run = made_run("fifo", count=400, budget_w=50_000.0)
    jct, _ = headline.mean_times(run)
    assert jct is not None
    said = headline.finding([run], None)
    assert headline.duration(jct) in said
    assert "above the budget of 50.0 kW" in said


def test_several_runs_without_a_comparison_claim_only_a_range() -> None:
    runs = [made_run("fifo", count=200), made_run("lifo", count=200)]
    assert headline.finding(runs, None).startswith("Mean JCT runs from")


def test_ten_thousand_jobs_stay_a_light_page(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    write_report(page, [made_run("smallest-first", count=10_000, nodes=60)], None, made_manifest())
    assert page.stat().st_size < 3_000_000


def test_a_large_comparison_stays_within_the_budgets_of_a_page() -> None:
    runs = [made_run("fifo", count=100, seed=seed) for seed in range(120)]
    data = payload(runs, None, {})
    assert data["limits"]["buckets"] < 600
    assert len(embedded_json(data)) < 8_000_000
