"""Bootstrap intervals: known differences, coverage on made-up data, and where there is nothing to say."""

from __future__ import annotations

import random

import numpy as np
import pytest

from goodwatt.policies.bootstrap import FEWEST, paired_difference


def test_a_difference_that_is_the_same_everywhere_is_certain() -> None:
    difference, percent = paired_difference([11.0, 21.0, 31.0], [10.0, 20.0, 30.0], [1.0, 1.0, 1.0])
    assert difference.value == pytest.approx(1.0)
    assert difference.interval == pytest.approx((1.0, 1.0))
    assert difference.certain
    assert percent is not None
    assert percent.value == pytest.approx(5.0)


def test_no_difference_is_no_difference() -> None:
    difference, percent = paired_difference([3.0, 5.0, 9.0, 2.0], [3.0, 5.0, 9.0, 2.0], [1, 2, 3, 4])
    assert (difference.value, difference.interval, difference.certain) == (0.0, (0.0, 0.0), False)
    assert percent is not None
    assert (percent.value, percent.interval) == (0.0, (0.0, 0.0))


def test_blocks_weigh_by_their_jobs() -> None:
    difference, percent = paired_difference([100.0, 10.0], [90.0, 5.0], [10.0, 1.0])
    assert difference.value == pytest.approx(15 / 11)
    assert percent is not None
    assert percent.value == pytest.approx(100 * 15 / 95)


@pytest.mark.parametrize("blocks", range(1, FEWEST))
def test_too_few_blocks_give_no_interval(blocks: int) -> None:
    difference, percent = paired_difference([2.0] * blocks, [1.0] * blocks, [1.0] * blocks)
    assert difference.value == 1.0
    assert difference.interval is None
    assert not difference.certain
    assert percent is not None
    assert percent.interval is None


def test_enough_blocks_give_one() -> None:
    difference, _ = paired_difference([2.0] * FEWEST, [1.0] * FEWEST, [1.0] * FEWEST)
    assert difference.interval is not None


def test_there_is_no_percentage_of_nothing() -> None:
    difference, percent = paired_difference([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    assert difference.value == 2.0
    assert percent is None


def test_a_reference_that_is_mostly_zero_gives_no_infinite_percentage() -> None:
    _, percent = paired_difference([1.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [1.0] * 4)
    assert percent is not None
    assert percent.interval is not None
    assert percent.interval == (-50.0, -50.0)


def test_the_same_numbers_give_the_same_interval() -> None:
    dice = random.Random(3)
    mine, reference = ([dice.random() for _ in range(20)] for _ in range(2))
    assert paired_difference(mine, reference, [1.0] * 20) == paired_difference(mine, reference, [1.0] * 20)


def test_the_interval_holds_the_true_difference_about_as_often_as_it_says() -> None:
    """Forty blocks share their noise; the true difference is 2. The percentile method is a little narrow."""
    rng, hits, rounds = np.random.default_rng(7), 0, 300
    for _ in range(rounds):
        shared = rng.normal(100.0, 30.0, 40)
        mine, reference = shared + 2.0 + rng.normal(0.0, 5.0, 40), shared
        interval = paired_difference(list(mine), list(reference), [1.0] * 40)[0].interval
        assert interval is not None
        hits += interval[0] <= 2.0 <= interval[1]
    assert 0.89 < hits / rounds < 0.99


def test_pairing_takes_the_shared_noise_out() -> None:
    rng = np.random.default_rng(1)
    shared = rng.normal(100.0, 30.0, 40)
    difference, _ = paired_difference(list(shared + 2.0), list(shared), [1.0] * 40)
    assert difference.interval is not None
    assert difference.interval[1] - difference.interval[0] < 1e-9
