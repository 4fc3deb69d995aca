"""Cores and PCIe of a node among its jobs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.errors import InputError
from goodwatt.power.colocation.host_contention import PCIE_EFFICIENCY, host_slowdown
from goodwatt.power.workloads.demand import Demand


def job(cores: float = 0.0, gbps: float = 0.0, gpus: int = 1) -> tuple[Demand, int]:
    return Demand(u=0.5, m=0.3, kappa=0.5, host_cores=cores, pcie_gbps=gbps), gpus


def test_enough_for_all_costs_nobody() -> None:
    assert host_slowdown([job(4.0), job(12.0)], cores=16, pcie_gbps=64) == (1.0, 1.0)


def test_who_asks_for_its_part_or_less_keeps_most_of_its_speed() -> None:
    light, heavy = host_slowdown([job(1.0), job(31.0)], cores=16, pcie_gbps=0)
    assert light == pytest.approx(1 / 1.1)
    assert heavy == pytest.approx(15 / 31 / 1.1)


def test_a_job_with_more_gpus_has_the_greater_part() -> None:
    one, three = host_slowdown([job(16.0), job(16.0, gpus=3)], cores=16, pcie_gbps=0)
    assert one == pytest.approx(three)


def test_the_link_limits_too() -> None:
    speeds = host_slowdown([job(gbps=40.0), job(gbps=40.0)], cores=0, pcie_gbps=64)
    assert speeds == pytest.approx((32 * PCIE_EFFICIENCY / 40,) * 2)


def test_unknown_hosts_limit_nobody_and_negative_ones_are_refused() -> None:
    assert host_slowdown([job(999.0, 999.0)], cores=0, pcie_gbps=0) == (1.0,)
    assert host_slowdown([], cores=8, pcie_gbps=8) == ()
    with pytest.raises(InputError, match="expected cores"):
        host_slowdown([job()], cores=-1, pcie_gbps=0)


@given(st.lists(st.tuples(st.floats(0, 64), st.integers(1, 8)), min_size=1, max_size=8), st.floats(1, 128))
def test_never_more_work_than_the_cores_can_do(asked: list[tuple[float, int]], cores: float) -> None:
    jobs = [job(need, gpus=gpus) for need, gpus in asked]
    speeds = host_slowdown(jobs, cores, 0)
    assert all(0.0 < speed <= 1.0 for speed in speeds)
    assert math.fsum(s * d.host_cores * n for s, (d, n) in zip(speeds, jobs, strict=True)) <= cores * (1 + 1e-9)
