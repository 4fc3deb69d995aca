"""Sets of nodes as integers, and the index of amounts, against sets and loops."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.bitset import LevelIndex, bitset, first, lowest, members, where

sets = st.sets(st.integers(0, 200))


@given(sets)
def test_members_are_what_went_in(nodes: set[int]) -> None:
    assert list(members(bitset(nodes))) == sorted(nodes)


@given(sets)
def test_first_is_the_lowest(nodes: set[int]) -> None:
    assert first(bitset(nodes)) == min(nodes, default=-1)


@given(sets, st.integers(0, 250))
def test_lowest_takes_the_lowest(nodes: set[int], count: int) -> None:
    assert list(members(lowest(bitset(nodes), count))) == sorted(nodes)[:count]


@given(sets, st.integers(1, 7))
def test_where_keeps_those_that_pass(nodes: set[int], divisor: int) -> None:
    assert list(members(where(bitset(nodes), lambda i: i % divisor == 0))) == [
        i for i in sorted(nodes) if i % divisor == 0
    ]


@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=20),
    st.lists(st.tuples(st.integers(0, 19), st.floats(0, 1)), max_size=30),
    st.integers(0, 6000),
    st.sets(st.integers(0, 19)),
    st.integers(1, 40),
)
def test_level_index_answers_like_a_loop(
    most: list[int], moves: list[tuple[int, float]], amount: int, among: set[int], levels: int
) -> None:
    index, exact = LevelIndex(most, levels), most[:]
    for member, share in moves:
        if member < len(most):
            new = int(most[member] * share)
            index.move(member, exact[member], new)
            exact[member] = new
    asked = bitset(i for i in among if i < len(most))
    assert index.at_least(amount, exact, asked) == where(asked, lambda i: exact[i] >= amount)


def test_a_copy_of_a_level_index_is_independent() -> None:
    index = LevelIndex([10, 10])
    twin = index.copy()
    twin.move(0, 10, 0)
    assert index.at_least(5, [10, 10], 0b11) == 0b11
    assert twin.at_least(5, [0, 10], 0b11) == 0b10


def test_a_level_index_of_nothing_or_of_no_amounts() -> None:
    assert LevelIndex([]).at_least(1, [], 0) == 0
    assert LevelIndex([0, 0]).at_least(0, [0, 0], 0b11) == 0b11
    assert LevelIndex([0, 0]).at_least(1, [0, 0], 0b11) == 0
