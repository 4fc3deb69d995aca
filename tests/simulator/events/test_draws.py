"""Numbers drawn by name: even, independent of each other and of the order of questions."""

from __future__ import annotations

import math
import statistics

from hypothesis import given
from hypothesis import strategies as st

from goodwatt.simulator.events.draws import child, exponential, key_of, normal, uniform

N = 20_000


def test_a_value_belongs_to_its_name() -> None:
    key = key_of(1, "gpu", "n1")
    assert uniform(key, 1, 0) == uniform(key_of(1, "gpu", "n1"), 1, 0)
    others = [uniform(key_of(*parts), 1, 0) for parts in ((2, "gpu", "n1"), (1, "node", "n1"), (1, "gpu", "n2"))]
    others += [uniform(key, 2, 0), uniform(key, 1, 1), uniform(child(key, 0), 1, 0), uniform(child(key, 1), 1, 0)]
    assert len({uniform(key, 1, 0), *others}) == 8


def test_the_first_values_stay_what_they_are() -> None:
    """Saved seeds give the same failures in every version and on every machine."""
    key = key_of(7, "node", "dgx01")
    assert key == 5_663_944_249_292_684_266
    assert [round(uniform(key, 1, n), 12) for n in range(2)] == [0.514691490528, 0.659353569258]


def test_parts_of_a_name_are_told_apart() -> None:
    assert key_of("ab", "c") != key_of("a", "bc") != key_of("abc")


def test_uniform_numbers_are_even() -> None:
    values = [uniform(child(key_of(3), i), 1) for i in range(N)]
    assert 0.0 < min(values) < max(values) < 1.0
    counts = [sum(1 for v in values if n <= 10 * v < n + 1) for n in range(10)]
    assert all(abs(count - N / 10) < 5 * math.sqrt(N / 10) for count in counts)
    later = [uniform(child(key_of(3), i), 1, 1) for i in range(N)]
    assert abs(statistics.correlation(values, later)) < 5 / math.sqrt(N)
    assert abs(statistics.correlation(values[:-1], values[1:])) < 5 / math.sqrt(N)


def test_exponential_and_normal_numbers_have_their_moments() -> None:
    waits = [exponential(child(key_of(4), i), 1) for i in range(N)]
    assert min(waits) > 0.0
    assert abs(statistics.fmean(waits) - 1.0) < 5 / math.sqrt(N)
    assert abs(statistics.stdev(waits) - 1.0) < 0.05
    bells = [normal(child(key_of(4), i), 2) for i in range(N)]
    assert abs(statistics.fmean(bells)) < 5 / math.sqrt(N)
    assert abs(statistics.stdev(bells) - 1.0) < 0.03
    assert abs(sum(1 for b in bells if abs(b) > 1.959964) / N - 0.05) < 0.01


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**31), st.integers(0, 2**62))
def test_every_key_gives_usable_numbers(key: int, purpose: int, count: int) -> None:
    assert 0.0 < uniform(key, purpose, count) < 1.0
    assert 0.0 < exponential(key, purpose, count) < math.inf
    assert abs(normal(key, purpose, count)) < 6.8
