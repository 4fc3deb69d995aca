"""`goodwatt replay --services`: what it runs, leaves and refuses."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.cli.replayed import without_times
from tests.cli.served import ENDLESS, SERVICES, prepare, replay


def test_services_run_without_any_jobs_until_everybody_is_served(goodwatt: Command) -> None:
    outcome = replay(goodwatt)
    assert outcome.status == 0, outcome
    summary = goodwatt.content("out/summary.json")
    assert (summary["jobs"], summary["work_gpu_s"]) == (0, 0)
    assert 478 <= summary["span_s"] < 520
    assert goodwatt.rows("out/jobs.csv") == []


def test_services_run_beside_jobs(goodwatt: Command) -> None:
    assert replay(goodwatt, "some.csv").status == 0
    summary = goodwatt.content("out/summary.json")
    assert (summary["jobs"], summary["finished"]) == (3, 3)
    assert [row["job_id"] for row in goodwatt.rows("out/jobs.csv")] == ["a", "b", "c"]


def test_requests_without_an_end_need_a_horizon(goodwatt: Command) -> None:
    assert "--horizon" in replay(goodwatt, services=ENDLESS).message
    assert replay(goodwatt, "--horizon", 120, services=ENDLESS).status == 0
    assert goodwatt.content("out/summary.json")["span_s"] == 120


OUTPUTS = Path(__file__).parents[2] / "docs" / "reference" / "outputs.md"


@pytest.mark.parametrize("resolution", ["ticks", "requests"])
def test_equal_calls_give_equal_results(goodwatt: Command, resolution: str) -> None:
    found = []
    for out in ("one", "other"):
        replay(goodwatt, "some.csv", "--resolution", resolution, "-w", "static", out=out)
        found.append(without_times(goodwatt.content(f"{out}/summary.json")))
    assert found[0] == found[1]


def test_the_manifest_names_the_services_file_and_what_it_names(goodwatt: Command) -> None:
    replay(goodwatt, "--service-policy", "fixed:replicas=1")
    manifest = goodwatt.content("out/manifest.json")
    hashed = {key: hashlib.sha256(Path(path).read_bytes()).hexdigest() for key, path in _INPUTS.items()}
    assert manifest["service_policy"] == "fixed:replicas=1"
    assert {key: manifest["inputs"][key] for key in _INPUTS} == hashed


_INPUTS = {"services_sha256": "services.yaml", "services asked.csv_sha256": "asked.csv"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["some.csv", "--physics", "ideal"], "--services needs --physics full"),
        (["--service-policy", "fixd"], "did you mean 'fixed'?"),
        (["--service-policy", "fixed:replicas=-1"], "at least 0"),
    ],
)
def test_wrong_calls_are_refused_in_one_message(goodwatt: Command, arguments: list[str], expected: str) -> None:
    assert expected in replay(goodwatt, *arguments).message


def test_instances_that_fit_no_node_are_refused(goodwatt: Command) -> None:
    wide = SERVICES.replace("    gpu: H100-SXM\n", "    gpu: H100-SXM\n    tensor_parallel: 8\n")
    assert "instances of service chat can never run on small" in replay(goodwatt, services=wide).message


def test_a_kind_that_the_cluster_lacks_is_refused(goodwatt: Command) -> None:
    other = SERVICES.replace("gpu: H100-SXM", "gpu: H200-SXM")
    assert "H200-SXM" in replay(goodwatt, services=other).message


def test_what_is_for_services_needs_services(goodwatt: Command) -> None:
    prepare(goodwatt)
    call = "replay", "some.csv", "-c", "served.yaml", "-p", "fifo"
    assert "--services FILE" in goodwatt(*call, "--service-policy", "fixed").message
    assert "--services FILE" in goodwatt(*call, "--resolution", "ticks").message


def test_a_run_without_jobs_needs_services(goodwatt: Command) -> None:
    assert "Missing argument 'TRACE': expected a trace" in goodwatt("replay", "-c", "two.yaml", "-p", "fifo").message


def test_a_service_that_nobody_asks_during_the_run_is_told_of(goodwatt: Command) -> None:
    outcome = replay(goodwatt, "--from", 10_000, "--horizon", 60)
    assert outcome.status == 0
    assert "service chat gets no requests" in outcome.err


# what it leaves ------------------------------------------------------------------------------------------------------


def test_the_files_of_services_have_the_columns_of_the_contract(goodwatt: Command) -> None:
    replay(goodwatt, "some.csv", "--service-policy", "fixed:replicas=1")
    (row,) = goodwatt.rows("out/services.csv")
    assert (row["service"], row["requests"], row["on_time"], row["most_replicas"]) == ("chat", "240", "240", "1")
    assert float(row["work_gpu_s"]) > 0
    timeline = goodwatt.rows("out/services_timeline.csv")
    assert [int(row["t_s"]) for row in timeline][:3] == [0, 60, 120]
    assert {row["service"] for row in timeline} == {"chat"}
    assert sum(float(row["rate_per_s"]) for row in timeline[:8]) * 60 == pytest.approx(240)


def test_every_column_and_field_of_services_is_documented(goodwatt: Command) -> None:
    replay(goodwatt)
    text = OUTPUTS.read_text(encoding="utf-8")
    names = {*goodwatt.rows("out/services.csv")[0], *goodwatt.rows("out/services_timeline.csv")[0]}
    assert sorted(name for name in names | set(goodwatt.content("out/summary.json")) if f"`{name}`" not in text) == [
        "p50_queueing_s", "p95_queueing_s",
    ]  # fmt: skip


def test_stays_name_instances_and_jobs_do_not(goodwatt: Command) -> None:
    replay(goodwatt, "some.csv", "--service-policy", "fixed:replicas=2")
    stays = {row["job_id"]: row["gpus"].count("+") + 1 for row in goodwatt.rows("out/stays.csv")}
    assert stays == {"a": 4, "b": 2, "c": 1, "chat/0": 1, "chat/1": 1}
    assert goodwatt.content("out/summary.json")["jobs"] == 3


def test_an_earlier_run_with_services_leaves_nothing_to_one_without(goodwatt: Command) -> None:
    replay(goodwatt, "some.csv")
    assert Path("out/services.csv").exists()
    goodwatt.replay()
    assert not Path("out/services.csv").exists()
    assert not Path("out/services_timeline.csv").exists()


def test_a_job_beside_services_can_be_explained(goodwatt: Command) -> None:
    replay(goodwatt, "some.csv")
    assert goodwatt("explain", "a", "--run", "out").status == 0


def test_the_summary_tells_of_services_and_of_jobs_only_where_there_are_any(goodwatt: Command) -> None:
    without = replay(goodwatt, "--power", "static").out
    assert "service chat" in without
    assert "tokens per joule" in without
    assert "completion time" not in without
    beside = replay(goodwatt, "some.csv", "--json").json()
    assert beside["services"]["chat"]["attainment"] == 1.0
    assert "work per kJ, jobs and services" in replay(goodwatt, "some.csv").out
