"""What watts buy an instance: as a curve, by caps and loads."""

from __future__ import annotations

import pytest

from goodwatt.policies.service_watts import Need, ask_of_need
from tests.policies.test_service_capacity import carried

LEAST_W, RATED_W = 300.0, 700.0
BUSY = Need(500.0, 560.0, ((350.0, 0.2), (420.0, 0.5), (500.0, 0.7)))
IDLE = Need(LEAST_W, LEAST_W)


@pytest.mark.parametrize(
    ("need", "firm", "floor_w", "most_w"),
    [
        (BUSY, True, 500.0, 560.0),
        (BUSY, False, 300.0, 560.0),
        (IDLE, True, 300.0, 300.0),
        (Need(RATED_W, RATED_W, ((RATED_W, 1.0),)), True, RATED_W, RATED_W),
        (Need(LEAST_W, RATED_W), True, 300.0, RATED_W),
    ],
)
def test_what_an_instance_asks_for(need: Need, firm: bool, floor_w: float, most_w: float) -> None:
    ask = ask_of_need(need, LEAST_W, RATED_W, firm=firm)
    assert (ask.floor_w, ask.most_w, ask.rated_w) == (floor_w, most_w, RATED_W)
    assert ask.curve.watts[0] == floor_w
    assert ask.curve.watts[-1] == RATED_W


def test_a_watt_that_carries_load_is_worth_more_than_any_job_makes_of_it_and_one_beyond_next_to_nothing() -> None:
    """A job makes a GPU at full speed of 300 to 700 W: 1/300 a watt at the most."""
    curve = ask_of_need(BUSY, LEAST_W, RATED_W, firm=False).curve
    slopes = dict(zip(curve.watts[1:], curve.slopes, strict=True))
    assert all(slope > 1 / 300 for watts, slope in slopes.items() if watts <= BUSY.wanted_w)
    assert slopes[RATED_W] < 1e-5
    assert list(slopes.values()) == sorted(slopes.values(), reverse=True)


@pytest.mark.parametrize("model", ["8B", "70B", "experts"])
def test_caps_rise_with_the_clock_that_they_hold(model: str) -> None:
    """A decoding 8B model draws some 300 W at any clock, prompts take the board to its cap at the greatest."""
    caps = carried(model).cap_w
    assert (caps[1:] >= caps[:-1]).all()
    assert 250 < caps[0] < 400
    assert 600 < caps[-1] <= RATED_W
