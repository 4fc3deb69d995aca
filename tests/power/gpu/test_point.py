"""Where one GPU settles under a clock and a cap."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.catalogue import all_kinds, gpu_kind
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.gpu.point import alone_point, idle_point
from goodwatt.power.workloads.demand import DEFAULT_SETTING, Demand, Setting
from goodwatt.power.workloads.workload import Phase, mean_demand

H200 = gpu_model(gpu_kind("H200-SXM"))
GEMM = Demand(u=0.9, m=0.25, kappa=0.9)
COPY = Demand(u=0.0, m=0.7, kappa=0.0)
LIGHT = Demand(u=0.02, m=0.0, kappa=0.1, duty=0.3)


def one(demand: Demand, length_s: float = 1.0) -> tuple[Phase, ...]:
    return (Phase("only", 1.0, length_s, demand),)


POINTS = [  # demand, setting, clock, what binds
    (COPY, DEFAULT_SETTING, 1980.0, "none"),
    (LIGHT, DEFAULT_SETTING, 1980.0, "none"),
    (GEMM, DEFAULT_SETTING, None, "cap"),
    (COPY, Setting(clock_mhz=1005.0), 1005.0, "clock"),
    (GEMM, Setting(clock_mhz=1005.0), 1005.0, "clock"),
    (GEMM, Setting(clock_mhz=1950.0, cap_w=400.0), None, "cap"),
    (Demand(u=2.0, m=1.0, kappa=1.0), Setting(cap_w=200.0), 345.0, "violated"),
]


@pytest.mark.parametrize(("demand", "setting", "clock", "bound"), POINTS)
def test_clock_and_what_binds(demand: Demand, setting: Setting, clock: float | None, bound: str) -> None:
    point = alone_point(H200, one(demand), setting)
    assert point.bound_by == bound
    if clock is not None:
        assert point.clock_mhz == clock


def test_a_cap_that_cannot_be_met_draws_what_it_draws() -> None:
    demand = Demand(u=2.0, m=1.0, kappa=1.0)
    point = alone_point(H200, one(demand), Setting(cap_w=200.0))
    assert point.watts == pytest.approx(H200.watts(demand, 345.0))
    assert point.watts > 200.0


def test_speed_is_relative_to_alone_at_the_default_setting() -> None:
    free, capped = alone_point(H200, one(GEMM)), alone_point(H200, one(GEMM), Setting(cap_w=400.0))
    assert free.speeds == (1.0,)
    told = H200.slowdown(GEMM, free.clock_mhz) / H200.slowdown(GEMM, capped.clock_mhz)
    assert capped.speeds[0] == pytest.approx(told)


def test_a_memory_bound_job_saves_energy_for_no_time() -> None:
    slow = alone_point(H200, one(Demand(u=0.2, m=0.7, kappa=0.0)), Setting(clock_mhz=1200.0))
    fast = alone_point(H200, one(Demand(u=0.2, m=0.7, kappa=0.0)))
    assert slow.speeds == fast.speeds == (1.0,)
    assert slow.watts < fast.watts


def test_a_hungry_chip_runs_slower_under_the_cap() -> None:
    hungry, frugal = (alone_point(H200, one(GEMM), chip=chip) for chip in (1.1, 0.9))
    assert hungry.speeds[0] < 1.0 < frugal.speeds[0]


def test_short_phases_are_capped_on_their_mean_and_long_ones_each() -> None:
    phases = [(0.5, GEMM), (0.5, LIGHT)]
    short = alone_point(H200, tuple(Phase("p", share, 0.05, d) for share, d in phases))
    long = alone_point(H200, tuple(Phase("p", share, 5.0, d) for share, d in phases))
    assert short.bound_by == "none"
    assert long.bound_by == "cap"
    assert short.watts > long.watts


def test_short_phases_draw_what_their_mean_demand_draws() -> None:
    phases = (Phase("a", 0.7, 0.05, COPY), Phase("b", 0.3, 0.05, LIGHT))
    mixed, mean = alone_point(H200, phases), alone_point(H200, one(mean_demand(phases)))
    assert mixed.watts == pytest.approx(mean.watts)


def test_a_phase_that_never_happens_changes_nothing() -> None:
    assert alone_point(H200, (*one(GEMM), Phase("never", 0.0, 1.0, COPY))) == alone_point(H200, one(GEMM))


def test_nobody_on_the_gpu() -> None:
    point = idle_point(H200)
    assert (point.watts, point.speeds, point.bound_by) == (81.0, (), "none")


SHARES = st.floats(0.0, 1.0)
DEMANDS = st.builds(Demand, u=SHARES, m=SHARES, kappa=SHARES, duty=st.floats(0.05, 1.0))
PHASES = st.lists(st.builds(Phase, st.just("p"), st.floats(0.01, 1.0), st.floats(0.01, 1.0), DEMANDS), min_size=1).map(
    lambda phases: tuple(phases[:4])
)
SETTINGS = st.builds(Setting, st.none() | st.floats(100.0, 2500.0), st.none() | st.floats(50.0, 1200.0))


@given(st.sampled_from(sorted(all_kinds())), PHASES, SETTINGS, st.floats(0.8, 1.2))
def test_parts_sum_to_the_watts_and_caps_hold_or_are_said_to_be_violated(
    name: str, phases: tuple[Phase, ...], setting: Setting, chip: float
) -> None:
    kind = gpu_kind(name)
    model = gpu_model(kind)
    point = alone_point(model, phases, setting, chip)
    assert math.isclose(point.idle_w + point.context_w + point.sm_w + point.dram_w, point.watts, rel_tol=1e-12)
    cap_w = model.default_cap_w if setting.cap_w is None else setting.cap_w
    assert point.watts <= cap_w + 1e-9 or point.bound_by == "violated"
    assert model.clocks_mhz[0] - 1e-6 <= point.clock_mhz <= model.top_mhz + 1e-6
    assert point.speeds[0] > 0.0


@given(PHASES, st.floats(100.0, 700.0), st.floats(0.0, 300.0))
def test_a_greater_cap_is_never_slower(phases: tuple[Phase, ...], cap_w: float, more_w: float) -> None:
    low, high = (alone_point(H200, phases, Setting(cap_w=cap)) for cap in (cap_w, cap_w + more_w))
    assert low.speeds[0] <= high.speeds[0] + 1e-12
