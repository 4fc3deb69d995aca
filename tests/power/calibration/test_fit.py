"""Fits of a sweep: they find the figures that made the points."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.power.calibration.fit import ClockPoint, VoltageFit, fit_voltage, kappa_of, solve_default

TOP_MHZ, CONTEXT_W = 1980.0, 120.0
CLOCKS = (660.0, 840.0, 1020.0, 1200.0, 1380.0, 1560.0, 1770.0, 1980.0)
WORKS = {"gemm": (1.0, 500.0, 0.2), "copy": (0.0, 60.0, 0.9), "gemv": (0.2, 220.0, 0.8)}
"""kappa, watts of SM activity, share of DRAM bandwidth at the greatest clock."""


def points(knee_mhz: float, rise: float, memory_w: float, clocks: tuple[float, ...] = CLOCKS) -> list[ClockPoint]:
    curve = VoltageFit(knee_mhz, rise, {}, 0.0)
    made = []
    for work, (kappa, activity_w, dram) in WORKS.items():
        for clock in clocks:
            stretch = (1.0 - kappa) + kappa * TOP_MHZ / clock
            watts = CONTEXT_W + activity_w * curve.shape(clock, TOP_MHZ) + dram / stretch * memory_w
            made.append(ClockPoint(work, clock, 100.0 / stretch, watts, dram / stretch))
    return made


@given(st.floats(0.0, 1.0), st.floats(1.0, 1e4))
def test_kappa_is_found_whatever_the_rate(kappa: float, rate: float) -> None:
    made = [ClockPoint("w", c, rate / ((1 - kappa) + kappa * TOP_MHZ / c), 300.0, 0.0) for c in CLOCKS]
    assert kappa_of(made, TOP_MHZ) == pytest.approx(kappa, abs=1e-6)


def test_kappa_of_a_rate_that_falls_with_the_clock_is_none() -> None:
    made = [ClockPoint("w", clock, 2000.0 / clock, 300.0, 0.0) for clock in CLOCKS]
    assert kappa_of(made, TOP_MHZ) == 0.0


@pytest.mark.parametrize(
    ("knee_mhz", "rise", "memory_w"), [(1260.0, 1.3, 450.0), (960.0, 1.1, 200.0), (1410.0, 1.6, 0.0)]
)
def test_a_sweep_finds_voltage_core_and_memory(knee_mhz: float, rise: float, memory_w: float) -> None:
    fit = fit_voltage(points(knee_mhz, rise, memory_w), CONTEXT_W, TOP_MHZ, 15.0)
    assert fit.core_w == pytest.approx(500.0, rel=0.02)
    assert fit.memory_w == pytest.approx(memory_w, rel=0.02, abs=3.0)
    for clock in CLOCKS:
        true = VoltageFit(knee_mhz, rise, {}, 0.0).shape(clock, TOP_MHZ)
        assert fit.shape(clock, TOP_MHZ) == pytest.approx(true, rel=0.02)


def test_errors_on_points_that_were_not_fitted_are_small_where_the_form_holds() -> None:
    every = points(1300.0, 1.3, 450.0)
    known = [p for p in every if p.clock_mhz in CLOCKS[::2] or p.clock_mhz == CLOCKS[-1]]
    asked = [p for p in every if p not in known]
    time_error, power_error = fit_voltage(known, CONTEXT_W, TOP_MHZ, 15.0).errors(known, asked, CONTEXT_W, TOP_MHZ)
    assert time_error < 1e-9
    assert power_error < 0.02


def test_no_point_left_to_test_on_makes_no_error() -> None:
    every = points(1300.0, 1.3, 450.0)
    assert fit_voltage(every, CONTEXT_W, TOP_MHZ, 15.0).errors(every, [], CONTEXT_W, TOP_MHZ) == (0.0, 0.0)


def test_two_kernels_at_one_setting_give_core_and_memory() -> None:
    core_w, memory_w = solve_default(
        gemm_w=0.9 * 600 + 0.2 * 450, copy_w=0.1 * 600 + 0.9 * 450, gemm_shape=(0.9, 0.2), copy_shape=(0.1, 0.9)
    )
    assert core_w == pytest.approx(600.0)
    assert memory_w == pytest.approx(450.0)


def test_watts_that_make_no_sense_give_no_negative_figures() -> None:
    assert min(solve_default(gemm_w=10.0, copy_w=500.0, gemm_shape=(0.9, 0.2), copy_shape=(0.1, 0.9))) >= 1.0
    assert math.isfinite(fit_voltage(points(1300.0, 1.0, 0.0, CLOCKS[:2]), CONTEXT_W, TOP_MHZ, 15.0).core_w)
