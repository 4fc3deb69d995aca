"""`goodwatt scenarios`, and `--scenario` of replay and compare."""

from __future__ import annotations

import pytest

from goodwatt.scenarios.library import scenario_names
from tests.cli.command import CLUSTER, TABLE, Command, Outcome

MINE = """\
about: a try
look_at: nothing
cluster:
  name: one
  nodes: [{count: 1, gpu: H100-SXM, gpus: 8, nodes_per_rack: 1}]
  racks: [{name: rack-*, power_limit_w: 9000, feeds: 2}]
jobs: {like: venus, gpus: 4, load: 9, waiting_h: 2}
services:
  - {name: chat, model: llama-3.1-8b, gpu: H100-SXM, replicas: {min: 1, max: 2, start_s: 5}, promise: {ttft_p99_s: 1},
     requests: {class: chat, rates: [[0, 2], [600, 4]]}}
engine: {lost_feeds: [{rack: rack-001, from_s: 120, to_s: 240}]}
budget_w: [[0, 9000], [120, 4500], [240, 9000]]
horizon_s: 300
"""


def replay(goodwatt: Command, *arguments: object) -> Outcome:
    goodwatt.write("mine.yaml", MINE)
    return goodwatt("replay", "--scenario", "mine.yaml", "-p", "fifo", "--no-report", "--out", "out", *arguments)


def compare(goodwatt: Command, *arguments: object) -> Outcome:
    goodwatt.write("mine.yaml", MINE)
    call = "compare", "--scenario", "mine.yaml", "-p", "easy-backfill", "--no-report", "--workers", 1, "--out", "out"
    return goodwatt(*call, *arguments)


def test_list_and_show(goodwatt: Command) -> None:
    assert all(name in goodwatt("scenarios", "list").out for name in scenario_names())
    assert [row["name"] for row in goodwatt("scenarios", "list", "--json").json()] == list(scenario_names())
    shown = goodwatt("scenarios", "show", "feed-loss").out
    assert "Look at: " in shown
    assert "rack-001, feed 0, from 1.25 h to 2 h" in shown
    assert "chat-70b" in shown
    assert goodwatt("scenarios", "show", "burst", "--json").json()["cluster"]["gpus"] == 32


def test_what_show_prints_as_yaml_is_a_scenario(goodwatt: Command) -> None:
    goodwatt.write("mine.yaml", goodwatt("scenarios", "show", "burst", "--yaml").out)
    one, other = (goodwatt("scenarios", "show", name, "--json").json() for name in ("burst", "mine.yaml"))
    assert one == other


def test_a_name_that_is_not_there(goodwatt: Command) -> None:
    for call in (("scenarios", "show", "brust"), ("replay", "--scenario", "brust", "-p", "fifo")):
        assert "unknown scenario 'brust': did you mean 'burst'" in goodwatt(*call).message


def test_a_scenario_is_all_that_a_replay_needs_besides_policies(goodwatt: Command) -> None:
    outcome = replay(goodwatt, "--power", "budget")
    assert outcome.status == 0, outcome
    summary, manifest = goodwatt.content("out/summary.json"), goodwatt.content("out/manifest.json")
    assert (summary["cluster"], summary["span_s"], summary["engine"]) == ("one", 300, "mine")
    assert summary["requests"] > 300
    assert summary["jobs"] > 3
    assert manifest["trace"] == "mine"
    assert manifest["scenario_given"] == "mine.yaml"
    assert manifest["inputs"]["scenario_sha256"]
    assert {row["budget_w"] for row in goodwatt.rows("out/timeline.csv")} == {"9000", "4500"}
    job = goodwatt.rows("out/jobs.csv")[0]["job_id"]
    assert goodwatt("explain", job, "--run", "out").status == 0


def test_options_win_over_the_scenario(goodwatt: Command) -> None:
    goodwatt.write("jobs.csv", TABLE)
    goodwatt.write("two.yaml", CLUSTER.replace("V100-SXM2", "H100-SXM"))
    goodwatt.write("quick.yaml", "decision_interval_s: 10\n")
    more = "-c", "two.yaml", "--horizon", 60, "--budget-w", 5000, "--engine", "quick.yaml"
    outcome = replay(goodwatt, "jobs.csv", *more)
    assert outcome.status == 0, outcome
    summary = goodwatt.content("out/summary.json")
    assert (summary["cluster"], summary["span_s"], summary["engine"]) == ("two", 60, "quick")
    assert [row["job_id"] for row in goodwatt.rows("out/jobs.csv")] == ["a", "b", "c", "d", "e"]
    assert {row["budget_w"] for row in goodwatt.rows("out/timeline.csv")} == {"5000"}


def test_seeds_draw_other_jobs(goodwatt: Command) -> None:
    drawn = []
    for seed in (0, 0, 1):
        replay(goodwatt, "--seed", seed, "--horizon", 30)
        drawn.append([row["num_gpus"] for row in goodwatt.rows("out/jobs.csv")])
    assert drawn[0] == drawn[1] != drawn[2]


def test_compare_ends_with_the_scenario_and_tells_of_no_completion_times(goodwatt: Command) -> None:
    outcome = compare(goodwatt, "--service-policy", "fixed", "--service-policy", "reactive", "-w", "budget", "--json")
    assert outcome.status == 0, outcome
    table = outcome.json()
    assert [row["label"] for row in table["policies"]] == ["easy-backfill / fixed", "easy-backfill / reactive"]
    assert (table["trace"], table["cluster"]) == ("mine", "one")
    keys = {metric["key"] for metric in table["metrics"]}
    assert {"work_gpu_s", "minutes_kept", "over_budget_s"} <= keys
    assert not {"mean_jct_s", "p95_jct_s", "p99_queueing_s"} & keys
    assert not any(row["front"] for row in table["policies"])
    assert goodwatt.content("out/manifest.json")["scenario_given"] == "mine.yaml"


def test_bounds_know_of_no_budget_that_changes(goodwatt: Command) -> None:
    head, _, rest = MINE.partition("services:")
    goodwatt.write("jobs.yaml", head + rest[rest.index("engine:") :])
    call = "compare", "--scenario", "jobs.yaml", "-p", "fifo", "--no-report", "--workers", 1, "--out", "out", "--bounds"
    outcome = goodwatt(*call)
    assert outcome.status == 0, outcome
    assert "bounds know of no budget that changes" in outcome.err


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (("--physics", "ideal"), "--scenario needs --physics full, got ideal"),
        (("-c", "philly-80"), "unknown rack in lost_feeds 'rack-001'"),
        (("--engine", "brief"), "unknown engine 'brief'"),
    ],
)
def test_what_does_not_go_together(goodwatt: Command, call: tuple[str, ...], message: str) -> None:
    assert message in replay(goodwatt, *call).message
