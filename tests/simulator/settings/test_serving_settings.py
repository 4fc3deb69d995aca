"""Ticks end, and minutes end with a control."""

from __future__ import annotations

import math

import pytest

from goodwatt.errors import InputError
from goodwatt.simulator.settings.serving_settings import ServingSettings


@pytest.mark.parametrize("tick_s", [0.0, -1.0, math.inf, math.nan])
def test_ticks_that_never_end_are_refused(tick_s: float) -> None:
    with pytest.raises(InputError, match=f"expected tick_s above 0 and finite, got {tick_s:g}"):
        ServingSettings(tick_s=tick_s)


@pytest.mark.parametrize("control_s", [0.0, -5.0, 7.0, 45.0, 61.0, 120.0, math.inf, math.nan])
def test_controls_that_do_not_make_up_a_minute_are_refused(control_s: float) -> None:
    with pytest.raises(InputError, match=f"expected control_s to be a whole part of 60 s, got {control_s:g}"):
        ServingSettings(control_s=control_s)


@pytest.mark.parametrize("control_s", [0.1, 0.5, 1.0, 2.5, 5.0, 20.0, 60.0])
def test_whole_parts_of_a_minute_are_taken(control_s: float) -> None:
    assert ServingSettings(control_s=control_s).control_s == control_s
