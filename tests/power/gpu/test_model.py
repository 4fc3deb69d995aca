"""Time and power of one GPU over its clocks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.catalogue import all_kinds, gpu_kind, unknown_kind
from goodwatt.errors import InputError
from goodwatt.power.gpu.model import CAP_KEPT, gpu_model
from goodwatt.power.workloads.demand import Demand

KINDS = st.sampled_from(sorted(all_kinds()))
SHARES = st.floats(0.0, 1.0)
DEMANDS = st.builds(Demand, u=SHARES, m=SHARES, kappa=SHARES, duty=st.floats(0.05, 1.0))
H200 = gpu_model(gpu_kind("H200-SXM"))
V100 = gpu_model(gpu_kind("V100-PCIE"))


def test_the_h200_supports_the_110_clocks_that_its_driver_lists() -> None:
    assert len(H200.clocks_mhz) == 110
    assert H200.clocks_mhz[:2] == (345.0, 360.0)
    assert H200.top_mhz == 1980.0


@given(KINDS)
def test_clocks_ascend_from_the_least_to_the_greatest(name: str) -> None:
    kind = gpu_kind(name)
    clocks = gpu_model(kind).clocks_mhz
    assert list(clocks) == sorted(set(clocks))
    assert (clocks[0], clocks[-1]) == (kind.min_clock_mhz, kind.max_clock_mhz)


LOCKS = [(None, 1380.0), (1380.0, 1380.0), (2000.0, 1380.0), (1087.0, 1087.5), (1080.0, 1080.0), (1.0, 135.0)]


@pytest.mark.parametrize(("asked", "given_mhz"), LOCKS)
def test_a_lock_gives_the_supported_clock_not_above(asked: float | None, given_mhz: float) -> None:
    assert V100.clocks_mhz[V100.index_of(asked)] == given_mhz


def test_voltage_is_at_its_floor_up_to_the_knee() -> None:
    power = V100.power
    assert V100.voltage(power.knee_mhz) == V100.voltage(200.0) == 1.0
    assert V100.voltage(V100.top_mhz) == pytest.approx(power.voltage_rise)


SLOWDOWNS = [  # demand, share of the greatest clock, wall time
    (Demand(u=1.0, m=0.0, kappa=1.0), 0.5, 2.0),
    (Demand(u=1.0, m=0.0, kappa=0.0), 0.5, 1.0),
    (Demand(u=1.0, m=0.0, kappa=0.5), 0.5, 1.5),
    (Demand(u=1.0, m=0.0, kappa=1.0, duty=0.5), 0.5, 1.5),  # the gaps do not stretch
]


@pytest.mark.parametrize(("demand", "share", "wall"), SLOWDOWNS)
def test_time_against_the_clock(demand: Demand, share: float, wall: float) -> None:
    assert H200.slowdown(demand, share * H200.top_mhz) == pytest.approx(wall)


def test_watts_at_the_greatest_clock_are_the_sum_of_the_parts() -> None:
    power = H200.power
    full = power.context_w + 0.5 * power.core_w * power.voltage_rise**2 + 0.25 * power.memory_w
    assert H200.watts(Demand(u=0.5, m=0.25, kappa=0.7), 1980.0) == pytest.approx(full)


def test_a_chip_scales_the_sm_watts_only() -> None:
    still = Demand(u=0.0, m=0.5, kappa=0.0)
    assert H200.watts(still, 1500.0, chip=1.1) == H200.watts(still, 1500.0)
    busy = Demand(u=1.0, m=0.0, kappa=1.0)
    more = H200.watts(busy, 1500.0, chip=1.1) - H200.context_w
    assert more == pytest.approx(1.1 * (H200.watts(busy, 1500.0) - H200.context_w))


@given(KINDS, DEMANDS)
def test_a_higher_clock_is_never_slower_and_never_draws_less(name: str, demand: Demand) -> None:
    model = gpu_model(gpu_kind(name))
    clocks = model.clocks_mhz[::7]
    times = [model.slowdown(demand, clock) for clock in clocks]
    watts = [model.watts(demand, clock) for clock in clocks]
    assert times == sorted(times, reverse=True)
    assert all(low <= high + 1e-9 for low, high in pairwise(watts))


@given(st.floats(50.0, 900.0), st.integers(0, 109))
def test_the_cap_takes_the_greatest_clock_that_it_can(cap_w: float, top: int) -> None:
    def watts_at(index: int) -> float:
        return 100.0 + 6.0 * index

    index = H200.highest_within(watts_at, cap_w, top)
    fitting = [i for i in range(top + 1) if watts_at(i) <= CAP_KEPT * cap_w]
    assert index == (max(fitting) if fitting else 0 if watts_at(0) <= cap_w else -1)


def test_a_kind_known_by_name_only_has_no_model() -> None:
    with pytest.raises(InputError, match="G2: its power model is unknown"):
        gpu_model(unknown_kind("G2"))


def test_a_kind_without_clocks_has_no_model() -> None:
    with pytest.raises(InputError, match="expected clocks"):
        gpu_model(replace(gpu_kind("H200"), max_clock_mhz=None))
