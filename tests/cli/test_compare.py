"""`goodwatt compare`: the table, the files, the order, interruption."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from goodwatt.cli.compare import DEFAULT_CLUSTER, DEFAULT_POLICIES, DEFAULT_TRACE
from goodwatt.cluster.presets import load_cluster
from goodwatt.errors import RunError
from goodwatt.policies.registry import make_policy
from goodwatt.traces import bundled
from tests.cli.command import Command, Outcome
from tests.third_party import install


@pytest.fixture
def compare(goodwatt: Command) -> Any:
    def call(*arguments: object, out: str = "out") -> Outcome:
        call = ("compare", "jobs.csv", "-c", "two.yaml", "--no-report", "--workers", 1, "--out", out)
        return goodwatt(*call, *arguments)

    return call


def test_the_files_of_a_comparison(goodwatt: Command) -> None:
    call = ("compare", "jobs.csv", "-c", "two.yaml", "-p", "fifo", "-p", "srtf", "--workers", "1", "--out", "out")
    outcome = goodwatt(*call, "--windows", "2", "--seeds", "2")
    assert outcome.status == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "comparison.csv", "comparison.json", "manifest.json", "report.html",
    ]  # fmt: skip
    rows = goodwatt.rows("out/comparison.csv")
    assert [(row["policy"], row["window"], row["seed"]) for row in rows] == [
        (policy, window, seed) for policy in ("fifo", "srtf") for window in ("1/2", "2/2") for seed in ("0", "1")
    ]
    assert list(rows[0])[:2] == ["window", "policy"]
    assert list(rows[0])[-2:] == ["service", "front"]
    assert {"mean_jct_s", "horizon_s", "goodput_per_watt_it", "unfinished"} <= rows[0].keys()
    table = goodwatt.content("out/comparison.json")
    assert [entry["label"] for entry in table["policies"]] == ["fifo", "srtf"]
    assert [entry["oracle"] for entry in table["policies"]] == [False, True]
    assert [entry["reference"] for entry in table["policies"]] == [True, False]
    assert table["partial"] is False
    manifest = goodwatt.content("out/manifest.json")
    assert (manifest["policies"], manifest["windows"], manifest["seeds"]) == (["fifo", "srtf"], 2, [0, 1])
    assert not re.search(r"(?:src|href)=\"?https?:", Path("out/report.html").read_text(encoding="utf-8"))


def test_the_table_is_on_stdout_and_the_rest_on_stderr(compare: Any) -> None:
    outcome = compare("-p", "fifo", "-p", "srtf")
    assert outcome.status == 0
    assert "srtf †" in outcome.out
    assert "† oracle" in outcome.out
    assert outcome.err == "goodwatt: wrote out\n"


def test_json_is_the_table_and_nothing_else(compare: Any, goodwatt: Command) -> None:
    outcome = compare("-p", "fifo", "-p", "las", "--json")
    content = goodwatt.content("out/comparison.json")
    assert outcome.json() == {key: value for key, value in content.items() if key in outcome.json()}
    assert content["policies"] == outcome.json()["policies"]


def test_the_means_are_those_of_the_runs(compare: Any, goodwatt: Command) -> None:
    compare("-p", "fifo", "-p", "srtf")
    rows = {row["policy"]: row for row in goodwatt.rows("out/comparison.csv")}
    for entry in goodwatt.content("out/comparison.json")["policies"]:
        for key in ("mean_jct_s", "p95_jct_s", "it_energy_j"):
            assert entry["cells"][key]["value"] == pytest.approx(float(rows[entry["label"]][key]))


def test_one_run_is_what_replay_would_have_said(compare: Any, goodwatt: Command) -> None:
    compare("-p", "sjf", "--budget-w", "900")
    row = goodwatt.rows("out/comparison.csv")[0]
    goodwatt.replay("--budget-w", "900", policy="sjf", out="alone")
    summary = goodwatt.content("alone/summary.json")
    for key in ("mean_jct_s", "p99_queueing_s", "finished", "preemptions"):
        assert float(row[key]) == summary[key]


def test_workers_do_not_change_a_byte(compare: Any) -> None:
    options = ("-p", "fifo", "-p", "tiresias:threshold_gpu_s=100", "--windows", "2", "--seeds", "2")
    compare(*options, out="one")
    compare(*options, "--workers", 2, out="two")
    assert Path("one/comparison.csv").read_bytes() == Path("two/comparison.csv").read_bytes()
    one, two = (
        [line for line in Path(out, "comparison.json").read_bytes().splitlines() if b'"command":' not in line]
        for out in ("one", "two")
    )
    assert one == two


def test_each_policy_runs_under_each_power_policy(compare: Any, goodwatt: Command) -> None:
    powers = ("--power", "default", "--power", "uniform-clock:share=0.5")
    outcome = compare("-p", "fifo", "-p", "sjf", *powers, "--windows", "2")
    rows = goodwatt.rows("out/comparison.csv")
    assert [(row["policy"], row["power"]) for row in rows][::2] == [
        (policy, power) for policy in ("fifo", "sjf") for power in powers[1::2]
    ]
    table = goodwatt.content("out/comparison.json")
    assert [entry["label"] for entry in table["policies"]] == [
        f"{policy} / {power}" for policy in ("fifo", "sjf") for power in powers[1::2]
    ]
    first, slow = table["policies"][:2]
    assert (first["reference"], first["service"], first["front"]) == (True, "", True)
    assert slow["service"] == "short"
    assert any(mark.startswith("stretch 1.") for mark in slow["marks"])
    assert slow["cells"]["it_energy_j"]["value"] > 0
    assert "▲ stretch" in outcome.out
    assert "◇ on the front" in outcome.out
    assert goodwatt.content("out/manifest.json")["powers"] == list(powers[1::2])
    assert "did you mean 'uniform-clock'" in compare("-p", "fifo", "--power", "uniform-klock").message


def test_one_power_policy_and_the_physics_stand_in_the_title(compare: Any) -> None:
    assert "jobs on two · power uniform-cap" in compare("-p", "fifo", "--power", "uniform-cap").out
    assert "jobs on two · ideal physics" in compare("-p", "fifo", "--physics", "ideal").out
    assert "· the model as truth" in compare("-p", "fifo", "--truth", "model").out


def test_an_objective_sets_the_floor_the_goal_and_who_is_compared(compare: Any, goodwatt: Command) -> None:
    goodwatt.write(
        "goal.yaml",
        "goal: carbon\ncarbon: 400\npolicy: sjf\npower: uniform-clock:share=0.7\n"
        "service_floor: {mean_jct: 9, p95_jct: 9, stretch: 9, p99_queueing: 9}\n",
    )
    compare("--objective", "goal.yaml")
    table = goodwatt.content("out/comparison.json")
    assert [entry["label"] for entry in table["policies"]] == [
        f"{policy} / {power}" for policy in ("fifo", "sjf") for power in ("default", "uniform-clock:share=0.7")
    ]
    assert table["metrics"][0]["key"] == "co2_kg"
    assert not any(mark for entry in table["policies"] for mark in entry["marks"])


def test_a_policy_named_twice_runs_once(compare: Any, goodwatt: Command) -> None:
    outcome = compare("-p", "fifo", "-p", "sjf", "-p", "fifo")
    assert "goodwatt: --policy fifo was given several times and runs once\n" in outcome.err
    assert [row["policy"] for row in goodwatt.rows("out/comparison.csv")] == ["fifo", "sjf"]


def test_a_trace_of_one_job_is_said_to_tell_little(goodwatt: Command) -> None:
    goodwatt.write("one.csv", "job_id,submit_s,num_gpus,duration_s\na,0,1,5\n")
    outcome = goodwatt(
        "compare", "one.csv", "-c", "two.yaml", "-p", "fifo", "--no-report", "--workers", "1", "--out", "o"
    )
    assert outcome.status == 0
    assert "one has one job, which waits for nobody: policies can hardly differ" in outcome.err


def test_hosts_of_which_nobody_says_anything_are_named_where_energy_is(goodwatt: Command) -> None:
    goodwatt.write("bare.yaml", "nodes: [{gpu: V100-SXM2, gpus: 8}]\n")
    what = ("jobs.csv", "-c", "bare.yaml")
    said = "cluster bare says nothing of its hosts' power (power: node), so they count as 0 W"
    for call in (
        ("compare", *what, "-p", "fifo", "--workers", "1", "--no-report", "--out", "a"),
        ("replay", *what, "-p", "fifo", "--no-report", "--out", "b"),
        ("bounds", *what),
    ):
        assert goodwatt(*call).err.count(said) == 1
    assert (
        "hosts" not in goodwatt("replay", "jobs.csv", "-c", "two.yaml", "-p", "fifo", "--no-report", "--out", "c").err
    )


def test_shares_of_the_bound_can_be_left_out(compare: Any, goodwatt: Command) -> None:
    assert "bound" in compare("-p", "fifo").out
    assert 0.0 < float(goodwatt.rows("out/comparison.csv")[0]["share_of_bound_it"]) <= 1.0
    compare("-p", "fifo", "--no-bounds", out="plain")
    assert "share_of_bound_it" not in goodwatt.rows("plain/comparison.csv")[0]


def test_runs_are_kept_where_the_bound_fails(compare: Any, goodwatt: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Any:
        raise RunError("not solved")

    monkeypatch.setattr("goodwatt.policies.comparison_bounds.with_shares", fails)
    outcome = compare("-p", "fifo", "--bounds")
    assert outcome.status == 0
    assert "all runs are done, shares of the bound are left out: not solved" in outcome.err
    assert len(goodwatt.rows("out/comparison.csv")) == 1


def test_windows_count_each_job_once(compare: Any, goodwatt: Command) -> None:
    compare("-p", "fifo", "--windows", "4")
    assert [int(row["jobs"]) for row in goodwatt.rows("out/comparison.csv")] == [4, 0, 0, 1]


def test_jobs_that_never_fit_are_skipped_if_wished(goodwatt: Command) -> None:
    goodwatt.write("wide.csv", "job_id,submit_s,num_gpus,duration_s\na,0,64,5\nb,1,1,5\n")
    call = ("compare", "wide.csv", "-c", "two.yaml", "-p", "fifo", "--no-report", "--workers", "1", "--out", "out")
    assert "line 2, job a: " in goodwatt(*call).message
    outcome = goodwatt(*call, "--skip-bad-rows")
    assert outcome.status == 0
    assert "1 of 2 jobs" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-p fifo -p fifoo", "unknown policy 'fifoo': did you mean 'fifo'"),
        ("-p fifo --engine lucida", "unknown engine 'lucida': did you mean 'lucid'?"),
        ("-p fifo --engine fans.yaml", "unknown node in the maintenance of engine fans: 'nowhere'"),
        ("-p fifo --out jobs.csv", "--out jobs.csv: expected a folder to write to, got"),
        ("-p fifo -c philly-81", "unknown cluster 'philly-81': did you mean 'philly-80'"),
    ],
)
def test_wrong_input_is_one_message_and_status_2(compare: Any, goodwatt: Command, arguments: str, message: str) -> None:
    goodwatt.write("fans.yaml", "maintenance: [{node: nowhere, from_s: 5, to_s: 10}]\n")
    assert compare(*arguments.split()).message.startswith(message)
    assert not Path("out").exists()


@pytest.mark.parametrize("arguments", ["--windows 0", "--seeds 0", "--workers 0", "--windows two", "--budget-w nan"])
def test_wrong_values_of_options_are_named(compare: Any, arguments: str) -> None:
    outcome = compare("-p", "fifo", *arguments.split())
    assert outcome.status == 2
    assert f"Invalid value for '{arguments.split(maxsplit=1)[0]}'" in outcome.err


def test_what_runs_without_arguments_is_there() -> None:
    assert bundled.path(DEFAULT_TRACE).exists()
    assert load_cluster(DEFAULT_CLUSTER).num_gpus > 0
    assert [make_policy(spec).name for spec in DEFAULT_POLICIES] == list(DEFAULT_POLICIES)


# interruption --------------------------------------------------------------------------------------------------------


def interrupted(process: subprocess.Popen[str], stuck: Path, files: int, to_all: bool) -> tuple[str, str]:
    """What a command prints that is interrupted once so many files show that its processes are stuck."""
    deadline = time.monotonic() + 30
    while len(list(stuck.iterdir())) < files and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.2)  # what was done before is on its way
    if to_all:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    return out, err


def assert_partial_and_nobody_left(goodwatt: Command, stuck: Path) -> None:
    """Files of processes that were stuck bear their numbers."""
    assert goodwatt.content("out/comparison.json")["partial"] is True
    assert goodwatt.content("out/manifest.json")["partial"] is True
    for process in [path.name for path in stuck.iterdir() if path.name != "done"]:
        with pytest.raises(ProcessLookupError):
            os.kill(int(process), 0)


@pytest.mark.parametrize(
    ("workers", "to_all"), [(1, False), (2, True), (2, False)], ids=["alone", "workers, terminal", "workers, kill"]
)
def test_ctrl_c_leaves_finished_runs_and_ends_the_rest_at_once(
    goodwatt: Command, tmp_path: Path, workers: int, to_all: bool
) -> None:
    """The second policy thinks for ever, so the moment does not depend on how fast the machine is.

    A terminal sends the signal to all processes of the command, `kill` to one.
    """
    site, stuck = install(tmp_path / "site"), tmp_path / "stuck"
    stuck.mkdir()
    goodwatt.write("ones.csv", "job_id,submit_s,num_gpus,duration_s\na,0,1,9\nb,1,1,9\nc,900,1,9\nd,901,1,9\n")
    call = ("compare", "ones.csv", "-c", "two.yaml", "-p", "fifo", "-p", "stuck", "--windows", "2", "--no-report")
    process = goodwatt.start(*call, "--workers", workers, "--out", "out", path=site, STUCK=str(stuck))
    out, err = interrupted(process, stuck, workers, to_all)
    assert "goodwatt: interrupted: 2 of 4 runs, marked as partial" in err
    assert "fifo" in out
    with Path("out/comparison.csv").open(encoding="utf-8", newline="") as file:
        assert [(row["policy"], row["window"]) for row in csv.DictReader(file)] == [("fifo", "1/2"), ("fifo", "2/2")]
    assert_partial_and_nobody_left(goodwatt, stuck)


def test_ctrl_c_before_anything_is_finished(goodwatt: Command, tmp_path: Path) -> None:
    site, stuck = install(tmp_path / "site"), tmp_path / "stuck"
    stuck.mkdir()
    goodwatt.write("ones.csv", "job_id,submit_s,num_gpus,duration_s\na,0,1,9\nb,1,1,9\n")
    call = ("compare", "ones.csv", "-c", "two.yaml", "-p", "stuck", "-p", "fifo", "--workers", "1", "--out", "out")
    process = goodwatt.start(*call, path=site, STUCK=str(stuck))
    deadline = time.monotonic() + 30
    while not list(stuck.iterdir()) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "interrupted: 0 of 2 runs" in err
    assert goodwatt.content("out/comparison.json")["policies"] == []


SLOW_BOUNDS = """
import os, time
from pathlib import Path
from goodwatt.policies.bounds import energy_bounds as module

fast, folder = module.energy_bounds, Path(os.environ["STUCK"])

def energy_bounds(jobs, on, options, *told):
    if options.start_s == 0:
        found = fast(jobs, on, options, *told)
        (folder / "done").touch()
        return found
    (folder / str(os.getpid())).touch()
    time.sleep(60)

module.energy_bounds = energy_bounds
"""
"""Every process that starts with it bounds the first window at once and the second for ever."""


@pytest.mark.parametrize(
    ("workers", "to_all"), [(1, False), (2, True), (2, False)], ids=["alone", "workers, terminal", "workers, kill"]
)
def test_ctrl_c_while_bounds_are_made_leaves_the_runs_and_the_bounds_that_are_done(
    goodwatt: Command, tmp_path: Path, workers: int, to_all: bool
) -> None:
    site, stuck = tmp_path / "site", tmp_path / "stuck"
    site.mkdir()
    stuck.mkdir()
    (site / "sitecustomize.py").write_text(SLOW_BOUNDS)
    goodwatt.write("ones.csv", "job_id,submit_s,num_gpus,duration_s\na,0,1,9\nb,1,1,9\nc,900,1,9\nd,901,1,9\n")
    call = ("compare", "ones.csv", "-c", "two.yaml", "-p", "fifo", "-p", "sjf", "--windows", "2", "--no-report")
    process = goodwatt.start(*call, "--bounds", "--workers", workers, "--out", "out", path=site, STUCK=str(stuck))
    _, err = interrupted(process, stuck, 2, to_all)
    assert "goodwatt: interrupted: 4 of 4 runs, without all of their shares of the bound, marked as partial" in err
    with Path("out/comparison.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["policy"], bool(row["share_of_bound_it"])) for row in rows] == [
        ("fifo", True), ("fifo", False), ("sjf", True), ("sjf", False)
    ]  # fmt: skip
    assert_partial_and_nobody_left(goodwatt, stuck)
