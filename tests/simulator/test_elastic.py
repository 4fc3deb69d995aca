"""Gangs of changing size: which sizes, how fast, what is left to do, when a change pays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.job import JobRequest
from goodwatt.simulator.elastic import (
    ElasticRange,
    amdahl,
    doubling,
    elastic_range,
    from_steps,
    gpu_efficiency,
    remaining_s,
    resize_cost_s,
    resize_gain_s,
    scaling,
    work_gpu_s,
)


def asks(num_gpus: int, **more: int | None) -> JobRequest:
    return JobRequest(job_id="a", submit_s=0.0, num_gpus=num_gpus, **more)  # type: ignore[arg-type]


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
    assert [found.clamp(n) for n in (-1, found.asked, 10**6)] == [sizes[0], sizes[1], sizes[2]]


@pytest.mark.parametrize(("gpus", "speed"), [(8, 1.0), (16, 1.9), (32, 3.61), (4, 1 / 1.9)])
def test_every_doubling_has_its_efficiency(gpus: int, speed: float) -> None:
    assert doubling(8, 0.95)(gpus) == pytest.approx(speed)


@pytest.mark.parametrize(("few", "many", "gain"), [(256, 1_024, 3.610), (6_144, 12_288, 1.925)])
def test_the_usual_efficiency_is_that_of_megascale(few: int, many: int, gain: float) -> None:
    """Tokens per second at the same batch: 49.0k and 176.9k; 1030.9k and 1984.0k (NSDI 2024, table 2)."""
    assert doubling(few)(many) == pytest.approx(gain, rel=0.015)


def test_efficiency_1_is_linear() -> None:
    assert [doubling(8, 1.0)(n) for n in (1, 4, 24)] == [0.125, 0.5, 3.0]


@pytest.mark.parametrize(("parallel", "gpus", "speed"), [(1.0, 16, 2.0), (0.0, 16, 1.0), (0.9, 16, 0.2125 / 0.15625)])
def test_amdahl(parallel: float, gpus: int, speed: float) -> None:
    assert amdahl(8, parallel)(gpus) == pytest.approx(speed)


def test_speed_from_the_time_of_a_step() -> None:
    """A batch of 800 ms of GPU time, and 20 ms of communication at any size."""
    speed = from_steps(8, lambda gpus: 0.8 / gpus + 0.02)
    assert speed(8) == 1.0
    assert speed(4) == pytest.approx(0.12 / 0.22)
    assert speed(16) == pytest.approx(0.12 / 0.07)


def test_steps_come_before_the_usual_efficiency() -> None:
    assert scaling(8)(16) == doubling(8)(16)
    assert scaling(8, efficiency=1.0)(16) == 2.0
    assert scaling(8, lambda gpus: 1.0 / gpus**0.5)(32) == 2.0


@given(st.integers(1, 512), st.integers(1, 512), st.floats(0.5, 1.0), st.floats(0.0, 1.0))
def test_no_law_gains_more_than_it_adds_gpus(asked: int, gpus: int, efficiency: float, parallel: float) -> None:
    few, many = sorted((asked, gpus))
    for speed in (doubling(few, efficiency), amdahl(few, parallel)):
        assert 1.0 - 1e-9 <= speed(many) <= many / few * (1 + 1e-9)
        assert gpu_efficiency(few, many, speed(many)) <= 1 + 1e-9


def test_the_work_is_the_same_at_every_size() -> None:
    work = work_gpu_s(8, 3_600.0)
    assert work == 28_800.0
    speed = doubling(8)
    half_way = work - 1_000.0 * 8 * speed(16)
    assert remaining_s(half_way, 8, 1.0) == pytest.approx(3_600.0 - 1_900.0)
    assert remaining_s(half_way, 8, speed(16)) == pytest.approx(1_700.0 / 1.9)


def test_growing_pays_only_if_enough_is_left() -> None:
    speed = doubling(8)(16)
    assert resize_gain_s(work_gpu_s(8, 3_600.0), 8, 1.0, speed, 300.0) == pytest.approx(3_600 * (1 - 1 / 1.9) - 300)
    assert resize_gain_s(work_gpu_s(8, 600.0), 8, 1.0, speed, 300.0) < 0.0
    assert resize_gain_s(work_gpu_s(8, 600.0), 8, 1.0, doubling(8)(4), 0.0) < 0.0


def test_what_a_resize_costs() -> None:
    assert resize_cost_s(in_place=False, restart_time_s=545.0) == 545.0
    assert resize_cost_s(in_place=True, restart_time_s=545.0) == 30.0
    assert resize_cost_s(in_place=True, restart_time_s=10.0) == 10.0
