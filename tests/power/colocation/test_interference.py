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


def under(threads: float, kernel_us: float = 50.0, used: float = 1.0) -> Presence:
    """Always there, covers all the SMs that it may use."""
    return BUSY._replace(threads=threads, kernel_us=kernel_us, used=used)


@pytest.mark.parametrize(
    ("threads", "time"),
    [
        ((0.5, 0.5), 1.0),
        ((0.75, 0.75), 1.5),
        ((1.0, 1.0), 2.0),
        ((0.5,) * 3, 1.5),
        ((0.25,) * 4, 1.0),
        ((0.25,) * 6, 1.5),
    ],
)
def test_equals_under_limits_share_what_they_have_in_common(threads: tuple[float, ...], time: float) -> None:
    times = stretches([under(share) for share in threads], replace(PLAIN, turn=0.0))
    assert times == pytest.approx([time] * len(threads), rel=0.06)


def test_a_limited_neighbour_leaves_the_rest_of_the_gpu() -> None:
    """However long its kernels are; it has to share what it may use."""
    alone, half, quarter = (stretches([under(1.0, 20.0), under(share, 1500.0)], PLAIN) for share in (1.0, 0.5, 0.25))
    assert alone[0] > 50.0
    assert half[0] < 1.0 / 0.5
    assert quarter[0] < 1.0 / 0.75
    assert alone[1] < half[1] < quarter[1] < 2.0
    assert stretches([under(1.0, 20.0, used=0.2), under(0.5, 1500.0)], PLAIN)[0] < 1.0 + 0.2 * (1.0 / 0.5 - 1.0)


def test_the_ends_are_the_law_without_limits_and_the_law_apart() -> None:
    one, other = Presence(0.7, 0.9, 20.0, 0.6), Presence(0.8, 0.8, 90.0, 0.3)
    limited = [one._replace(threads=0.5, fill=1.0), other._replace(threads=0.5, fill=1.0)]
    assert stretches([one, other], MPS, LAWS.mps_limited) == pytest.approx(stretches([one, other], MPS))
    both = 1.0 + LAWS.mps_limited.overhead + LAWS.mps_limited.dram * 0.6 * 0.3
    assert stretches(limited, MPS, LAWS.mps_limited) == pytest.approx((both, both))


shares = st.floats(0.0, 1.0)
limits = st.one_of(st.just(1.0), st.floats(0.05, 1.0))
presence = st.builds(Presence, shares, shares, st.floats(1.0, 2000.0), shares, limits, st.floats(0.001, 1.0))
presences = st.lists(presence, min_size=1, max_size=7)


@given(presences, st.sampled_from([MPS, TIMESLICE, LAWS.mps_limited]))
def test_neighbours_never_help(found: list[Presence], law: ModeLaw) -> None:
    times = stretches(found, law, LAWS.mps_limited)
    assert all(time >= 1.0 for time in times)
    more = stretches([*found, BUSY], law)[: len(times)] if len(found) < 7 else times
    assert len(more) == len(times)


@given(st.lists(presence, min_size=2, max_size=5), st.data())
def test_a_little_less_of_a_limit_changes_little(found: list[Presence], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(found) - 1))
    moved = [r._replace(threads=r.threads * (1.0 - 1e-9)) if k == place else r for k, r in enumerate(found)]
    times = [stretches(some, MPS, LAWS.mps_limited) for some in (found, moved)]
    assert times[0] == pytest.approx(times[1], rel=1e-4)


@given(presence, presence)
def test_a_pair_is_symmetric_and_a_third_that_does_nothing_changes_nothing(one: Presence, other: Presence) -> None:
    free, apart = replace(MPS, overhead=0.0), replace(LAWS.mps_limited, overhead=0.0)
    pair = stretches([one, other], free, apart)
    assert stretches([other, one], free, apart) == pytest.approx(pair[::-1])
    nobody = Presence(busy=0.0, fill=0.0, kernel_us=50.0, dram=0.0)
    assert stretches([one, other, nobody], free, apart)[:2] == pytest.approx(pair)


@given(st.floats(0.0, 1.5), shares, st.floats(0.1, 1.0), st.floats(0.125, 1.0))
def test_a_slice_is_never_faster_and_the_whole_is_the_whole(
    watts: float, dram: float, sms: float, memory: float
) -> None:
    assert slice_stretch(watts, dram, sms, memory, MIG) >= 1.0 - 1e-12
    assert slice_stretch(watts, dram, 1.0, 1.0, MIG) == pytest.approx(1.0)
    assert slice_stretch(watts, dram, sms, memory, MIG) <= 1.0 / min(sms, memory) + 1e-9
