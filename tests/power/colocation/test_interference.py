"""The law of neighbours and that of smaller shares."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.power.colocation.interference_constants import LAWS, MIG, MPS, TIMESLICE
from goodwatt.power.colocation.interference_law import ModeLaw, Presence, stretches
from goodwatt.power.colocation.interference_scaling import slice_stretch

BUSY = Presence(busy=1.0, fill=1.0, kernel_us=50.0, dram=0.0)
PLAIN = replace(MPS, overhead=0.0, turn=1.0, long_kernel_us=1e9, overlap=0.0)


def test_nobody_and_one_are_not_disturbed() -> None:
    assert stretches([], MPS) == ()
    assert stretches([BUSY], MPS) == (1.0,)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_equal_busy_residents_share_the_gpu(count: int) -> None:
    assert stretches([BUSY] * count, PLAIN) == pytest.approx([count] * count)


def test_turns_give_time_in_proportion_to_kernel_length() -> None:
    long, short = stretches([BUSY._replace(kernel_us=150.0), BUSY], PLAIN)
    assert 1.0 / long == pytest.approx(0.75)
    assert 1.0 / short == pytest.approx(0.25)


def test_the_formula_of_pairs_is_that_of_any_number() -> None:
    pair = [BUSY._replace(busy=0.7, dram=0.4), BUSY._replace(busy=0.4, kernel_us=20.0, dram=0.6)]
    nobody = Presence(busy=0.0, fill=0.0, kernel_us=50.0, dram=0.0)
    for law in (MPS, TIMESLICE, LAWS.mps_limited):
        free = replace(law, overhead=0.0)  # a third context costs its overhead, busy or not
        assert stretches([*pair, nobody], free)[:2] == pytest.approx(stretches(pair, free))


def test_small_kernels_run_beside_each_other() -> None:
    small = BUSY._replace(fill=0.3)
    assert stretches([small, small, small], replace(MPS, overhead=0.0)) == pytest.approx((1.0,) * 3)
    assert stretches([small] * 4, replace(MPS, overhead=0.0))[0] > 1.5


shares = st.floats(0.0, 1.0)
presences = st.lists(st.builds(Presence, shares, shares, st.floats(1.0, 2000.0), shares), min_size=1, max_size=7)


@given(presences, st.sampled_from([MPS, TIMESLICE, LAWS.mps_limited]))
def test_neighbours_never_help(found: list[Presence], law: ModeLaw) -> None:
    times = stretches(found, law)
    assert all(time >= 1.0 for time in times)
    more = stretches([*found, BUSY], law)[: len(times)] if len(found) < 7 else times
    assert len(more) == len(times)


@given(st.floats(0.0, 1.5), shares, st.floats(0.1, 1.0), st.floats(0.125, 1.0))
def test_a_slice_is_never_faster_and_the_whole_is_the_whole(
    watts: float, dram: float, sms: float, memory: float
) -> None:
    assert slice_stretch(watts, dram, sms, memory, MIG) >= 1.0 - 1e-12
    assert slice_stretch(watts, dram, 1.0, 1.0, MIG) == pytest.approx(1.0)
    assert slice_stretch(watts, dram, sms, memory, MIG) <= 1.0 / min(sms, memory) + 1e-9
