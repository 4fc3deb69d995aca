"""`goodwatt compare --services`: service policies beside the others, what the table says, broken promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Command, Outcome
from tests.cli.served import ENDLESS, SERVICES, prepare


def compare(goodwatt: Command, *arguments: object, services: str = SERVICES) -> Outcome:
    prepare(goodwatt, services)
    call = "compare", *arguments, "--services", "services.yaml", "-c", "served.yaml", "-p", "fifo", "--no-report"
    return goodwatt(*call, "--workers", 1, "--out", "out")


def test_service_policies_are_crossed_with_policies_and_power_policies(goodwatt: Command) -> None:
    more = "-p", "sjf", "-w", "default", "-w", "static", "--service-policy", "fixed", "--service-policy"
    outcome = compare(goodwatt, "some.csv", *more, "fixed:replicas=1", "--json")
    assert outcome.status == 0, outcome
    assert [row["label"] for row in outcome.json()["policies"]] == [
        f"{policy} / {services} / {power}"
        for policy in ("sjf", "fifo")
        for services in ("fixed", "fixed:replicas=1")
        for power in ("default", "static")
    ]


def test_the_only_service_policy_is_said_once(goodwatt: Command) -> None:
    table = compare(goodwatt, "some.csv", "--json").json()
    assert [row["label"] for row in table["policies"]] == ["fifo"]
    assert table["setting"] == "services fixed"


def test_the_table_tells_of_services_and_without_jobs_of_nothing_else(goodwatt: Command) -> None:
    beside = {metric["key"]: metric["title"] for metric in compare(goodwatt, "some.csv", "--json").json()["metrics"]}
    alone = {metric["key"]: metric["title"] for metric in compare(goodwatt, "--json").json()["metrics"]}
    of_services = {"minutes_kept", "attainment", "tokens_per_joule_it", "service_work_gpu_s", "goodput_per_watt_it"}
    assert of_services <= beside.keys() & alone.keys()
    assert beside["work_gpu_s"] == "work of jobs"
    assert not {"mean_jct_s", "work_gpu_s", "unfinished"} & alone.keys()
    assert "share_of_bound_it" not in beside


def test_without_services_nothing_is_said_of_them(goodwatt: Command) -> None:
    outcome = goodwatt("compare", "jobs.csv", "-c", "two.yaml", "-p", "fifo", "--no-report", "--out", "out", "--json")
    table = outcome.json()
    assert "attainment" not in {metric["key"] for metric in table["metrics"]}
    assert "work" in {metric["title"] for metric in table["metrics"]}


@pytest.mark.parametrize(
    ("first", "second", "marked"), [("fixed", "fixed:replicas=1", 1), ("fixed:replicas=1", "fixed", 0)]
)
def test_a_broken_promise_is_marked_wherever_it_stands(goodwatt: Command, first: str, second: str, marked: int) -> None:
    call = "--service-policy", first, "--service-policy", second, "--horizon", 240, "--json"
    rows = compare(goodwatt, *call, services=BUSY).json()
    kept = [row["cells"]["minutes_kept"]["value"] for row in rows["policies"]]
    assert kept[marked] < 0.99 <= kept[1 - marked]
    assert "promise kept in" in rows["policies"][marked]["marks"][0]
    assert rows["policies"][1 - marked]["marks"] == []
    assert [row["service"] for row in rows["policies"]] == ["", "short" if marked else "strict"]


def test_windows_are_cut_from_the_horizon(goodwatt: Command) -> None:
    table = compare(goodwatt, "--horizon", 240, "--windows", 2, "--seeds", 2, "--json", services=ENDLESS).json()
    assert (table["windows"], table["seeds"]) == (["1/2", "2/2"], [0, 1])
    runs = goodwatt.rows("out/comparison.csv")
    assert [run["span_s"] for run in runs] == ["120"] * 4
    assert len({run["requests"] for run in runs}) > 1, "seeds draw other requests"
    assert "services" not in runs[0]


def test_a_horizon_leaves_out_what_is_submitted_after_it(goodwatt: Command) -> None:
    prepare(goodwatt)
    table = goodwatt("compare", "some.csv", "-c", "served.yaml", "-p", "fifo", "--horizon", 8, "--out", "out", "--json")
    assert table.status == 0
    assert [run["jobs"] for run in goodwatt.rows("out/comparison.csv")] == ["2"]


def test_requests_without_an_end_need_a_horizon_or_a_trace(goodwatt: Command) -> None:
    assert "--horizon" in compare(goodwatt, services=ENDLESS).message
    assert compare(goodwatt, "some.csv", services=ENDLESS).status == 0


def test_the_manifest_names_service_policies_and_files(goodwatt: Command) -> None:
    compare(goodwatt)
    manifest = goodwatt.content("out/manifest.json")
    assert manifest["service_policies"] == ["fixed"]
    assert {"services_sha256", "services asked.csv_sha256"} <= manifest["inputs"].keys()


def test_wrong_calls_are_refused_before_anything_runs(goodwatt: Command) -> None:
    assert "did you mean 'fixed'?" in compare(goodwatt, "--service-policy", "fixd").message
    assert "--physics full" in compare(goodwatt, "--physics", "ideal").message
    wide = SERVICES.replace("    gpu: H100-SXM\n", "    gpu: H100-SXM\n    tensor_parallel: 8\n")
    assert "can never run on small" in compare(goodwatt, services=wide).message
    assert not Path("out/comparison.csv").exists()


def test_runs_in_processes_of_their_own_give_the_same(goodwatt: Command) -> None:
    tables = []
    for workers in (1, 2):
        policies = "--service-policy", "fixed", "--service-policy", "fixed:replicas=1"
        compare(goodwatt, "some.csv", "--workers", workers, *policies)
        tables.append(goodwatt.rows("out/comparison.csv"))
    assert tables[0] == tables[1]


BUSY = SERVICES.replace("min: 1, max: 2", "min: 1, max: 3").replace(
    "{file: asked.csv}", "{class: chat, mean_per_s: 25, peak_to_trough: 1.0}"
)
