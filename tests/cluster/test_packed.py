"""Several jobs on one GPU: how many, and which GPUs are free when one leaves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.bitset import members
from goodwatt.cluster.packed import MOST_TENANTS, Packed, is_full, pack, unpack


def test_the_first_is_not_counted() -> None:
    packed = pack(pack((), 0b011), 0b010)
    assert packed == ((0, 1), (1, 2))
    packed, empty = unpack(packed, 0b111)
    assert (packed, empty) == (((1, 1),), 0b100)


def test_seven_beside_the_first_and_no_more() -> None:
    packed: Packed = ()
    for _ in range(MOST_TENANTS - 1):
        assert not is_full(packed, 0b1)
        packed = pack(packed, 0b1)
    assert is_full(packed, 0b1)
    assert is_full(packed, 0b11)
    assert not is_full(packed, 0b10)


@given(st.lists(st.integers(1, 15), max_size=8))
def test_who_comes_and_goes_leaves_nothing_behind(masks: list[int]) -> None:
    held = 0
    packed: Packed = ()
    counts = dict.fromkeys(range(4), 0)
    for mask in masks:
        packed = pack(packed, held & mask)
        held |= mask
        for gpu in members(mask):
            counts[gpu] += 1
    assert dict(packed) == {gpu: jobs - 1 for gpu, jobs in counts.items() if jobs > 1}
    for mask in masks:
        packed, empty = unpack(packed, mask)
        held &= ~empty
        for gpu in members(mask):
            counts[gpu] -= 1
        assert held == sum(1 << gpu for gpu, jobs in counts.items() if jobs)
    assert (packed, held) == ((), 0)
