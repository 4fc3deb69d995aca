"""Reductions keep what they promise: extremes and ranks of samples, integrals and maxima of step functions."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cli.report.reduction import bucketed, kept_ranks, packed, quantile_points

STEPS = st.lists(st.tuples(st.floats(0.0, 1e4), st.floats(0.0, 1e6)), min_size=2, max_size=60)


def integral(t_s: np.ndarray, values: np.ndarray) -> float:
    return float(np.sum(np.diff(t_s) * values[:-1]))


def test_a_small_sample_is_kept_whole() -> None:
    assert quantile_points(np.array([3.0, 1.0, 2.0]), 400).tolist() == [1.0, 2.0, 3.0]


@given(st.lists(st.floats(0.0, 1e9), min_size=1, max_size=3000), st.sampled_from([12, 25, 400]))
def test_kept_points_hold_the_extremes_and_are_values_of_the_sample(sample: list[float], most: int) -> None:
    points = quantile_points(np.array(sample), most)
    assert len(points) == min(len(sample), most)
    assert points[0] == min(sample)
    assert points[-1] == max(sample)
    assert set(points.tolist()) <= set(sample)


@pytest.mark.parametrize(("count", "most"), [(1, 400), (400, 400), (401, 400), (100_000, 400), (13, 12)])
def test_every_value_is_stood_for_once(count: int, most: int) -> None:
    ranks = kept_ranks(count, most)
    weights = np.diff(ranks, prepend=-1)
    assert weights.min() >= 1
    assert weights.sum() == count


@given(STEPS, st.integers(1, 40))
def test_buckets_keep_the_integral_and_the_maximum(steps: list[tuple[float, float]], count: int) -> None:
    t_s = np.cumsum([dt for dt, _ in steps])
    values = np.array([value for _, value in steps])
    if t_s[-1] - t_s[0] < 1e-3:
        return
    edges = np.linspace(t_s[0], t_s[-1], count + 1)
    buckets = bucketed(t_s, values, edges)
    widths = np.diff(edges)
    assert float(np.nansum(buckets.mean * widths)) == pytest.approx(integral(t_s, values), rel=1e-6, abs=1e-3)
    lasting = values[:-1][np.diff(t_s) > 0.0]
    assert float(np.nanmax(buckets.peak)) == lasting.max()
    assert np.all(buckets.mean <= buckets.peak * (1 + 1e-6) + 1e-6)


def test_a_bucket_that_a_run_does_not_reach_is_empty_and_a_partial_one_is_a_mean_of_its_part() -> None:
    buckets = bucketed(np.array([0.0, 15.0]), np.array([4.0, 9.0]), np.array([0.0, 10.0, 20.0, 30.0]))
    assert buckets.mean.tolist()[:2] == [4.0, 4.0]
    assert np.isnan(buckets.mean[2])
    assert np.isnan(buckets.peak[2])


def test_a_value_that_held_for_no_time_is_no_peak() -> None:
    buckets = bucketed(np.array([0.0, 5.0, 5.0, 10.0]), np.array([1.0, 99.0, 2.0, 0.0]), np.array([0.0, 10.0]))
    assert buckets.peak.tolist() == [2.0]
    assert buckets.mean.tolist() == [1.5]


def test_a_timeline_of_one_row_has_no_buckets_to_show() -> None:
    assert np.isnan(bucketed(np.array([0.0]), np.array([1.0]), np.array([0.0, 1.0])).mean).all()


def test_packed_columns_are_little_endian() -> None:
    assert base64.b64decode(packed([1, 258], "u16")["base64"]) == b"\x01\x00\x02\x01"


@pytest.mark.parametrize(("value", "kind"), [(256, "u8"), (-1, "u32"), (70_000, "u16")])
def test_a_number_that_does_not_fit_is_refused(value: int, kind: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        packed([value], kind)
