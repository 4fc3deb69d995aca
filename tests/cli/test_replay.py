"""`goodwatt replay`: what it leaves, what it prints, what it refuses, and how it is interrupted."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from goodwatt.cli import progress
from tests.cli.command import Command
from tests.third_party import install, installed

JOB_COLUMNS = [
    "job_id", "submit_s", "start_s", "end_s", "queueing_s", "preemptions", "num_gpus", "nodes", "work_gpu_s",
    "lost_work_gpu_s", "energy_j", "state", "workload", "reference_gpu", "sharing", "clock_mhz", "failures",
    "lost_energy_j", "gpu_milli", "queue_s", "restart_s", "redone_s", "checkpoint_s", "slow_clock_s", "interference_s",
    "communication_s", "straggler_s", "productive_s",
]  # fmt: skip
TIMELINE_COLUMNS = [
    "t_s", "queued", "running", "busy_gpus", "power_w", "budget_w", "gpu_w", "host_w", "loss_w", "asleep_nodes",
]  # fmt: skip
SUMMARY_FIELDS = {
    "policy", "oracle", "power", "physics", "truth", "cluster", "gpus", "seed", "engine", "jobs", "finished",
    "unfinished", "refused", "warm_up_jobs", "not_submitted", "mean_jct_s", "p50_jct_s", "p95_jct_s", "p99_jct_s",
    "mean_queueing_s", "p50_queueing_s", "p95_queueing_s", "p99_queueing_s", "p99_slowdown", "makespan_s",
    "preemptions", "job_failures", "component_failures", "refused_decisions", "work_weighted_stretch",
    "effective_training_time_ratio", "queue_gpu_s", "restart_gpu_s", "redone_gpu_s", "checkpoint_gpu_s",
    "slow_clock_gpu_s", "interference_gpu_s", "communication_gpu_s", "straggler_gpu_s", "productive_gpu_s", "horizon_s",
    "span_s", "work_gpu_s", "lost_work_gpu_s", "utilisation", "fragmentation", "asleep_node_s", "mean_clock_mhz",
    "gpu_energy_j", "it_energy_j", "facility_energy_j", "facility_energy_kwh", "idle_energy_j", "held_energy_j",
    "sm_energy_j", "dram_energy_j", "host_energy_j", "loss_energy_j", "asleep_energy_j", "cooling_energy_j",
    "gpus_without_energy",
    "goodput_per_watt_gpu", "goodput_per_watt_it", "mean_power_w", "peak_power_w", "over_budget_s", "energy_cost",
    "currency", "co2_kg", "price_carried_s", "carbon_carried_s", "cpu_s", "wall_s",
}  # fmt: skip
OUTPUTS = Path(__file__).parents[2] / "docs" / "reference" / "outputs.md"


def without_times(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key not in {"cpu_s", "wall_s"}}


# what it leaves ------------------------------------------------------------------------------------------------------


def test_the_files_have_the_names_and_columns_of_the_contract(goodwatt: Command) -> None:
    outcome = goodwatt("replay", "jobs.csv", "-c", "two.yaml", "-p", "fifo", "--budget-w", "1000", "--out", "out")
    assert outcome.status == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "jobs.csv", "manifest.json", "report.html", "stays.csv", "summary.json", "timeline.csv",
    ]  # fmt: skip
    jobs, timeline = goodwatt.rows("out/jobs.csv"), goodwatt.rows("out/timeline.csv")
    summary = goodwatt.content("out/summary.json")
    assert list(jobs[0]) == JOB_COLUMNS
    assert list(timeline[0]) == TIMELINE_COLUMNS
    assert set(summary) == set(SUMMARY_FIELDS)
    assert [row["job_id"] for row in jobs] == ["a", "b", "c", "d", "e"]
    assert {column: jobs[1][column] for column in JOB_COLUMNS[:12]} == {
        "job_id": "b", "submit_s": "5", "start_s": "100", "end_s": "160", "queueing_s": "95", "preemptions": "0",
        "num_gpus": "2", "nodes": jobs[1]["nodes"], "work_gpu_s": "120", "lost_work_gpu_s": "0",
        "energy_j": jobs[1]["energy_j"], "state": "finished",
    }  # fmt: skip
    assert {row["budget_w"] for row in timeline} == {"1000"}
    assert (summary["jobs"], summary["finished"], summary["makespan_s"]) == (5, 5, 1050)
    assert summary["mean_jct_s"] == pytest.approx((100 + 155 + 150 + 280 + 50) / 5)
    assert summary["facility_energy_j"] == pytest.approx(1.5 * summary["it_energy_j"])
    assert summary["peak_power_w"] >= summary["mean_power_w"] > 0
    report = Path("out/report.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=\"?https?:", report)


def test_every_field_of_the_summary_is_documented(goodwatt: Command) -> None:
    goodwatt.replay()
    text = OUTPUTS.read_text(encoding="utf-8")
    short = {"p50_queueing_s": "p50_", "p95_queueing_s": "p95_"}
    for field in goodwatt.content("out/summary.json"):
        assert f"`{short.get(field, field)}`" in text, f"{field} is not documented"


def test_every_column_is_documented() -> None:
    text = OUTPUTS.read_text(encoding="utf-8")
    for column in (*JOB_COLUMNS, *TIMELINE_COLUMNS):
        assert f"`{column}`" in text, f"{column} is not documented"


def test_the_table_is_on_stdout_and_the_rest_on_stderr(goodwatt: Command) -> None:
    outcome = goodwatt.replay()
    lines = outcome.out.splitlines()
    assert lines[0] == "fifo on two, 8 GPUs"
    assert any(line.split()[:4] == ["jobs", "5,", "5", "finished"] for line in lines)
    assert outcome.err == "goodwatt: wrote out\n"


def test_files_of_an_earlier_command_do_not_stay_beside_those_of_this_one(goodwatt: Command) -> None:
    goodwatt("compare", "jobs.csv", "-c", "two.yaml", "-p", "fifo", "--workers", "1", "--out", "out")
    goodwatt.write("out/notes.txt", "mine")
    goodwatt.replay()
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "jobs.csv", "manifest.json", "notes.txt", "stays.csv", "summary.json", "timeline.csv",
    ]  # fmt: skip


def test_json_is_the_summary_and_nothing_else(goodwatt: Command) -> None:
    outcome = goodwatt.replay("--json")
    assert outcome.json() == goodwatt.content("out/summary.json")


def test_without_out_the_folder_is_goodwatt_out(goodwatt: Command) -> None:
    assert goodwatt("replay", "jobs.csv", "-c", "two.yaml", "-p", "fifo", "--no-report").status == 0
    assert Path("goodwatt-out/summary.json").exists()


@pytest.mark.parametrize("policy", ["fifo", "tiresias:threshold_gpu_s=100", "random-fit", "qssf"])
def test_the_same_call_leaves_the_same_bytes(goodwatt: Command, policy: str) -> None:
    for out in ("one", "two"):
        assert goodwatt.replay("--seed", 3, policy=policy, out=out).status == 0
    for name in ("jobs.csv", "timeline.csv"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()
    first, second = (goodwatt.content(f"{out}/summary.json") for out in ("one", "two"))
    assert list(first) == list(second)
    assert without_times(first) == without_times(second)


def test_another_seed_is_another_run_where_dice_fall(goodwatt: Command) -> None:
    goodwatt.write("many.csv", "job_id,submit_s,num_gpus,duration_s\n" + "".join(f"j{i},{i},1,50\n" for i in range(30)))
    placed = []
    for seed in (1, 2):
        call = ("replay", "many.csv", "-c", "philly-80", "-p", "random-fit", "--no-report", "--out", "out")
        goodwatt(*call, "--seed", seed)
        assert goodwatt.content("out/summary.json")["seed"] == seed
        placed.append([row["nodes"] for row in goodwatt.rows("out/jobs.csv")])
    assert placed[0] != placed[1]


def test_the_manifest_is_enough_to_repeat_the_run(goodwatt: Command) -> None:
    call = ("replay", "jobs.csv", "--cluster", "two.yaml", "--policy", "qssf:history_days=3+best-fit")
    more = ("--seed", "7", "--from", "5", "--horizon", "300", "--budget-w", "900", "--no-report", "--out", "first")
    assert goodwatt.outside(*call, *more).status == 0
    manifest = goodwatt.content("first/manifest.json")
    assert manifest["policy"] == "qssf:history_days=3+best-fit"
    assert manifest["seed"] == 7
    assert manifest["partial"] is False
    assert {len(manifest["inputs"][f"{part}_sha256"]) for part in ("trace", "cluster", "engine")} == {64}
    command = shlex.split(manifest["command"])
    assert command == ["goodwatt", *call, *more]
    first = {name: Path("first", name).read_bytes() for name in ("jobs.csv", "timeline.csv")}
    summary = goodwatt.content("first/summary.json")
    assert goodwatt(*command[1:]).status == 0
    assert {name: Path("first", name).read_bytes() for name in first} == first
    assert without_times(goodwatt.content("first/summary.json")) == without_times(summary)
    again = goodwatt.content("first/manifest.json")
    assert (again["inputs"], again["command"]) == (manifest["inputs"], manifest["command"])


def test_the_hashes_tell_inputs_apart(goodwatt: Command) -> None:
    goodwatt.replay()
    first = goodwatt.content("out/manifest.json")
    goodwatt.write("jobs.csv", Path("jobs.csv").read_text(encoding="utf-8").replace("b,5,", "b,6,"))
    goodwatt.write("two.yaml", Path("two.yaml").read_text(encoding="utf-8").replace("pue: 1.5", "pue: 1.4"))
    goodwatt.write("lag.yaml", "completion_lag_s: 1")
    goodwatt.replay("--engine", "lag.yaml")
    second = goodwatt.content("out/manifest.json")
    for part in ("trace", "cluster", "engine"):
        assert first["inputs"][f"{part}_sha256"] != second["inputs"][f"{part}_sha256"]


# power ---------------------------------------------------------------------------------------------------------------


def test_a_power_policy_slows_jobs_and_is_named(goodwatt: Command) -> None:
    outcome = goodwatt.replay("--power", "uniform-clock:share=0.5")
    assert outcome.out.startswith("fifo / uniform-clock:share=0.5 on two, 8 GPUs\n")
    slow = goodwatt.content("out/summary.json")
    assert (slow["policy"], slow["power"], slow["physics"], slow["truth"]) == (
        "fifo", "uniform-clock:share=0.5", "full", "residual",
    )  # fmt: skip
    assert {float(row["clock_mhz"]) for row in goodwatt.rows("out/jobs.csv")} == {765.0}
    goodwatt.replay()
    usual = goodwatt.content("out/summary.json")
    assert {row["clock_mhz"] for row in goodwatt.rows("out/jobs.csv")} == {""}
    assert slow["work_weighted_stretch"] > 1.05 > usual["work_weighted_stretch"]
    assert slow["mean_clock_mhz"] < 800 < usual["mean_clock_mhz"]
    assert "did you mean 'uniform-clock'" in goodwatt.replay("--power", "uniform-klock").message


def test_ideal_physics_takes_traced_durations_and_says_so(goodwatt: Command) -> None:
    outcome = goodwatt.replay("--physics", "ideal", "--power", "uniform-clock:share=0.5")
    assert "(ideal physics)" in outcome.out
    summary = goodwatt.content("out/summary.json")
    assert (summary["work_weighted_stretch"], summary["mean_clock_mhz"], summary["truth"]) == (1.0, None, None)
    assert {row["workload"] for row in goodwatt.rows("out/jobs.csv")} == {""}


def test_ideal_physics_loads_nothing_that_takes_long(goodwatt: Command) -> None:
    heavy = ("numpy", "polars", "pydantic", "scipy", "rich")
    code = (
        "import sys; sys.argv = ['goodwatt', 'replay', 'jobs.csv', '-c', 'philly-80', '-p', 'fifo', '--no-report', "
        "'--physics', 'ideal']\n"
        "from goodwatt.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    goodwatt.write("jobs.csv", "job_id,submit_s,num_gpus,duration_s\na,0,1,5\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_model_as_truth_is_an_oracle(goodwatt: Command) -> None:
    assert "(oracle)" in goodwatt.replay("--truth", "model").out
    assert goodwatt.content("out/summary.json")["oracle"] is True


def test_workloads_of_a_file_are_those_of_the_run(goodwatt: Command) -> None:
    goodwatt.write("classes.csv", "user,workload\nann,resnet50_train\n")
    names = [row["workload"] for row in goodwatt_classes(goodwatt)]
    assert all(names)
    goodwatt.replay("--workloads", "classes.csv")
    rows = goodwatt.rows("out/jobs.csv")
    assert [row["workload"] for row in rows] == [
        "resnet50_train" if job in "ace" else name for job, name in zip("abcde", names, strict=True)
    ]
    assert goodwatt.content("out/manifest.json")["inputs"]["workloads_sha256"]
    goodwatt.write("wrong.csv", "user,workload\nann,resnet50_trian\n")
    assert goodwatt.replay("--workloads", "wrong.csv").message.startswith("wrong.csv, line 2, column 'workload'")


def goodwatt_classes(goodwatt: Command) -> list[dict[str, str]]:
    goodwatt.replay()
    return goodwatt.rows("out/jobs.csv")


def test_energy_is_money_and_co2_where_prices_are_known(goodwatt: Command) -> None:
    outcome = goodwatt.replay("--price", "0.25", "--carbon", "400")
    summary = goodwatt.content("out/summary.json")
    assert summary["energy_cost"] == pytest.approx(0.25 * summary["facility_energy_kwh"])
    assert summary["co2_kg"] == pytest.approx(0.4 * summary["facility_energy_kwh"])
    assert "energy cost" in outcome.out
    goodwatt.write("prices.csv", "time,eur_per_mwh,gco2_per_kwh\n2024-01-01T00:00,100,400\n2024-01-01T00:05,0,400\n")
    priced = goodwatt.replay("--price", "prices.csv", out="series")
    assert "prices.csv: its rows speak of 0.2 h; for " in priced.err
    assert "the price is carried on from the last (line 3)" in priced.err
    goodwatt.write("gap.csv", "time,eur_per_mwh\n0,9\n600,9\n1200,9\n9000,9\n")
    assert "gap.csv, line 4: this row holds for 2.167 h" in goodwatt.replay("--price", "gap.csv", out="gap").err
    series = goodwatt.content("series/summary.json")
    assert 0 < series["energy_cost"] < 0.1 * series["facility_energy_kwh"]
    assert (series["currency"], series["co2_kg"]) == ("EUR", pytest.approx(summary["co2_kg"]))
    assert goodwatt.replay("--price", "-3").message.startswith("expected a number of at least 0 per kWh")
    assert goodwatt.replay("--price", "no.csv").message.startswith("no.csv: cannot be read")


def test_an_objective_fills_in_what_options_leave_open(goodwatt: Command) -> None:
    goodwatt.write(
        "goal.yaml",
        "goal: energy\npower_budget_w: 900\npolicy: sjf\npower: uniform-clock:share=0.3\nprice: 0.5\ncurrency: CHF\n"
        "guardrails: {min_clock_mhz: 1000}\n",
    )
    call = ("replay", "jobs.csv", "-c", "two.yaml", "--no-report", "--out", "out", "--objective", "goal.yaml")
    assert goodwatt(*call).status == 0
    summary = goodwatt.content("out/summary.json")
    assert (summary["policy"], summary["power"], summary["currency"]) == ("sjf", "uniform-clock:share=0.3", "CHF")
    assert {row["budget_w"] for row in goodwatt.rows("out/timeline.csv")} == {"900"}
    assert summary["mean_clock_mhz"] > 950, "the guardrail holds against the policy"
    assert goodwatt(*call, "-p", "fifo", "--power", "default", "--budget-w", "500").status == 0
    summary = goodwatt.content("out/summary.json")
    assert (summary["policy"], summary["power"]) == ("fifo", "default")
    assert {row["budget_w"] for row in goodwatt.rows("out/timeline.csv")} == {"500"}
    goodwatt.write("wrong.yaml", "goal: enrgy\nguardrails: {max_slow: 2}\n")
    message = goodwatt(*call[:-1], "wrong.yaml").message
    assert "wrong.yaml, line 1, key 'goal'" in message
    assert "wrong.yaml, line 2, key 'max_slow': unknown key: did you mean 'max_slowdown'?" in message


def test_without_any_policy_it_says_what_is_missing(goodwatt: Command) -> None:
    assert goodwatt("replay", "jobs.csv", "-c", "two.yaml").message.startswith("--policy: expected a policy")


# options -------------------------------------------------------------------------------------------------------------


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


# what it refuses -----------------------------------------------------------------------------------------------------


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


# interruption --------------------------------------------------------------------------------------------------------


def test_ctrl_c_leaves_what_was_finished_marked_as_partial(goodwatt: Command, tmp_path: Path) -> None:
    """The policy thinks for ever once a job runs, so the moment does not depend on how fast the machine is."""
    site, stuck = install(tmp_path / "site"), tmp_path / "stuck"
    stuck.mkdir()
    goodwatt.write("ones.csv", "job_id,submit_s,num_gpus,duration_s\na,0,1,9\nb,1,1,9\nc,2,1,9\n")
    arguments = ("replay", "ones.csv", "-c", "two.yaml", "-p", "stuck", "--out", "out")
    process = goodwatt.start(*arguments, path=site, STUCK=str(stuck))
    deadline = time.monotonic() + 30
    while not list(stuck.iterdir()) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert out.startswith("stuck on two, 8 GPUs (partial)\n")
    assert goodwatt.content("out/summary.json")["partial"] is True
    assert goodwatt.content("out/manifest.json")["partial"] is True
    assert {row["state"] for row in goodwatt.rows("out/jobs.csv")} == {"running", "waiting", "unsubmitted"}
    assert goodwatt.content("out/summary.json")["not_submitted"] == 1
    assert Path("out/report.html").exists()


# progress ------------------------------------------------------------------------------------------------------------


def test_progress_is_plain_lines_where_no_terminal_is(goodwatt: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    outcome = goodwatt.replay("--json")
    lines = outcome.err.splitlines()[:-1]
    assert lines == sorted(lines)
    assert "goodwatt: fifo: 4 of 5 jobs ended" in lines
    assert "\x1b" not in outcome.err
    outcome.json()
