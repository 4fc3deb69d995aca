"""Who gets which request."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.simulator.services.routing import Router
from goodwatt.simulator.services.service import Routing
from tests.simulator.services.served_services import service_of


def router_of(routing: Routing, long_share: float = 0.5) -> Router:
    return Router(replace(service_of(), routing=routing, long_tokens=1000, long_share=long_share))


def no_load(_: int) -> float:
    raise AssertionError("nobody needs to know")


@given(st.integers(1, 9), st.integers(0, 60))
def test_in_turn_is_even(count: int, requests: int) -> None:
    router, slots = router_of("round_robin"), [10 * n for n in range(count)]
    got = Counter(router.choose(slots, 5, no_load) for _ in range(requests))
    assert max(got.values(), default=0) - min((got[slot] for slot in slots), default=0) <= 1


@given(st.dictionaries(st.integers(0, 99), st.floats(0.0, 1e6), min_size=1), st.integers(1, 9000))
def test_nobody_is_less_loaded_than_who_gets_it(loads: dict[int, float], prompt: int) -> None:
    chosen = router_of("least_loaded").choose(list(loads), prompt, loads.__getitem__)
    assert loads[chosen] == min(loads.values())


def test_equal_loads_go_to_the_first() -> None:
    assert router_of("least_loaded").choose([7, 3, 5], 1, lambda _: 4.0) == 7


@pytest.mark.parametrize(
    ("count", "share", "short", "long"),
    [
        (1, 0.5, [0], [0]),  # alone: for all
        (2, 0.5, [0], [1]),
        (2, 0.01, [0], [1]),  # at least one for either
        (2, 0.99, [0], [1]),
        (3, 0.5, [0], [1, 2]),
        (4, 0.5, [0, 1], [2, 3]),
        (4, 0.25, [0, 1, 2], [3]),
        (8, 0.25, [0, 1, 2, 3, 4, 5], [6, 7]),
        (4, 1.0, [0], [1, 2, 3]),
    ],
)
def test_by_length(count: int, share: float, short: list[int], long: list[int]) -> None:
    router, slots = router_of("by_length", share), list(range(count))
    assert list(router.among(slots, 999)) == short
    assert list(router.among(slots, 1000)) == long


def test_by_length_takes_the_least_loaded_of_those() -> None:
    loads = {0: 5.0, 1: 9.0, 2: 7.0, 3: 8.0}
    router = router_of("by_length")
    assert router.choose([0, 1, 2, 3], 10, loads.__getitem__) == 0
    assert router.choose([0, 1, 2, 3], 5000, loads.__getitem__) == 2
