"""Rate profiles: steps, scaling, and how many requests they expect."""

from __future__ import annotations

import math

import numpy as np
import pytest

from goodwatt.errors import InputError
from goodwatt.traces.requests.rate_profile import RateProfile, constant, ramps


def profile(t_s: list[float], rates: list[float], end_s: float = 100.0, relative: bool = False) -> RateProfile:
    return RateProfile("p", np.array(t_s), np.array(rates), end_s, relative)


def test_mean_peak_and_expected() -> None:
    made = profile([0, 25], [1, 3])
    assert made.mean_per_s == 2.5
    assert made.peak_per_s == 3.0
    times = np.array([0.0, 25.0, 50.0, 100.0, 125.0])
    assert made.expected_before(times).tolist() == [0, 25, 100, 250, 250]
    assert made.expected_before(times, repeat=True).tolist() == [0, 25, 100, 250, 275]


def test_scaled_to_mean_or_peak() -> None:
    made = profile([0, 50], [1, 3], relative=True)
    assert made.scaled(mean_per_s=10).rate_per_s.tolist() == [5, 15]
    assert made.scaled(peak_per_s=6).rate_per_s.tolist() == [2, 6]
    assert not made.scaled(peak_per_s=6).relative
    for wrong in ({}, {"mean_per_s": 1.0, "peak_per_s": 1.0}):
        with pytest.raises(InputError, match="either a mean or a peak"):
            made.scaled(**wrong)
    for rate in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InputError, match="a rate above 0"):
            made.scaled(mean_per_s=rate)


@pytest.mark.parametrize(
    ("t_s", "rates", "end_s", "message"),
    [
        ([], [], 1.0, "at least one"),
        ([0, 1], [1], 5.0, "as many times as rates"),
        ([1], [1], 5.0, "a first step at 0 s, got 1 s"),
        ([0, 2, 2], [1, 1, 1], 5.0, "times that rise"),
        ([0, 5], [1, 1], 5.0, "times that rise from step to step and end, got 0, 5, 5"),
        ([0], [1], math.inf, "times that rise from step to step and end"),
        ([0, 1], [1, -2], 5.0, "rates of 0 or more, got -2 at 1 s"),
        ([0, 1], [1, math.nan], 5.0, "rates of 0 or more, got nan"),
        ([0, 1], [0, 0], 5.0, "at least one rate above 0"),
    ],
)
def test_what_is_refused(t_s: list[float], rates: list[float], end_s: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        profile(t_s, rates, end_s)


def test_constant() -> None:
    assert constant(7.0).mean_per_s == 7.0


def test_ramps_expect_what_their_steps_do() -> None:
    made = ramps("r", [(0, 0), (95, 19), (100, 19), (101, 0), (200, 0)])
    assert made.end_s == 200.0
    areas = [0.0, 0.5 * 95 * 19, 0.5 * 95 * 19 + 5 * 19, 0.5 * 95 * 19 + 5.5 * 19]
    assert made.expected_before(np.array([0.0, 95.0, 100.0, 101.0])).tolist() == pytest.approx(areas)
    assert np.diff(made.t_s).max() <= 10.0


@pytest.mark.parametrize("points", [[], [(0, 1)], [(5, 1), (9, 1)], [(0, 1), (9, 1), (9, 2)]])
def test_ramps_need_points_that_rise(points: list[tuple[float, float]]) -> None:
    with pytest.raises(InputError, match="rates 'r': expected at least two points, the first at 0 s"):
        ramps("r", points)
