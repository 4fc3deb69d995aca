"""The services of a run on the page: reduced to buckets, drawn against the promise, beside jobs or alone."""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goodwatt.cli.report import headline, write_report
from goodwatt.cli.report.payload import payload
from goodwatt.cli.report.service_data import FEWEST_BUCKETS, known_buckets, service_bucket_count
from goodwatt.simulator.records.result import InstanceName, JobColumns, Occupancy, RunResult, ServiceResult
from tests.cli.report.browser import Browser
from tests.cli.report.made_runs import HOSTILE, made_manifest, made_run

FACTS = {
    "requests": 600, "attainment": 0.995, "minutes_kept": 0.9, "p99_ttft_s": 0.4, "p99_tpot_s": 0.03,
    "p99_latency_s": 9.0, "mean_replicas": 2.0, "mean_clock_mhz": 1500.0, "gpu_energy_j": 1e6,
    "tokens_per_joule_it": 2.0,
}  # fmt: skip
CHARTS = {"rate", "instances", "clock", "power", "ttft", "tpot", "on-time"}


def made_service(name: str, minutes: int = 120) -> ServiceResult:
    """Two instances at first and three later; nobody is answered in every tenth minute."""
    late = [None if minute % 10 == 9 else 0.2 + 0.01 * (minute % 7) for minute in range(minutes)]
    timeline: dict[str, list[Any]] = {
        "t_s": [60.0 * minute for minute in range(minutes)],
        "rate_per_s": [1.0 + minute % 5 for minute in range(minutes)],
        "serving": [2.0 if minute < minutes // 2 else 3.0 for minute in range(minutes)],
        "starting": [0.0] * minutes,
        "draining": [0.0] * minutes,
        "clock_mhz": [1500.0] * minutes,
        "power_w": [900.0] * minutes,
        "busy": [0.5] * minutes,
        "queued": [0.0] * minutes,
        "ttft_p99_s": late,
        "tpot_p99_s": [value and value / 10.0 for value in late],
        "latency_p99_s": [value and value * 20.0 for value in late],
        "on_time": [None if value is None else 1.0 for value in late],
    }
    return ServiceResult(name, FACTS, timeline, (1.0, 0.05, None))


def served_run(*names: str, jobs: int = 40, policy: str = "fifo") -> RunResult:
    """A made-up run with services, whose instances hold the first GPUs of the first node."""
    run = made_run(policy, count=max(jobs, 1))
    services = tuple(made_service(name) for name in names)
    instances = tuple(InstanceName(f"{name}/0", name, 1, None, None) for name in names)
    first = 0.0
    stays = [Occupancy(len(run.jobs.job_id) + i, 0, 1 << i, first, 5000.0) for i in range(len(names))]
    summary = {**run.summary, "services": dict.fromkeys(names, FACTS), "attainment": 0.995, "requests": 600}
    served = replace(
        run, services=services, instances=instances, summary=summary, occupancy=[*run.occupancy, *stays],
        service_policy="reactive",
    )  # fmt: skip
    return served if jobs else _without_jobs(served)


def _without_jobs(run: RunResult) -> RunResult:
    empty: dict[str, Any] = {name: [] for name in run.jobs.__slots__}
    jobs = len(run.jobs.job_id)
    stays = [stay._replace(job=stay.job - jobs) for stay in run.occupancy if stay.job >= jobs]
    return replace(run, jobs=JobColumns(**empty), occupancy=stays, summary={**run.summary, "jobs": 0})


def unpacked(column: dict[str, str]) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(column["base64"]), dtype="<f4")


# data ----------------------------------------------------------------------------------------------------------------


def test_what_is_not_known_is_left_out_of_the_mean() -> None:
    t_s, edges = np.array([0.0, 10.0, 20.0, 30.0, 40.0]), np.array([0.0, 20.0, 40.0])
    found = known_buckets(t_s, np.array([1.0, math.nan, math.nan, math.nan, math.nan]), edges)
    assert found.mean[0] == found.peak[0] == 1.0
    assert np.isnan(found.mean[1])
    assert np.isnan(found.peak[1])


def test_the_series_keep_what_the_minutes_say() -> None:
    run = served_run("chat")
    (service,) = payload([run], None, made_manifest())["runs"][0]["services"]
    assert (service["name"], service["limits_s"]["tpot_p99_s"]) == ("chat", 0.05)
    instances = unpacked(service["series"]["instances"]["mean"])
    assert np.nanmin(instances) == 2.0
    assert np.nanmax(instances) == 3.0
    assert np.nanmax(unpacked(service["series"]["ttft_p99_s"]["peak"])) == pytest.approx(0.26)


def test_runs_without_services_have_none() -> None:
    assert payload([made_run("fifo", count=20)], None, made_manifest())["runs"][0]["services"] == []


def test_many_services_share_the_page() -> None:
    assert service_bucket_count([served_run("chat")]) > service_bucket_count([served_run(*map(str, range(40)))] * 9)
    assert service_bucket_count([served_run(*map(str, range(40)))] * 40) == FEWEST_BUCKETS


def test_instances_have_names_after_the_jobs() -> None:
    run = served_run("chat", "code")
    (facts,) = payload([run], None, made_manifest())["jobs"].values()
    assert facts["id"][-2:] == ["chat/0", "code/0"]
    assert facts["instances"] == 2


def test_the_first_lines_tell_of_services() -> None:
    assert "chat answered 99.50% of 600 requests on time, 90.0% of its minutes kept" in headline.finding(
        [served_run("chat", jobs=0)], None
    )


# in a browser --------------------------------------------------------------------------------------------------------


def opened(browser: Browser, folder: Path, *runs: RunResult) -> Browser:
    write_report(folder / "report.html", list(runs), None, made_manifest())
    browser.screen(1280)
    browser.open(folder / "report.html")
    assert browser.errors == []
    return browser


def shown(browser: Browser) -> set[str]:
    return set(browser.run("[...document.querySelectorAll('#services figure:not([hidden])')].map(f => f.id.slice(8))"))


def test_each_chart_has_a_line_per_policy_and_the_promise(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, served_run("chat"), served_run("chat", policy="srtf"))
    assert shown(page) == CHARTS
    assert page.run("document.querySelectorAll('#service-ttft path.line').length") == 2
    assert page.run("document.querySelector('#service-ttft .rule').textContent") == "promised 1.00 s"
    assert page.run("document.querySelectorAll('#services-table tbody tr').length") == 2


def test_one_of_several_services_is_chosen(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, served_run("chat", HOSTILE))
    assert page.run("document.querySelectorAll('#service option').length") == 2
    assert page.run("document.querySelectorAll('#services-table tbody tr').length") == 2
    page.do("document.querySelector('#service').selectedIndex = 1")
    page.do("document.querySelector('#service').dispatchEvent(new Event('change'))")
    assert page.errors == []
    assert shown(page) == CHARTS


def test_without_jobs_nothing_is_said_of_them(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, served_run("chat", jobs=0))
    assert page.run("['selection', 'distributions', 'breakdown'].every(id => document.getElementById(id).hidden)")
    assert "Mean JCT" not in page.run("document.querySelector('#key-numbers').textContent")
    assert shown(page) == CHARTS


def test_without_services_there_is_no_section_of_them(browser: Browser, single_page: Path) -> None:
    browser.open(single_page)
    assert browser.run("document.getElementById('services').hidden")
