"""Before a GPU has settled."""

from __future__ import annotations

from random import Random
from statistics import median

import pytest

from goodwatt.power.gpu.transient import CALL_S, actuation_delay_s, surge_w


def test_a_load_that_starts_draws_more_than_its_cap() -> None:
    assert surge_w(uncapped_w=1120.0, settled_w=690.0) == pytest.approx(963.2)
    assert surge_w(uncapped_w=300.0, settled_w=300.0) == 300.0


def test_settings_take_effect_after_tens_of_milliseconds() -> None:
    delays = sorted(actuation_delay_s(Random(seed)) for seed in range(2000))
    assert delays[0] > CALL_S
    assert median(delays) == pytest.approx(0.030, rel=0.1)
    assert delays[1980] == pytest.approx(0.110, rel=0.25)
    assert actuation_delay_s(Random(7)) == actuation_delay_s(Random(7))
