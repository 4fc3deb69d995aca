"""Which GPUs of a node a job gets when nobody named them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.node_choice import Shares, shared_gpu, whole_gpus

PAIRS = (0b00000011, 0b00001100, 0b00110000, 0b11000000)
QUADS = (0b00001111, 0b11110000)

WHOLE = [
    ("the lowest where there is one domain", 0b11111111, 3, (0b11111111,), 0b00000111),
    ("the fullest pair that suffices", 0b11110111, 1, PAIRS, 0b00000100),
    ("a whole pair", 0b11110110, 2, PAIRS, 0b00110000),
    ("the fullest quad", 0b11110111, 3, QUADS, 0b00000111),
    ("the emptiest first if no quad suffices", 0b11110111, 5, QUADS, 0b11110001),
    ("all that is free", 0b10010010, 3, PAIRS, 0b10010010),
    ("no domains known", 0b11110000, 2, (), 0b00110000),
    ("nothing for a job without GPUs", 0b1111, 0, PAIRS, 0),
]


@pytest.mark.parametrize(("why", "free", "count", "domains", "chosen"), WHOLE, ids=[row[0] for row in WHOLE])
def test_whole_gpus(why: str, free: int, count: int, domains: tuple[int, ...], chosen: int) -> None:
    assert whole_gpus(free, count, domains) == chosen, why


@given(st.integers(0, 255), st.integers(0, 8), st.sampled_from([(), PAIRS, QUADS, (255,)]))
def test_whole_gpus_are_free_and_as_many_as_wanted(free: int, count: int, domains: tuple[int, ...]) -> None:
    count = min(count, free.bit_count())
    chosen = whole_gpus(free, count, domains)
    assert chosen & ~free == 0
    assert chosen.bit_count() == count


@given(st.integers(0, 255), st.integers(1, 8), st.sampled_from([PAIRS, QUADS]))
def test_whole_gpus_touch_the_fewest_domains(free: int, count: int, domains: tuple[int, ...]) -> None:
    count = min(count, free.bit_count())
    touched = sum(1 for domain in domains if whole_gpus(free, count, domains) & domain)
    sizes = sorted(((free & domain).bit_count() for domain in domains), reverse=True)
    fewest = next(n for n in range(len(sizes) + 1) if sum(sizes[:n]) >= count)
    assert touched == fewest


SHARED: list[tuple[str, Shares, int, int, int]] = [
    ("the started GPU with the least room that suffices", ((0, 200), (3, 500), (5, 600)), 0b11, 500, 0b1000),
    ("the lower of two alike", ((2, 500), (4, 500)), 0b1, 500, 0b100),
    ("a free one if no started one has room", ((0, 900),), 0b110, 200, 0b10),
    ("none", ((0, 900),), 0, 200, 0),
]


@pytest.mark.parametrize(("why", "shares", "free", "milli", "chosen"), SHARED, ids=[row[0] for row in SHARED])
def test_shared_gpu(why: str, shares: Shares, free: int, milli: int, chosen: int) -> None:
    assert shared_gpu(shares, free, milli) == chosen, why
