"""What a run leaves of its services: who was on time, work, energy, and the totals beside those of jobs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.run import finish, result
from goodwatt.simulator.service_summary import SERVICE_TIMELINE, outcome, patience_s
from goodwatt.simulator.services.latency_book import Finished, LatencyBook
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.settings.serving_settings import Resolution
from goodwatt.traces.requests.generate import class_source
from tests.simulator.services.test_service_run import CHAT, RESOLUTIONS, simulation

LATENCY = Promise(latency_s=30.0)


def book_of(arrived: list[float], done: int, promise: Promise = LATENCY, took_s: float = 10.0) -> LatencyBook:
    """Requests of 11 output tokens; the first `done` of them took so long, a tenth of it to the first token."""
    book = LatencyBook(promise, 0.0)
    arrival = np.array(arrived)
    book.arrive(arrival)
    ended = arrival[:done]
    tokens = np.full(done, 11.0)
    book.finish(Finished(ended, ended + 0.1 * took_s, ended + took_s, tokens, tokens))
    return book


# who was on time -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end_s", "decided", "attainment"),
    [(120.0, 2, 1.0), (149.0, 2, 1.0), (150.0, 4, 0.5), (1e4, 4, 0.5)],
)
def test_the_unfinished_are_late_once_they_are_older_than_the_promise(
    end_s: float, decided: int, attainment: float
) -> None:
    """Two that were done, and two that came in the second minute: 30 s after its end all of those are too late."""
    found = outcome(book_of([1.0, 2.0, 100.0, 110.0], done=2), 0.0, 120.0, end_s)
    assert (found["requests"], found["finished"], found["on_time"]) == (4, 2, 2)
    assert (found["decided"], found["attainment"]) == (decided, attainment)


def test_minutes_in_which_nothing_is_decided_are_no_broken_ones() -> None:
    book = book_of([1.0, 2.0, 100.0], done=2)
    assert outcome(book, 0.0, 120.0, 121.0)["minutes_kept"] == 1.0
    assert outcome(book, 0.0, 120.0, 1e4)["minutes_kept"] == 0.5


def test_requests_outside_of_the_span_do_not_count() -> None:
    book = book_of([10.0, 70.0, 130.0, 190.0], done=4, took_s=40.0)
    found = outcome(book, 60.0, 180.0, 1e4)
    assert (found["requests"], found["on_time"], found["attainment"]) == (2, 0, 0.0)


@pytest.mark.parametrize(
    ("promise", "expected_s"),
    [
        (Promise(latency_s=30.0), 30.0),
        (Promise(ttft_s=2.0, tpot_s=0.5), 2.0 + 11 * 0.5),
        (Promise(ttft_s=2.0), 2.0 + 11 * 0.9),
        (Promise(tpot_s=0.5), 1.0 + 11 * 0.5),
        (Promise(ttft_s=2.0, tpot_s=0.5, latency_s=3.0), 3.0),
    ],
)
def test_patience_is_what_the_promise_says_of_a_request_of_mean_length(promise: Promise, expected_s: float) -> None:
    assert patience_s(book_of([1.0, 2.0], 2, promise)) == pytest.approx(expected_s, rel=0.02)


def test_nobody_has_asked() -> None:
    found = outcome(LatencyBook(LATENCY, 0.0), 0.0, 600.0, 600.0)
    assert (found["requests"], found["attainment"], found["minutes_kept"]) == (0, None, None)


# a run ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=RESOLUTIONS)
def run(request: pytest.FixtureRequest) -> RunResult:
    resolution: Resolution = request.param
    other = replace(CHAT, name="other", requests=class_source("chat", mean_per_s=1.0, seed=2, peak_to_trough=1.0))
    sim = simulation(CHAT, other, resolution=resolution, policy="fixed:replicas=2")
    assert finish(sim)
    return result(sim)


def test_work_of_jobs_and_of_services_stand_apart_and_together(run: RunResult) -> None:
    s = run.summary
    assert s["work_gpu_s"] == pytest.approx(math.fsum(run.jobs.work_gpu_s))
    assert s["service_work_gpu_s"] == pytest.approx(sum(service.facts["work_gpu_s"] for service in run.services))
    assert s["total_work_gpu_s"] == s["work_gpu_s"] + s["service_work_gpu_s"]
    assert s["goodput_per_watt_it"] == pytest.approx(1e3 * s["total_work_gpu_s"] / s["it_energy_j"])
    assert s["goodput_counts"] == "jobs and services"


def test_work_is_the_price_of_tokens_on_time_and_less_than_the_gpus_were_held(run: RunResult) -> None:
    for facts in (service.facts for service in run.services):
        prompts = facts["on_time_prompt_tokens"] * facts["prompt_token_gpu_s"]
        outputs = facts["on_time_output_tokens"] * facts["output_token_gpu_s"]
        assert facts["work_gpu_s"] == pytest.approx(prompts + outputs)
        assert 0.0 < facts["work_gpu_s"] < facts["held_gpu_s"] == 2 * 600.0


def test_energy_of_services_is_part_of_that_of_the_cluster(run: RunResult) -> None:
    s = run.summary
    assert 0.0 < s["service_gpu_energy_j"] < s["gpu_energy_j"]
    assert s["service_gpu_energy_j"] < s["service_it_energy_j"] < s["it_energy_j"]
    beside_j = s["it_energy_j"] - s["gpu_energy_j"]
    share = 4 * 600.0 / (s["span_s"] * s["gpus"])
    assert s["service_it_energy_j"] - s["service_gpu_energy_j"] == pytest.approx(share * beside_j)


def test_tokens_per_joule_are_those_on_time(run: RunResult) -> None:
    facts = run.services[0].facts
    assert facts["tokens_per_joule_gpu"] == facts["on_time_output_tokens"] / facts["gpu_energy_j"]
    assert facts["tokens_per_joule_gpu"] > facts["tokens_per_joule_it"]


def test_the_timeline_agrees_with_the_facts(run: RunResult) -> None:
    service = run.services[0]
    timeline = service.timeline
    assert tuple(timeline) == SERVICE_TIMELINE
    assert timeline["t_s"] == [60.0 * minute for minute in range(10)]
    assert sum(rate * 60.0 for rate in timeline["rate_per_s"]) == pytest.approx(service.facts["requests"])
    assert sum(power * 60.0 for power in timeline["power_w"]) == pytest.approx(service.facts["gpu_energy_j"])
    assert set(timeline["serving"]) == {2.0}
    assert all(share is None or 0.0 <= share <= 1.0 for share in timeline["on_time"])


def test_instances_are_named_after_the_jobs(run: RunResult) -> None:
    assert [name.job_id for name in run.instances] == [f"{s}/{n}" for s in ("chat", "other") for n in range(3)]
    assert {name.service for name in run.instances} == {"chat", "other"}


def test_a_mark_of_a_service_does_not_count_what_comes_after_it() -> None:
    """After the horizon jobs end and services go on, without being counted."""
    stops, drains = (simulation(CHAT, jobs=2, horizon_s=180.0) for _ in range(2))
    drains.options = replace(drains.options, drain=True)
    facts = []
    for sim in (stops, drains):
        assert finish(sim)
        facts.append(result(sim).services[0].facts)
    assert drains.now_s > stops.now_s
    keys = ("requests", "held_gpu_s", "gpu_energy_j", "output_tokens", "work_gpu_s")
    assert [facts[0][key] for key in keys] == [facts[1][key] for key in keys]
    assert facts[1]["finished"] >= facts[0]["finished"]
