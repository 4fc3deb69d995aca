"""Gangs of changing size: which sizes, how fast, and what a change costs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.job import JobRequest
from goodwatt.simulator.jobs.elastic import (
    ElasticRange,
    doubling,
    elastic_range,
    gpu_efficiency,
    resize_cost_s,
)


def asks(num_gpus: int, **more: Any) -> JobRequest:
    return JobRequest(job_id="a", submit_s=0.0, num_gpus=num_gpus, **more)


@pytest.mark.parametrize(
    ("job", "sizes"),
    [
        (asks(8), (8, 8, 8)),
        (asks(8, min_gpus=2), (2, 8, 8)),
        (asks(8, max_gpus=32), (8, 8, 32)),
        (asks(8, min_gpus=4, max_gpus=16), (4, 8, 16)),
        (asks(8, min_gpus=0), (1, 8, 8)),
        (asks(8, min_gpus=12, max_gpus=4), (8, 8, 8)),
        (asks(1, gpu_milli=500, min_gpus=1, max_gpus=4), (1, 1, 1)),
        (asks(0, max_gpus=4), (0, 0, 0)),
    ],
)
def test_sizes_that_a_job_allows(job: JobRequest, sizes: tuple[int, int, int]) -> None:
    found = elastic_range(job)
    assert found == ElasticRange(*sizes)
    assert found.elastic == (sizes[0] < sizes[2])


@pytest.mark.parametrize(("gpus", "speed"), [(8, 1.0), (16, 1.9), (32, 3.61), (4, 1 / 1.9)])
def test_every_doubling_has_its_efficiency(gpus: int, speed: float) -> None:
    assert doubling(8, 0.95)(gpus) == pytest.approx(speed)


@pytest.mark.parametrize(("few", "many", "gain"), [(256, 1_024, 3.610), (6_144, 12_288, 1.925)])
def test_the_usual_efficiency_is_that_of_megascale(few: int, many: int, gain: float) -> None:
    """Tokens per second at the same batch: 49.0k and 176.9k; 1030.9k and 1984.0k (NSDI 2024, table 2)."""
    assert doubling(few)(many) == pytest.approx(gain, rel=0.015)


def test_efficiency_1_is_linear() -> None:
    assert [doubling(8, 1.0)(n) for n in (1, 4, 24)] == [0.125, 0.5, 3.0]


@given(st.integers(1, 512), st.integers(1, 512), st.floats(0.5, 1.0))
def test_nobody_gains_more_than_the_gpus_added(asked: int, gpus: int, efficiency: float) -> None:
    few, many = sorted((asked, gpus))
    speed = doubling(few, efficiency)
    assert 1.0 - 1e-9 <= speed(many) <= many / few * (1 + 1e-9)
    assert gpu_efficiency(few, many, speed(many)) <= 1 + 1e-9


def test_what_a_resize_costs() -> None:
    assert resize_cost_s(in_place=False, restart_time_s=545.0) == 545.0
    assert resize_cost_s(in_place=True, restart_time_s=545.0) == 30.0
    assert resize_cost_s(in_place=True, restart_time_s=10.0) == 10.0
