"""What service policies remember: load over time, lengths, and what was wanted."""

from __future__ import annotations

import numpy as np
import pytest

from goodwatt.policies.service_forecast import forecast
from goodwatt.policies.service_memory import FEWEST, Seen
from goodwatt.policies.service_trust import LEAST_TRUST, believe, doubt, trust
from tests.policies.test_service_capacity import chat_of

NOBODY = np.zeros(0)


def seen(*rates: float, every_s: float = 5.0) -> Seen:
    """After controls at which the rate was so high."""
    known = Seen()
    known.note(0.0, 0.0, NOBODY, NOBODY)
    for place, rate in enumerate(rates):
        known.note(every_s * (place + 1), rate, NOBODY, NOBODY)
    return known


def test_rates_are_means_over_the_time_asked_for() -> None:
    known = seen(1.0, 2.0, 3.0, 4.0)
    assert known.rate(10.0) == 3.5
    assert known.rate(60.0) == 2.5
    assert known.rate(10.0, until_s=10.0) == 1.5
    assert Seen().rate(60.0) == 0.0


def test_a_minute_is_remembered_as_its_mean() -> None:
    assert seen(*[2.0] * 12, *[4.0] * 12).minutes == [2.0, 4.0]


@pytest.mark.parametrize(
    ("wanted", "span_s", "most"),
    [([5, 3, 2], 100.0, 5), ([5, 3, 2], 10.0, 3), ([1, 4, 2], 10.0, 4), ([5, 1, 6], 100.0, 6), ([5, 3, 2], 1.0, 2)],
)
def test_the_most_that_was_wanted_lately(wanted: list[int], span_s: float, most: int) -> None:
    known = seen()
    for place, number in enumerate(wanted):
        known.now_s = 5.0 * place
        found = known.most_wanted("instances", number, span_s)
    assert found == most


def test_capacity_is_known_once_lengths_are_and_computed_again_when_they_change() -> None:
    serving, known = chat_of("8B"), Seen()
    known.note(0.0, 1.0, np.full(FEWEST - 1, 1000.0), np.full(FEWEST - 1, 200.0))
    assert known.capacity(serving, "both", 0.1, 1) is None
    known.note(5.0, 1.0, np.full(1, 1000.0), np.full(1, 200.0))
    first = known.capacity(serving, "both", 0.1, 1)
    assert first is not None
    known.note(10.0, 1.0, np.full(9 * FEWEST, 1020.0), np.full(9 * FEWEST, 200.0))
    assert known.capacity(serving, "both", 0.1, 1) is first
    known.note(15.0, 1.0, np.full(90 * FEWEST, 2000.0), np.full(90 * FEWEST, 200.0))
    second = known.capacity(serving, "both", 0.1, 1)
    assert second is not None
    assert second.full_per_s < 0.8 * first.full_per_s


def test_a_forecast_follows_the_trend() -> None:
    steady, rising = seen(*[4.0] * 240), seen(*[0.05 * place for place in range(240)])
    assert forecast(steady, 300.0) == pytest.approx(4.0)
    assert forecast(rising, 300.0) == pytest.approx(0.05 * (239 + 60), rel=0.02)
    assert forecast(seen(*[0.05 * (240 - place) for place in range(240)]), 1e5) == 0.0


def test_from_the_second_day_on_it_follows_the_day_before() -> None:
    hour = [2.0] * 30 + [6.0] * 30
    known = seen(*(rate for _ in range(25) for rate in hour), every_s=60.0)
    for _ in range(28):
        known.note(known.now_s + 60.0, 2.0, NOBODY, NOBODY)
    assert forecast(known, 420.0) == pytest.approx(6.0, rel=0.3)
    assert forecast(seen(*[2.0] * 28, every_s=60.0), 420.0) == pytest.approx(2.0)


def test_trust_falls_at_once_and_returns_slowly() -> None:
    known = seen()
    doubt(known, "both")
    fallen = trust(known, "both")
    doubt(known, "both")
    assert trust(known, "both") == fallen < 0.9
    believe(known, "both")
    assert fallen < trust(known, "both") < fallen + 0.01
    for minute in range(1, 60):
        known.now_s = 60.0 * minute
        doubt(known, "both")
    assert trust(known, "both") == LEAST_TRUST
    for _ in range(10_000):
        believe(known, "both", 1.0)
    assert trust(known, "both") == 1.0
