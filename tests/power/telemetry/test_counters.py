"""From the counters of a GPU to the demand of the workload on it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.errors import InputError
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.telemetry.counters import Counters, demand_from_counters
from goodwatt.power.telemetry.sensors import counters_at
from goodwatt.power.workloads.demand import Demand

H200 = gpu_model(gpu_kind("H200-SXM"))

# h200_measured, applications alone at 1980 MHz: sm_util, occupancy, tensor, dram_bw, watts
APPS = [
    (0.854, 0.484, 0.127, 0.414, 576.0),
    (0.798, 0.365, 0.232, 0.305, 616.5),
    (0.689, 0.090, 0.065, 0.681, 534.8),
    (0.931, 0.172, 0.091, 0.135, 348.0),
    (0.026, 0.002, 0.003, 0.000, 140.8),
]


@pytest.mark.parametrize(("sm", "occupancy", "tensor", "dram", "watts"), APPS)
def test_counters_alone_tell_the_watts(sm: float, occupancy: float, tensor: float, dram: float, watts: float) -> None:
    counters = Counters(sm_util=sm, occupancy=occupancy, tensor=tensor, dram_bw=dram, duty=1.0)
    assert H200.watts(demand_from_counters(H200, counters), 1980.0) == pytest.approx(watts, rel=0.15)


SHARE = st.none() | st.floats(0.0, 1.0)


@given(SHARE, SHARE, SHARE, SHARE, st.floats(130.0, 900.0), st.floats(345.0, 1980.0), st.none() | st.floats(0.05, 1.0))
def test_the_model_says_the_watts_that_were_measured(
    sm: float | None,
    occupancy: float | None,
    tensor: float | None,
    dram: float | None,
    watts: float,
    clock: float,
    duty: float | None,
) -> None:
    counters = Counters(
        sm_util=sm, occupancy=occupancy, tensor=tensor, dram_bw=dram, power_w=watts, clock_mhz=clock, duty=duty
    )
    demand = demand_from_counters(H200, counters)
    assert math.isclose(H200.watts(demand, clock), watts, rel_tol=1e-9)
    assert 0.0 <= demand.kappa <= 1.0
    assert 0.0 < demand.duty <= 1.0
    assert demand.u >= 0.0
    assert demand.m >= 0.0


def test_what_moves_bytes_feels_the_clock_less() -> None:
    compute, memory = (demand_from_counters(H200, Counters(dram_bw=share)).kappa for share in (0.1, 0.9))
    assert memory < 0.3
    assert compute > 0.9


def test_power_without_counters_is_split() -> None:
    demand = demand_from_counters(H200, Counters(power_w=426.0))
    assert demand.m * H200.memory_w == pytest.approx(90.0)
    assert H200.watts(demand, 1980.0) == pytest.approx(426.0)


def test_counters_over_gaps_are_those_of_the_time_on_the_gpu_times_duty() -> None:
    demand = demand_from_counters(H200, Counters(tensor=0.2, dram_bw=0.1, duty=0.5))
    assert (demand.tensor, demand.m, demand.duty) == pytest.approx((0.4, 0.2, 0.5))


@pytest.mark.parametrize("clock_mhz", [1980.0, 1000.0])
def test_command_traffic_tells_how_long_kernels_are_at_the_greatest_clock(clock_mhz: float) -> None:
    demand = Demand(u=0.2, m=0.2, kappa=0.874, duty=0.5, tensor=0.1, pcie_gbps=0.042, kernel_us=50.0)
    shown = counters_at(H200, demand, clock_mhz, 250.0)
    told = demand_from_counters(H200, shown)
    assert (told.kernel_us, told.pcie_gbps) == pytest.approx(
        (50.0, 0.042), rel=0.06
    )  # kappa from DRAM's share is a guess
    assert demand_from_counters(H200, replace(shown, pcie_gbps=5.0)).kernel_us == 0.0
    assert demand_from_counters(H200, replace(shown, pcie_gbps=None)).kernel_us == 0.0


WRONG = [
    (Counters(), "at least one"),
    (Counters(duty=0.5, clock_mhz=1000.0), "at least one"),
    (Counters(sm_util=1.2), "sm_util: expected a share"),
    (Counters(dram_bw=-0.1), "dram_bw: expected a share"),
    (Counters(dram_bw=math.nan), "dram_bw: expected a share"),
    (Counters(tensor=0.1, pcie_gbps=-1.0), "pcie_gbps: expected a number, 0 or more"),
    (Counters(power_w=0.0), "power_w: expected a number above 0"),
    (Counters(power_w=100.0, clock_mhz=math.inf), "clock_mhz: expected a number above 0"),
]


@pytest.mark.parametrize(("counters", "message"), WRONG)
def test_what_cannot_be_is_refused(counters: Counters, message: str) -> None:
    with pytest.raises(InputError, match=message):
        demand_from_counters(H200, counters)
