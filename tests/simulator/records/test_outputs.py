"""The files of a run: numbers as they are, text as it is, the same bytes every time."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.simulator.decisions import Group, Place, Preempt, Refusal
from goodwatt.simulator.jobs.lost_time import PARTS
from goodwatt.simulator.records.outputs import (
    JOB_COLUMNS,
    TIMELINE_COLUMNS,
    clear,
    write_json,
    write_refusals,
    write_run,
    write_table,
)
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.run_options import RunOptions
from tests.scenario import Nodes, Scripted, cluster, engine, fates, finished, job, simulate


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def column(tmp_path: Path, values: list[Any]) -> list[str]:
    write_table(tmp_path / "t.csv", ["x", "y"], [values, [1] * len(values)])
    return [row[0] for row in rows(tmp_path / "t.csv")[1:]]


# tables --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([1.0, 2.0], ["1", "2"]),
        ([0.1, 2.5], ["0.1", "2.5"]),
        ([1.0, None], ["1", ""]),
        ([0.5, None], ["0.5", ""]),
        ([3, 4], ["3", "4"]),
        (["6214e9", "007"], ["6214e9", "007"]),
        ([1e22, 5.0], ["10000000000000000000000", "5"]),
        ([-0.0], ["0"]),
        ([], []),
    ],
)
def test_numbers(tmp_path: Path, values: list[Any], written: list[str]) -> None:
    assert column(tmp_path, values) == written


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_number_reads_back_the_same(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    assert [float(text) for text in column(tmp_path_factory.mktemp("t"), values)] == values


def test_what_is_no_number_does_no_harm(tmp_path: Path) -> None:
    assert column(tmp_path, [math.nan, 1.0]) == ["nan", "1.0"]
    assert column(tmp_path, [math.inf, 1.0]) == ["inf", "1.0"]


def test_text_with_commas_quotes_and_lines_reads_back(tmp_path: Path) -> None:
    names = ["a,b", 'say "x"', "two\nlines", " blank ", "ünï"]
    assert column(tmp_path, names) == names


def test_columns_of_unequal_length_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_table(tmp_path / "t.csv", ["a", "b"], [[1, 2], [1]])


def test_lines_end_alike_on_every_machine(tmp_path: Path) -> None:
    column(tmp_path, [1, 2])
    assert (tmp_path / "t.csv").read_bytes() == b"x,y\n1,1\n2,1\n"


def test_json_ends_with_a_line_and_keeps_its_order(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1, "a": None})
    assert (tmp_path / "x.json").read_bytes() == b'{\n  "b": 1,\n  "a": null\n}\n'


# runs ----------------------------------------------------------------------------------------------------------------


def test_the_files_of_a_run(tmp_path: Path) -> None:
    jobs = [job("a", gpus=8, duration_s=100.5), job("0012", gpus=1, submit_s=1.0), job("late", gpus=8, submit_s=2.0)]
    options = RunOptions(horizon_s=150.0, budget_w=500.0)
    outcome = finished(simulate(jobs, cluster(Nodes(1)), options=options))
    write_run(tmp_path / "deep" / "er", outcome, {"command": "goodwatt replay"})
    folder = tmp_path / "deep" / "er"
    assert sorted(path.name for path in folder.iterdir()) == [
        "jobs.csv", "manifest.json", "summary.json", "timeline.csv",
    ]  # fmt: skip
    head, *lines = rows(folder / "jobs.csv")
    assert tuple(head) == JOB_COLUMNS
    written = [dict(zip(head, line, strict=True)) for line in lines]
    assert [row["job_id"] for row in written] == ["a", "0012", "late"]
    assert [row["state"] for row in written] == ["finished", "running", "waiting"]
    assert [row["start_s"] for row in written] == ["0.0", "100.5", ""]
    assert [row["end_s"] for row in written] == ["100.5", "", ""]
    assert orjson.loads((folder / "summary.json").read_bytes()) == outcome.summary
    assert orjson.loads((folder / "manifest.json").read_bytes()) == {"command": "goodwatt replay"}
    timeline = rows(folder / "timeline.csv")
    assert tuple(timeline[0]) == TIMELINE_COLUMNS
    assert [float(row[0]) for row in timeline[1:]] == sorted(float(row[0]) for row in timeline[1:])
    power = [dict(zip(timeline[0], map(float, row), strict=True)) for row in timeline[1:]]
    assert {row["budget_w"] for row in power} == {500.0}
    assert all(row["power_w"] == row["gpu_w"] + row["host_w"] + row["loss_w"] for row in power)
    assert {row["asleep_nodes"] for row in power} == {0.0}


def test_without_a_budget_its_column_is_empty(tmp_path: Path) -> None:
    write_run(tmp_path, finished(simulate([job()], cluster(Nodes(1)))), {})
    assert {row[TIMELINE_COLUMNS.index("budget_w")] for row in rows(tmp_path / "timeline.csv")[1:]} == {""}


def test_a_run_without_jobs_leaves_headings(tmp_path: Path) -> None:
    write_run(tmp_path, result(simulate([], cluster(Nodes(1)))), {})
    assert rows(tmp_path / "jobs.csv") == [list(JOB_COLUMNS)]


def test_where_the_time_of_each_job_went(tmp_path: Path) -> None:
    jobs = [job("a", gpus=8, duration_s=200), job("b", gpus=8, submit_s=70, duration_s=10)]
    settings = engine(checkpoint_interval_s=50.0, restart_overhead_s=10.0)
    write_run(tmp_path, finished(simulate(jobs, cluster(Nodes(1)), "srtf", settings)), {})
    head, *lines = rows(tmp_path / "jobs.csv")
    first, second = (dict(zip(head, line, strict=True)) for line in lines)
    assert float(first["queue_s"]) == 10.0
    assert float(first["restart_s"]) == 10.0
    assert float(first["redone_s"]) == 20.0
    assert float(first["productive_s"]) == pytest.approx(200.0)
    assert float(first["lost_energy_j"]) == 20 * 8 * 250
    assert math.fsum(float(first[f"{part}_s"]) for part in PARTS) == pytest.approx(240.0)
    assert (second["queue_s"], second["productive_s"], second["lost_energy_j"]) == ("0", "10", "0")


def test_how_jobs_were_run_stands_beside_them(tmp_path: Path) -> None:
    place = Place("a", ((0, 4),), clock_mhz=900.0)
    options = RunOptions(physics="full")
    on = cluster(Nodes(1, kind="V100"))
    sim = simulate(
        [job("a", gpus=4), job("b", gpus=4)], on, Scripted({0.0: [place, Place("b", ((0, 4),))]}), options=options
    )
    write_run(tmp_path, finished(sim), {})
    head, *lines = rows(tmp_path / "jobs.csv")
    first, second = (dict(zip(head, line, strict=True)) for line in lines)
    assert (float(first["clock_mhz"]), second["clock_mhz"]) == (900.0, "")
    assert (first["reference_gpu"], first["sharing"], first["failures"]) == (on.nodes[0].gpu_kind, "exclusive", "0")
    assert first["workload"]


def test_clearing_takes_away_what_goodwatt_wrote_and_nothing_else(tmp_path: Path) -> None:
    write_run(tmp_path, finished(simulate([job()], cluster(Nodes(1)))), {})
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_gangs_name_all_their_nodes_and_unknown_energy_is_empty(tmp_path: Path) -> None:
    outcome = finished(simulate([job("gang", gpus=16)], cluster(Nodes(2, kind="secret"))))
    write_run(tmp_path, outcome, {})
    row = dict(zip(*rows(tmp_path / "jobs.csv"), strict=True))
    assert (row["nodes"], row["energy_j"], row["work_gpu_s"]) == ("n0+n1", "", "1600")
    assert fates(outcome)["gang"]["nodes"] == "n0+n1"


def test_refusals_are_written_with_time_and_reason(tmp_path: Path) -> None:
    refusals = [
        Refusal(5.0, Place("a", ((0, 8),)), "busy, very"),
        Refusal(7.5, Group((Preempt("b"), Place("a", ((0, 8),))), "swap"), "no"),
    ]
    write_refusals(tmp_path / "r.csv", refusals)
    head, first, second = rows(tmp_path / "r.csv")
    assert head == ["t_s", "decision", "reason"]
    assert (first[0], first[2]) == ("5.0", "busy, very")
    assert first[1].startswith("Place(job_id='a'")
    assert second[1].startswith("Group(")


def test_no_refusals_is_a_heading(tmp_path: Path) -> None:
    write_refusals(tmp_path / "r.csv", [])
    assert rows(tmp_path / "r.csv") == [["t_s", "decision", "reason"]]


def test_refusals_of_a_run(tmp_path: Path) -> None:
    sim = simulate(
        [job("a", gpus=4)], cluster(Nodes(1)), Scripted({0.0: [Place("a", ((0, 5),)), Place("x", ((0, 1),))]})
    )
    sim.run()
    write_refusals(tmp_path / "r.csv", sim.executor.refusals)
    assert [row[0] for row in rows(tmp_path / "r.csv")[1:]] == ["0", "0"]
