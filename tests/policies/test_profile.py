"""The step function of free GPUs, against a count by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.policies.profile import Profile, milli
from tests.scenario import job

LONG = 60


def test_now_if_enough_is_free() -> None:
    assert Profile(10.0, 4, []).earliest(4, 100.0) == 10.0


def test_when_enough_has_ended() -> None:
    profile = Profile(0.0, 1, [(50.0, 2), (30.0, 1)])
    assert [profile.earliest(n, 5.0) for n in (1, 2, 3, 4)] == [0.0, 30.0, 50.0, 50.0]


def test_never_if_there_is_not_so_much() -> None:
    profile = Profile(0.0, 1, [(50.0, 2)])
    assert profile.earliest(4, 5.0) == math.inf
    profile.reserve(math.inf, 5.0, 4)
    assert profile.earliest(3, 5.0) == 50.0


def test_a_gap_must_be_long_enough() -> None:
    profile = Profile(0.0, 4, [])
    profile.reserve(20.0, 10.0, 4)
    assert profile.earliest(1, 20.0) == 0.0
    assert profile.earliest(1, 20.5) == 30.0


def test_what_ends_and_what_starts_in_one_moment_do_not_meet() -> None:
    profile = Profile(0.0, 0, [(10.0, 4)])
    profile.reserve(10.0, 10.0, 4)
    assert profile.earliest(4, 1.0) == 20.0


def test_a_job_without_gpus_starts_now() -> None:
    assert Profile(3.0, 0, [(10.0, 4)]).earliest(0, 100.0) == 3.0


@pytest.mark.parametrize(("gpus", "share", "thousandths"), [(2, 1000, 2000), (1, 250, 250), (0, 1000, 0)])
def test_gpus_are_counted_in_thousandths(gpus: int, share: int, thousandths: int) -> None:
    assert milli(job(gpus=gpus, gpu_milli=share)) == thousandths


spans = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 15)), max_size=8)


@given(total=st.integers(1, 8), running=spans, waiting=spans)
def test_first_fit_as_counted_second_by_second(
    total: int, running: list[tuple[int, int]], waiting: list[tuple[int, int]]
) -> None:
    free = [total] * (LONG * 10)
    ends = []
    for gpus, lasts in running:
        if free[0] >= gpus:
            ends.append((float(lasts), gpus))
            free[:lasts] = [left - gpus for left in free[:lasts]]
    profile = Profile(0.0, total - sum(gpus for _, gpus in ends), ends)
    for gpus, lasts in waiting:
        if gpus > total:
            assert profile.earliest(gpus, lasts) == math.inf
            continue
        start = next(t for t in range(len(free)) if min(free[t : t + lasts]) >= gpus)
        assert profile.earliest(gpus, lasts) == start
        profile.reserve(start, lasts, gpus)
        free[start : start + lasts] = [left - gpus for left in free[start : start + lasts]]
