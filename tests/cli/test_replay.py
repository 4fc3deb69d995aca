"""`goodwatt replay`: what it leaves and prints, and how it is interrupted."""

from __future__ import annotations

import re
import shlex
import signal
import time
from pathlib import Path

import pytest

from goodwatt.cli import progress
from tests.cli.command import Command
from tests.cli.replayed import without_times
from tests.third_party import install

JOB_COLUMNS = [
    "job_id", "submit_s", "start_s", "end_s", "queueing_s", "preemptions", "num_gpus", "nodes", "work_gpu_s",
    "lost_work_gpu_s", "energy_j", "state", "workload", "reference_gpu", "sharing", "clock_mhz", "failures",
    "lost_energy_j", "gpu_milli", "waited_for", "queue_s", "restart_s", "redone_s", "checkpoint_s", "slow_clock_s",
    "interference_s", "communication_s", "straggler_s", "productive_s",
]  # fmt: skip
TIMELINE_COLUMNS = [
    "t_s", "queued", "running", "busy_gpus", "power_w", "budget_w", "gpu_w", "host_w", "loss_w", "asleep_nodes",
]  # fmt: skip
SUMMARY_FIELDS = {
    "policy", "oracle", "power", "physics", "truth", "cluster", "gpus", "seed", "engine", "jobs", "finished",
    "unfinished", "refused", "warm_up_jobs", "not_submitted", "mean_jct_s", "p50_jct_s", "p95_jct_s", "p99_jct_s",
    "mean_queueing_s", "p50_queueing_s", "p95_queueing_s", "p99_queueing_s", "p99_slowdown", "makespan_s",
    "preemptions", "job_failures", "component_failures", "most_jobs_per_gpu",
    "refused_decisions", "work_weighted_stretch",
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


# what it leaves -------------------------------------------------------------------------------------------------------


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


def test_jobs_without_gpus_run_beside_the_others_where_there_are_cpus(goodwatt: Command) -> None:
    goodwatt.write(
        "mixed.csv", "job_id,submit_s,num_gpus,duration_s,cpu_milli\na,0,8,100,1000\nb,0,0,50,6000\nc,0,0,50,6000\n"
    )
    goodwatt.write("one.yaml", "name: one\nnodes: [{count: 1, gpu: V100-SXM2, gpus: 8, cpu_milli: 8000}]\n")
    outcome = goodwatt("replay", "mixed.csv", "-c", "one.yaml", "-p", "fifo", "--out", "out", "--no-report")
    assert outcome.status == 0
    found = {row["job_id"]: row for row in goodwatt.rows("out/jobs.csv")}
    assert {name: float(row["start_s"]) for name, row in found.items()} == {"a": 0.0, "b": 0.0, "c": 50.0}
    assert [float(found[name]["work_gpu_s"]) for name in "bc"] == [0.0, 0.0]


# interruption ---------------------------------------------------------------------------------------------------------


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


# progress -------------------------------------------------------------------------------------------------------------


def test_progress_is_plain_lines_where_no_terminal_is(goodwatt: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    outcome = goodwatt.replay("--json")
    lines = outcome.err.splitlines()[:-1]
    assert lines == sorted(lines)
    assert "goodwatt: fifo: 4 of 5 jobs ended" in lines
    assert "\x1b" not in outcome.err
    outcome.json()
