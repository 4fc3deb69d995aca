"""The broken line of iterations: time and count say the same, and prompts are where they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.simulator.services.made_iterations import made_at, time_when
from goodwatt.simulator.services.tick_tables import STRETCH

LINE = np.array([(10.2, 10.4, 1.0), (10.4, 10.5, 1.0), (10.8, 11.0, 0.5)], dtype=STRETCH)
AT = [
    # time, iterations of 0.05 s made from 10.0 s on, with prompts from 10.2 to 10.5 s and from 10.8 s
    (10.0, 0.0),
    (10.1, 2.0),
    (10.2, 4.0),
    (10.3, 4.5),
    (10.4, 5.0),
    (10.5, 6.0),
    (10.8, 12.0),
    (10.9, 12.25),
    (11.0, 12.5),
]


@pytest.mark.parametrize(("time_s", "made"), AT)
def test_what_has_been_made(time_s: float, made: float) -> None:
    assert made_at(LINE, 10.0, 0.05, time_s) == pytest.approx(made)
    assert time_when(LINE, 10.0, 0.05, made) == pytest.approx(time_s)


@given(st.lists(st.tuples(st.floats(0.001, 1.0), st.floats(0.001, 1.0), st.floats(0.01, 3.0)), max_size=6),
       st.floats(0.001, 0.5), st.floats(0.0, 20.0))  # fmt: skip
def test_time_and_count_say_the_same(gaps: list[tuple[float, float, float]], each_s: float, count: float) -> None:
    stretches, at_s = np.zeros(len(gaps), dtype=STRETCH), 5.0
    for one, (gap_s, long_s, iterations) in zip(stretches, gaps, strict=True):
        one["begin_s"], one["end_s"], one["iterations"] = at_s + gap_s, at_s + gap_s + long_s, iterations
        at_s += gap_s + long_s
    assert made_at(stretches, 5.0, each_s, time_when(stretches, 5.0, each_s, count)) == pytest.approx(count, abs=1e-6)
