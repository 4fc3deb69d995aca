"""Ramp limits: staggered starts as a table, and the promise over every stretch of time."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.errors import InputError
from goodwatt.power.ramp import Ramp, RampLimit

LIMIT = RampLimit(w_per_s=100.0, window_s=2.0)  # a step of 200 W at once

PLANS = [  # rises, when they happen (asked for at 10 s)
    ([], []),
    ([50, 100], [10, 10]),
    ([200, 100, 100], [10, 11, 12]),
    ([150, 150], [10, 11]),
    ([500], [13]),
    ([500, 100], [13, 14]),
    ([0, -50, 200, 10], [10, 10, 10, 10.1]),
]


@pytest.mark.parametrize(("rises", "times"), PLANS)
def test_staggered_starts(rises: list[float], times: list[float]) -> None:
    assert Ramp(LIMIT).plan(10.0, rises) == pytest.approx(times)


def test_start_of_a_job_of_4096_gpus() -> None:
    """512 nodes that go from idle to full, 4.6 kW more each, at 50 kW/s: 47 s instead of at once."""
    times = Ramp(RampLimit(50_000.0)).plan(0.0, [4600.0] * 512)
    assert times[0] == 0.0
    assert times[-1] == pytest.approx((512 * 4600 - 50_000) / 50_000)
    assert max(later - earlier for earlier, later in pairwise(times)) == pytest.approx(0.092)


def test_the_allowance_comes_back_with_time() -> None:
    ramp = Ramp(LIMIT)
    ramp.rise(0.0, 200)
    assert [ramp.allowance_w(t) for t in (0, 0.5, 2, 99)] == [0, 50, 200, 200]
    assert ramp.ready_s(0.5, 150) == 1.5


@given(
    st.floats(1, 1e5),
    st.floats(0, 60),
    st.lists(st.tuples(st.floats(0, 30), st.floats(0, 1e5)), min_size=1, max_size=12),
)
def test_rises_of_any_stretch_stay_below_burst_and_rate(
    w_per_s: float, window_s: float, starts: list[tuple[float, float]]
) -> None:
    ramp, now_s = Ramp(RampLimit(w_per_s, window_s)), 0.0
    done: list[tuple[float, float]] = []
    for pause_s, watts in starts:
        now_s = ramp.ready_s(now_s + pause_s, watts)
        ramp.rise(now_s, watts)
        done.append((now_s, watts))
    for i, (from_s, first_w) in enumerate(done):
        for j in range(i, len(done)):
            burst = max(ramp.limit.burst_w, first_w)
            risen = sum(watts for _, watts in done[i : j + 1])
            assert risen <= burst + w_per_s * (done[j][0] - from_s) + 1e-6 * max(risen, 1.0)


def test_saved_copied_and_restored() -> None:
    ramp = Ramp(LIMIT)
    for _ in range(2):
        plain, twin, other = ramp.to_plain(), ramp.copy(), Ramp(LIMIT)
        other.restore(json.loads(json.dumps(plain)))
        ramp.rise(5.0, 120.0)
        assert twin.to_plain() == other.to_plain() == plain


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="expected W/s above 0, got 0"):
        RampLimit(0.0)
