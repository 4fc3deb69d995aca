"""`goodwatt replay`: what its options do, and what it refuses."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.cli.replayed import without_times
from tests.third_party import installed

# options --------------------------------------------------------------------------------------------------------------


def test_power_counts_the_time_above_the_budget(goodwatt: Command) -> None:
    over = []
    for power in ("1", "900", "1000000"):
        goodwatt.replay("--budget-w", power)
        over.append(goodwatt.content("out/summary.json")["over_budget_s"])
    assert over[0] == 1050
    assert 0 < over[1] < 1050
    assert over[2] == 0
    assert "over budget" in goodwatt.replay("--budget-w", "1").out
    assert "over budget" not in goodwatt.replay().out


def test_the_horizon_stops_the_run(goodwatt: Command) -> None:
    outcome = goodwatt.replay("--horizon", "150")
    assert "3 unfinished" in outcome.out
    summary = goodwatt.content("out/summary.json")
    assert (summary["horizon_s"], summary["span_s"]) == (150, 150)
    assert [summary[key] for key in ("jobs", "finished", "unfinished", "not_submitted")] == [4, 1, 3, 1]
    rows = goodwatt.rows("out/jobs.csv")
    assert [row["state"] for row in rows] == ["finished", "running", "running", "running", "unsubmitted"]
    assert [row["end_s"] for row in rows] == ["100", "", "", "", ""]
    assert rows[-1]["start_s"] == rows[-1]["queueing_s"] == ""
    assert summary["work_gpu_s"] == 800 + 7 * 50


def test_a_horizon_of_nothing_is_an_empty_run(goodwatt: Command) -> None:
    outcome = goodwatt.replay("--horizon", "0")
    assert outcome.status == 0
    assert goodwatt.content("out/summary.json")["span_s"] == 0


def test_from_leaves_earlier_jobs_out_and_begins_there(goodwatt: Command) -> None:
    assert goodwatt.replay("--from", "7.5", "--horizon", "100").status == 0
    assert [row["job_id"] for row in goodwatt.rows("out/jobs.csv")] == ["c", "d", "e"]
    summary = goodwatt.content("out/summary.json")
    assert (summary["horizon_s"], summary["span_s"]) == (107.5, 100)


def test_an_engine_by_name_and_by_file(goodwatt: Command) -> None:
    goodwatt.replay("--engine", "lucid", policy="tiresias")
    assert goodwatt.content("out/summary.json")["engine"] == "lucid"
    goodwatt.write("slow.yaml", "completion_lag_s: 10")
    goodwatt.replay("--engine", "slow.yaml")
    assert goodwatt.content("out/summary.json")["engine"] == "slow"
    assert goodwatt.rows("out/jobs.csv")[0]["end_s"] == "110"


def test_a_trace_by_name_in_a_folder_and_packed(goodwatt: Command) -> None:
    folder = goodwatt.folder
    (folder / "jobs.csv.gz").write_bytes(gzip.compress((folder / "jobs.csv").read_bytes()))
    options = ("-p", "fifo", "--no-report", "--json")
    one, two = (goodwatt("replay", name, "-c", "two.yaml", *options) for name in ("jobs.csv", "jobs.csv.gz"))
    assert without_times(one.json()) == without_times(two.json())
    summary = goodwatt("replay", "venus", "-c", "example", "--horizon", "3600", *options).json()
    assert summary["jobs"] > 0
    assert summary["jobs"] + summary["not_submitted"] > 10_000


def test_bad_rows_are_skipped_if_wished_and_counted(goodwatt: Command) -> None:
    goodwatt.write("bad.csv", "job_id,submit_s,num_gpus,duration_s\na,0,1,5\nb,x,1,5\nc,1,1,-5\nd,2,64,5\ne,3,8,5\n")
    call = ("replay", "bad.csv", "-c", "two.yaml", "-p", "fifo", "--no-report", "--out", "out")
    message = goodwatt(*call).message
    assert message.startswith("bad.csv, line 3, column 'submit_s': expected ")
    assert "got 'x'" in message
    assert not Path("out").exists()
    outcome = goodwatt(*call, "--skip-bad-rows")
    assert outcome.status == 0
    assert "2 bad rows skipped, the first: bad.csv, line 3, column 'submit_s': expected" in outcome.err
    assert "1 of 3 jobs of bad can never run on two:\n  line 5, job d: it wants 64 GPUs" in outcome.err
    assert [(row["job_id"], row["state"]) for row in goodwatt.rows("out/jobs.csv")] == [
        ("a", "finished"), ("d", "refused"), ("e", "finished"),
    ]  # fmt: skip
    assert (goodwatt.content("out/summary.json")["jobs"], goodwatt.content("out/summary.json")["refused"]) == (2, 1)
    assert "1 refused" in outcome.out


def test_if_no_job_fits_the_run_is_empty_and_says_so(goodwatt: Command) -> None:
    goodwatt.write("wide.csv", "job_id,submit_s,num_gpus,duration_s\na,0,64,5\n")
    outcome = goodwatt("replay", "wide.csv", "-c", "two.yaml", "-p", "fifo", "--skip-bad-rows", "--out", "out")
    assert outcome.status == 0
    assert "1 of 1 jobs" in outcome.err
    summary = goodwatt.content("out/summary.json")
    assert (summary["jobs"], summary["refused"], summary["mean_jct_s"]) == (0, 1, None)


def test_decisions_that_were_refused_are_written_down_and_not_those_of_an_earlier_run(
    goodwatt: Command, tmp_path: Path
) -> None:
    with installed(tmp_path / "site", {"one-at-a-time": "OneAtATime"}):
        outcome = goodwatt.replay("--skip-bad-rows", "--horizon", "2000", policy="one-at-a-time:node=9")
    assert "decisions refused" in outcome.out
    rows = goodwatt.rows("out/refusals.csv")
    assert list(rows[0]) == ["t_s", "decision", "reason"]
    assert "Place(job_id='a'" in rows[0]["decision"]
    assert rows[0]["reason"]
    summary = goodwatt.content("out/summary.json")
    assert summary["refused_decisions"] == len(rows)
    assert summary["policy"] == "one-at-a-time:node=9"
    goodwatt.replay()
    assert not Path("out/refusals.csv").exists()


# what it refuses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("gone.csv -c two.yaml -p fifo", "gone.csv: no such file"),
        ("phily -c two.yaml -p fifo", "unknown trace file or bundled trace 'phily': did you mean 'philly'?"),
        ("jobs.csv -c phily-480 -p fifo", "unknown cluster 'phily-480': did you mean 'philly-480'"),
        ("jobs.csv -c gone.yaml -p fifo", "gone.yaml: no such cluster file"),
        ("jobs.csv -c two.yaml -p fifio", "unknown policy 'fifio': did you mean 'fifo'?"),
        ("jobs.csv -c two.yaml -p qssf:days=3", "unknown parameter of qssf 'days'"),
        ("jobs.csv -c two.yaml -p fifo --engine lucide", "unknown engine 'lucide': did you mean 'lucid'?"),
        ("jobs.csv -c two.yaml -p fifo --engine gone.yaml", "gone.yaml: no such engine file"),
        ("jobs.csv -c two.yaml -p fifo --format helioss", "unknown trace format 'helioss': did you mean 'helios'"),
        ("jobs.csv -c two.yaml -p fifo --from 1001", "--from 1001: no jobs left, the last is submitted at 1000"),
        ("empty.csv -c two.yaml -p fifo", "empty.csv, line 1: expected a job trace, got an empty file"),
        ("head.csv -c two.yaml -p fifo", "head.csv, line 2: expected at least one job, got the end of the file"),
        ("jobs.csv -c one.yaml -p fifo", "2 of 5 jobs of jobs can never run on one:\n  line 2, job a: "),
        ("jobs.csv -c two.yaml -p fifo --out jobs.csv", "--out jobs.csv: expected a folder to write to, got"),
        ("jobs.csv -c two.yaml -p fifo --out jobs.csv/deeper", "--out jobs.csv/deeper: expected a folder"),
        ("jobs.csv -c two.yaml -p fifo --out /proc/nothing", "--out /proc/nothing: expected a folder"),
        ("two.yaml -c two.yaml -p fifo", "two.yaml, line 1: expected a"),
        ("jobs.csv -c jobs.csv -p fifo", "jobs.csv, line 1"),
    ],
)
def test_wrong_input_is_one_message_and_status_2(goodwatt: Command, arguments: str, message: str) -> None:
    goodwatt.write("empty.csv", "")
    goodwatt.write("head.csv", "job_id,submit_s,num_gpus,duration_s\n")
    goodwatt.write("one.yaml", "name: one\nnodes: [{gpu: V100-SXM2, gpus: 4, count: 1}]\n")
    before = sorted(path.name for path in goodwatt.folder.iterdir())
    assert goodwatt("replay", *arguments.split(), "--no-report").message.startswith(message)
    assert sorted(path.name for path in goodwatt.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--horizon", "-1", "Invalid value for '--horizon': -1.0 is not in the range x>=0"),
        ("--horizon", "soon", "'soon' is not a valid float"),
        ("--horizon", "nan", "expected a finite number, got nan"),
        ("--from", "inf", "expected a finite number, got inf"),
        ("--budget-w", "nan", "expected a finite number, got nan"),
        ("--budget-w", "-5", "is not in the range x>=0"),
        ("--seed", "1.5", "'1.5' is not a valid int"),
        ("--physics", "full-ish", "'full-ish' is not"),
    ],
)
def test_wrong_values_of_options_are_named(goodwatt: Command, option: str, value: str, message: str) -> None:
    outcome = goodwatt.replay(option, value)
    assert outcome.status == 2
    assert message in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err
    assert not Path("out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_refused_before_the_run(goodwatt: Command) -> None:
    Path("locked").mkdir(mode=0o500)
    assert goodwatt.replay(out="locked").message.startswith("--out locked: expected a folder to write to")


def test_maintenance_of_a_node_that_is_not_there(goodwatt: Command) -> None:
    goodwatt.write("fans.yaml", "maintenance: [{node: n-1, from_s: 5, to_s: 10}]\n")
    message = goodwatt.replay("--engine", "fans.yaml").message
    assert message.startswith("unknown node in the maintenance of engine fans: 'n-1'")
    assert "Traceback" not in message


def test_maintenance_of_a_node_that_is_there(goodwatt: Command) -> None:
    goodwatt.replay()
    node = goodwatt.rows("out/jobs.csv")[1]["nodes"]
    goodwatt.write("fans.yaml", f"maintenance: [{{node: {node}, from_s: 50, to_s: 60}}]\n")
    assert goodwatt.replay("--engine", "fans.yaml").status == 0
    assert goodwatt.rows("out/jobs.csv")[0]["preemptions"] == "1"


def test_a_wrong_engine_file_is_told_by_line_and_key(goodwatt: Command) -> None:
    goodwatt.write("wrong.yaml", "name: wrong\ndecision_intervall_s: 60\n")
    assert goodwatt.replay("--engine", "wrong.yaml").message == (
        "wrong.yaml, line 2, key 'decision_intervall_s': unknown key: did you mean 'decision_interval_s'?\n"
    )
