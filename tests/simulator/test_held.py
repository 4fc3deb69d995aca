"""Who is held back, told by who is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goodwatt.simulator.held import AllBut

NAMES = "abcdef"
SOME = st.frozensets(st.sampled_from(NAMES))


@given(SOME, SOME)
def test_it_is_the_complement_of_a_set(one: frozenset[str], other: frozenset[str]) -> None:
    everybody = frozenset(NAMES)
    for held, plain in (
        (AllBut(one), everybody - one),
        (AllBut(one) | other, (everybody - one) | other),
        (other | AllBut(one), (everybody - one) | other),
        (AllBut(one) | AllBut(other), everybody - (one & other)),
    ):
        assert {name for name in NAMES if name in held} == plain
