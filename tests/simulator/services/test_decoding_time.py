"""Time in which an instance only decodes: the union of its sequences, less the prompts inside it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.simulator.services.decoding_time import decoding_s
from goodwatt.simulator.services.tick_tables import STRETCH

PART_S = 0.01
SPANS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 40)), max_size=6)


@given(st.integers(0, 100), SPANS, SPANS)
def test_it_is_what_counting_hundredths_finds(carried: int, sequences: list[tuple[int, int]], more: list) -> None:  # type: ignore[type-arg]
    from_s = 7.0
    sequences = sorted((begin, min(100, begin + length)) for begin, length in sequences)
    prompts = _apart(more)
    decodes = set(range(carried)).union(*[range(begin, end) for begin, end in sequences])
    expected = len(decodes - {part for begin, end in prompts for part in _inside(begin, end, carried, sequences)})
    stretches = np.array([(from_s + b * PART_S, from_s + e * PART_S, 1.0) for b, e in prompts], dtype=STRETCH)
    begin_s, end_s = (from_s + np.array([pair[i] for pair in sequences]) * PART_S for i in (0, 1))
    found = decoding_s(from_s + carried * PART_S, begin_s, end_s, stretches, from_s)
    assert found == pytest.approx(expected * PART_S, abs=1e-6)


def _apart(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same one after the other."""
    found: list[tuple[int, int]] = []
    for begin, length in sorted(spans):
        low = max(begin, found[-1][1] if found else 0)
        if min(100, low + length) > low:
            found.append((low, min(100, low + length)))
    return found


def _inside(begin: int, end: int, carried: int, sequences: list[tuple[int, int]]) -> range:
    """The part of a prompt in which those decode who had begun when it did."""
    latest = max([carried, *(until for since, until in sequences if since <= begin)])
    return range(begin, max(begin, min(end, latest)))
