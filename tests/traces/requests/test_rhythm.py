"""The rhythm of day and week."""

from __future__ import annotations

import numpy as np
import pytest

from goodwatt.errors import InputError
from goodwatt.traces.requests.rhythm import Rhythm


def test_peak_over_trough_is_what_was_asked_for() -> None:
    profile = Rhythm(5.0, 15.0).profile("p", 1.0, 2.0)
    assert profile.mean_per_s == pytest.approx(2.0)
    assert profile.rate_per_s.max() / profile.rate_per_s.min() == pytest.approx(5.0, rel=1e-3)
    assert profile.t_s[profile.rate_per_s.argmax()] == pytest.approx(15 * 3600, abs=300)
    assert profile.t_s[profile.rate_per_s.argmin()] == pytest.approx(3 * 3600, abs=300)


def test_weekend_and_weeks() -> None:
    profile = Rhythm(2.0, 14.0, weekend=0.25).profile("p", 14.0, 1.0)
    daily = np.diff(profile.expected_before(np.arange(15.0) * 86400))
    assert daily[:7] == pytest.approx(daily[7:])
    assert daily[[5, 6]] == pytest.approx(daily[[0, 1]] * 0.25)
    assert profile.mean_per_s == pytest.approx(1.0)


def test_no_rhythm() -> None:
    profile = Rhythm().profile("p", 0.01, 3.0)
    assert profile.end_s == 864.0
    assert profile.rate_per_s == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"peak_to_trough": 0.5}, "a peak of at least the trough"),
        ({"peak_to_trough": float("nan")}, "a peak of at least the trough"),
        ({"peak_hour": 25.0}, "an hour of the day"),
        ({"weekend": 0.0}, "a weekend of more than 0"),
    ],
)
def test_what_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Rhythm(**options)


@pytest.mark.parametrize("days", [0.0, -1.0, float("nan"), 1e9])
def test_days_that_are_refused(days: float) -> None:
    with pytest.raises(InputError, match="a number of days"):
        Rhythm().profile("p", days, 1.0)
