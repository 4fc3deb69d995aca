"""Statistics of small traces worked out by hand."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from goodwatt.cluster.job import Job, JobStatus
from goodwatt.cluster.presets import load_cluster
from goodwatt.errors import InputError
from goodwatt.traces import bundled
from goodwatt.traces.reading import read_trace
from goodwatt.traces.statistics import noted_origin, origin_s, parse_origin, summarise
from goodwatt.traces.trace import Trace

HOUR_S, DAY_S = 3600.0, 86400.0


def trace(*jobs: Job) -> Trace:
    return Trace("small", sorted(jobs, key=lambda job: job.submit_s))


def job(job_id: str, submit_s: float, num_gpus: int, duration_s: float, **more: Any) -> Job:
    known = Job(job_id=job_id, submit_s=submit_s, num_gpus=num_gpus, duration_s=duration_s)
    return replace(known, **more)


THREE = trace(
    job("a", 0, 2, 2 * HOUR_S, user="ann", partition="p", status=JobStatus.COMPLETED, requested_s=4 * HOUR_S),
    job("b", HOUR_S, 4, HOUR_S, user="bob", partition="p", status=JobStatus.FAILED, observed_start_s=HOUR_S + 60),
    job("c", 4 * HOUR_S, 1, HOUR_S, user="ann", partition="q", gpu_milli=500),
)


def test_demand_is_the_integral_of_gpus_in_use() -> None:
    demand = summarise(THREE).demand
    assert demand.gpus == pytest.approx((2, 6, 0, 0))
    assert demand.peak_gpus == 6
    assert demand.mean_gpus == pytest.approx((4 + 4 + 0.5) / 4)


def test_one_ends_as_another_starts() -> None:
    two = trace(job("a", 0, 8, HOUR_S), job("b", HOUR_S, 8, HOUR_S), job("c", 2 * HOUR_S, 1, 1))
    assert summarise(two).demand.peak_gpus == 8


def test_sums_by_size_status_and_owner() -> None:
    s = summarise(THREE)
    assert s.gpu_hours == pytest.approx(8.5)
    assert [(row.label, row.jobs, row.gpu_hours) for row in s.sizes] == [("0.5", 1, 0.5), ("2", 1, 4.0), ("4", 1, 4.0)]
    assert [(row.label, row.jobs) for row in s.durations] == [
        ("all", 3),
        ("completed", 1),
        ("failed", 1),
        ("unknown", 1),
    ]
    assert [(o.name, o.jobs, o.gpu_hours) for o in s.users.top] == [("ann", 2, 4.5), ("bob", 1, 4.0)]
    assert [(o.name, o.jobs) for o in s.partitions.top] == [("p", 2), ("q", 1)]
    assert s.requested_over_duration == (2.0, 2.0, 2.0)
    assert s.observed_wait_s == (60.0, 60.0, 60.0)


def test_quantiles() -> None:
    row = summarise(trace(*(job(str(i), i, 1, float(i)) for i in range(1, 102)))).durations[0]
    assert (row.mean_s, row.p50_s, row.p90_s, row.p99_s, row.max_s) == pytest.approx((51, 51, 91, 100, 101))


def test_classes_of_size_are_named_by_what_occurs() -> None:
    sizes = (1, 2, 3, 4, 5, 8, 9, 48, 64, 65)
    labels = [row.label for row in summarise(trace(*(job(str(n), 0, n, 1) for n in sizes))).sizes]
    assert labels == ["1", "2", "3-4", "5-8", "9", "48-64", "65"]


def test_arrivals_by_hour_and_weekday() -> None:
    """Two jobs at 9 on each of two Tuesdays; the span holds 9 o'clock eight times."""
    nine = [day * DAY_S + second for day in (0, 7) for second in (0, 60)]
    jobs = trace(*(job(str(i), at, 1, 1) for i, at in enumerate(nine)))
    s = summarise(jobs, origin=datetime(2024, 1, 2, 9))  # noqa: DTZ001 - local time
    assert s.origin_known
    assert s.arrivals_per_hour[9] == pytest.approx(4 / 8)
    assert sum(s.arrivals_per_hour) == s.arrivals_per_hour[9]
    assert [(d, n > 0) for d, n in enumerate(s.arrivals_per_day) if n] == [(1, True)]
    assert not summarise(jobs).origin_known


def test_load_on_a_cluster() -> None:
    cluster = load_cluster("generated:gpus=4,gpu=V100-SXM2,per_node=4")
    load = summarise(trace(*THREE.jobs, job("d", 3 * HOUR_S, 5, 60.0)), cluster).load
    assert load is not None
    assert (load.gpus, load.too_large) == (4, 1)
    assert load.load == pytest.approx((8.5 + 5 / 60) / 4 / 4)
    assert load.above == pytest.approx(1 / 4)


def test_partitions_limit_what_fits() -> None:
    cluster = load_cluster("generated:gpus=8,gpu=V100-SXM2,per_node=4")
    split = replace(cluster, nodes=tuple(replace(n, partition=p) for n, p in zip(cluster.nodes, "pq", strict=True)))
    jobs = trace(
        job("a", 0, 8, 60, partition="p"), job("b", 1, 4, 60, partition="q"), job("c", 2, 1, 60, partition="x")
    )
    load = summarise(jobs, split).load
    assert load is not None
    assert load.too_large == 2


def test_origin_from_a_note_and_from_a_person() -> None:
    noted = replace(THREE, notes=("something", "0 s is 2017-10-03T09:30:00+00:00"))
    assert noted_origin(noted) == datetime(2017, 10, 3, 9, 30)  # noqa: DTZ001 - local time
    assert noted_origin(THREE) is None
    assert origin_s(noted_origin(noted)) == DAY_S + 9.5 * HOUR_S
    assert parse_origin("2017-10-03 09:30") == noted_origin(noted)
    with pytest.raises(InputError, match=r"origin 'monday': expected a time such as"):
        parse_origin("monday")


def test_single_job_and_no_job() -> None:
    one = summarise(trace(job("a", 5, 2, 100.0)))
    assert (one.demand.mean_gpus, one.demand.peak_gpus) == (2.0, 2.0)
    with pytest.raises(InputError, match="has no jobs"):
        summarise(Trace("empty", []))


@pytest.mark.parametrize("name", bundled.names())
def test_windows_of_a_long_trace_add_up(name: str) -> None:
    """The windows hold the work that falls into them; what runs on after the last is in none."""
    trace = read_trace(bundled.path(name))
    s = summarise(trace)
    end_s = trace.jobs[0].submit_s + len(s.demand.gpus) * s.demand.window_s
    inside_s = sum(j.num_gpus * (min(j.submit_s + j.duration_s, end_s) - j.submit_s) for j in trace.jobs)
    assert sum(s.demand.gpus) * s.demand.window_s / HOUR_S == pytest.approx(inside_s / HOUR_S, rel=0.01)
    assert inside_s / HOUR_S < s.gpu_hours
    assert max(s.demand.gpus) <= s.demand.peak_gpus
    assert sum(row.jobs for row in s.sizes) == s.jobs
