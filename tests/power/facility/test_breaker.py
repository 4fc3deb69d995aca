"""Breakers and the feeds of a rack: standards' points, exactness, and what happens when a feed dies."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Rack
from goodwatt.cluster.presets import load_cluster
from goodwatt.cluster.trip_curve import TRIP_CURVES, trip_curve
from goodwatt.errors import UnknownNameError
from goodwatt.power.facility.breaker import Breaker
from goodwatt.power.facility.rack_feeds import RackFeeds, rack_feeds

KW = 1000.0
STANDARDS = [  # curve, load over rating, not before, not after (seconds, from cold)
    ("ul489", 1.00, math.inf, math.inf),
    ("ul489", 1.35, 0, 7200),
    ("ul489", 2.00, 0, 360),
    ("iec60898", 1.13, 3600, math.inf),
    ("iec60898", 1.45, 0, 3600),
    ("iec60898", 2.55, 1, 60),
    ("iec60898", 10.0, 0, 0.1),
    ("early", 1.00, math.inf, math.inf),
    ("early", 2.00, 0, 360),
]


@pytest.mark.parametrize(("curve", "over", "earliest", "latest"), STANDARDS)
def test_the_points_of_the_standards(curve: str, over: float, earliest: float, latest: float) -> None:
    assert earliest <= Breaker(KW, trip_curve(curve)).trips_in(over * KW) <= latest * (1 + 1e-3)


WARM = [  # load before over rating, load now, seconds
    (0.0, 2.0, 57.5),
    (0.8, 2.0, 22.7),
    (0.8, 1.4, 63.7),
    (0.8, 1.1, 199.7),
    (1.0, 1.1, 0.0),
    (0.8, 1.0, math.inf),
    (0.8, 5.0, 0.0),
]


@pytest.mark.parametrize(("before", "now", "seconds"), WARM)
def test_a_warm_breaker_trips_sooner(before: float, now: float, seconds: float) -> None:
    assert Breaker(KW, trip_curve("early"), before * KW).trips_in(now * KW) == pytest.approx(seconds, abs=0.1)


loads = st.lists(st.tuples(st.floats(0, 3000), st.floats(0, 500)), max_size=8)
curves = st.sampled_from(sorted(TRIP_CURVES))


@given(loads, curves, st.floats(0, 500), st.integers(1, 7))
def test_time_in_pieces_is_the_same_time(
    steps: list[tuple[float, float]], curve: str, last_s: float, pieces: int
) -> None:
    """Exact for constant load however often it is looked at."""
    whole, cut = Breaker(KW, trip_curve(curve)), Breaker(KW, trip_curve(curve))
    for load_w, seconds in [*steps, (500.0, last_s)]:
        whole.advance(load_w, seconds)
        for _ in range(pieces):
            cut.advance(load_w, seconds / pieces)
        if math.isclose(whole.heat, 1.0, abs_tol=1e-6) or whole.closed != cut.closed:
            return
        assert cut.heat == pytest.approx(whole.heat, abs=1e-9)


@given(st.floats(0, 1000), st.floats(1001, 4999), curves)
def test_it_trips_when_it_says(before_w: float, load_w: float, curve: str) -> None:
    breaker = Breaker(KW, trip_curve(curve), before_w)
    seconds = breaker.trips_in(load_w)
    if 1e-3 < seconds < math.inf:
        assert not breaker.copy().advance(load_w, seconds * 0.999)
        assert breaker.copy().advance(load_w, seconds)


@given(st.floats(0, 990), st.floats(1, 5000), curves)
def test_what_is_bearable_is_borne_and_no_more(before_w: float, seconds: float, curve: str) -> None:
    breaker = Breaker(KW, trip_curve(curve), before_w)
    most_w = breaker.bearable_w(seconds)
    assert not breaker.copy().advance(most_w * 0.999, seconds)
    assert breaker.copy().advance(max(most_w, trip_curve(curve).hold * KW) * 1.001, seconds * 1.5 + 20000)


def test_an_open_breaker_cools_and_may_be_closed_again() -> None:
    breaker = Breaker(KW, trip_curve("early"))
    assert breaker.advance(2 * KW, 100)
    assert not breaker.closed
    assert breaker.heat == pytest.approx(math.exp(-(100 - 57.54) / 200), abs=1e-3)
    assert (breaker.trips_in(2 * KW), breaker.bearable_w(10)) == (math.inf, 0.0)
    breaker.reset()
    assert breaker.trips_in(2 * KW) < 57


def test_unknown_curves_are_named() -> None:
    with pytest.raises(UnknownNameError, match="unknown trip curve 'ul498': did you mean 'ul489'"):
        trip_curve("ul498")


# feeds ---------------------------------------------------------------------------------------------------------------


def feeds(load_w: float, feed_limit_w: float = 800.0) -> RackFeeds:
    """Two feeds with breakers of 1 kW that carry 800 W for ever."""
    made = rack_feeds(Rack("r", 2 * feed_limit_w, 2, feed_limit_w), load_w)
    assert made is not None
    return made


LOST = [  # load of the rack, seconds from the loss of one of two feeds to the trip of the other
    (700.0, math.inf),
    (1000.0, math.inf),
    (1100.0, 200 * math.log((1.21 - 0.3025) / 0.21)),
    (1600.0, 200 * math.log((2.56 - 0.64) / 1.56)),
]


@pytest.mark.parametrize(("load_w", "seconds"), LOST)
def test_one_feed_is_lost(load_w: float, seconds: float) -> None:
    rack = feeds(load_w)
    rack.lose(0)
    assert rack.trips_in(load_w) == pytest.approx(seconds)
    trips = rack.advance(load_w, 3600)
    assert [trip.feed for trip in trips] == ([1] if seconds < 3600 else [])
    assert sum(trip.after_s for trip in trips) == pytest.approx(seconds if seconds < 3600 else 0.0)
    assert rack.up == (() if trips else (1,))


def test_load_shed_in_time_keeps_the_rack() -> None:
    """What the budget policy has to do: below what the last feed carries, before its breaker opens."""
    rack = feeds(1600.0)
    rack.lose(0)
    assert rack.continuous_w == 800.0
    assert rack.advance(1600.0, 2.0) == ()
    assert rack.advance(rack.continuous_w, 3600) == ()
    rack.restore_mains(0)
    assert rack.up == (0, 1)
    assert rack.continuous_w == 1600.0


def test_an_overload_of_both_feeds_takes_both() -> None:
    rack = feeds(0.0)
    assert [trip.feed for trip in rack.advance(4000.0, 100)] == [0, 1]
    assert (rack.up, rack.continuous_w, rack.bearable_w(1.0)) == ((), 0.0, 0.0)
    assert rack.advance(0.0, 100) == ()


def test_a_rack_that_carries_all_on_one_feed() -> None:
    """2N: each feed for itself carries the whole rack."""
    made = rack_feeds(Rack("r", 800.0, 2, 800.0), 800.0)
    assert made is not None
    made.lose(1)
    assert made.advance(800.0, 1e6) == ()


def test_loss_of_a_feed_of_an_nvl72_rack_at_full_load() -> None:
    """118 kW on a breaker of 75 kW: about three quarters of a minute to come down to 60 kW."""
    cluster = load_cluster("nvl72-4")
    made = rack_feeds(cluster.racks["rack-001"], 118 * KW)
    assert made is not None
    made.lose(0)
    assert 30 < made.trips_in(118 * KW) < 60
    assert made.trips_in(60 * KW) == math.inf


def test_racks_without_a_limit_have_no_breakers() -> None:
    assert rack_feeds(Rack("r")) is None


@given(loads, st.booleans())
def test_saved_copied_and_restored(steps: list[tuple[float, float]], lost: bool) -> None:
    rack = feeds(500.0)
    if lost:
        rack.lose(1)
    for load_w, seconds in steps:
        rack.advance(load_w, seconds)
    plain, twin, other = rack.to_plain(), rack.copy(), feeds(500.0)
    other.restore(json.loads(json.dumps(plain)))
    rack.advance(1700.0, 1000)
    assert twin.to_plain() == other.to_plain() == plain
    assert twin.trips_in(1900.0) == other.trips_in(1900.0)
