"""The SMs that clients of MPS have in common."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.power.colocation.thread_overlap import common_sms


@pytest.mark.parametrize(
    ("limits", "first"),
    [
        ((1.0, 1.0), [0.0, 1.0]),
        ((1.0, 0.5), [0.0, 0.5]),
        ((0.5, 0.5), [0.0, 0.0]),
        ((0.75, 0.5), [0.0, 0.25]),
        ((1.0, 0.25, 0.25), [0.0, 0.25, 0.25]),
        ((0.5, 0.5, 0.5), [0.0, 1 / 6, 1 / 6]),
        ((0.25, 0.25, 0.25, 0.25), [0.0, 0.0, 0.0, 0.0]),
        ((1.0, 1.0, 1.0), [0.0, 1.0, 1.0]),
    ],
)
def test_clients_lie_as_far_apart_as_limits_allow(limits: tuple[float, ...], first: list[float]) -> None:
    assert common_sms(limits)[0] == pytest.approx(first)


@given(st.lists(st.floats(0.05, 1.0), min_size=1, max_size=8))
def test_symmetric_at_most_the_lesser_and_as_many_pairs_as_there_must_be(limits: list[float]) -> None:
    found = common_sms(limits)
    for i, own in enumerate(limits):
        assert found[i][i] == 0.0
        for j, other in enumerate(limits):
            assert found[i][j] == pytest.approx(found[j][i])
            assert 0.0 <= found[i][j] <= min(own, other) + 1e-9
    given_out = math.fsum(limits)
    whole = math.floor(given_out)
    assert math.fsum(map(math.fsum, found)) >= whole * (2 * given_out - whole - 1) - 1e-9
