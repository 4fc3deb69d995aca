"""Predicting durations from jobs that have ended."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.policies.history import DAY_S, UNKNOWN_S, History
from tests.scenario import job


def learned(*ended: tuple[float, float], **about: Any) -> History:
    """A history of equal jobs: (duration, when it ended)."""
    history = History()
    for ran_s, now_s in ended:
        history.job_ended(job(**about), ran_s, now_s)
    return history


def test_nothing_known() -> None:
    assert History().predict_s(job(user="ann", name="train"), 0.0) == UNKNOWN_S


def test_many_equal_jobs_decide() -> None:
    history = learned(*[(100.0, float(i)) for i in range(200)], user="ann", name="train")
    assert history.predict_s(job(user="ann", name="train"), 200.0) == pytest.approx(100.0, rel=1e-3)


def test_one_job_leans() -> None:
    history = learned((100.0, 0.0))
    assert 100.0 < history.predict_s(job(), 0.0) < UNKNOWN_S


def test_the_first_prediction_by_hand() -> None:
    history = learned((100.0, 0.0))
    once = UNKNOWN_S + (100.0 - UNKNOWN_S) / 2  # of all jobs, weight 1, prior 1
    assert history.predict_s(job(gpus=2), 0.0) == once
    assert history.predict_s(job(), 0.0) == once + (100.0 - once) / 2  # of this size


def test_what_is_more_like_the_job_counts_more() -> None:
    history = History()
    for i in range(30):
        history.job_ended(job(user="ann", name="train-7"), 1000.0, float(i))
        history.job_ended(job(user="ann", name="test"), 10.0, float(i))
        history.job_ended(job(user="bob", name="train-7"), 50.0, float(i))
    train, test, other = (
        history.predict_s(job(user=user, name=name), 30.0)
        for user, name in [("ann", "train-8"), ("ann", "test"), ("bob", "train-9")]
    )
    assert 900.0 < train <= 1000.0
    assert 10.0 <= test < 50.0
    assert 50.0 <= other < 100.0
    assert test < history.predict_s(job(user="ann", name="unheard of"), 30.0) < train


def test_digits_in_names_do_not_tell_runs_apart() -> None:
    history = learned(*[(5.0, 0.0)] * 50, user="ann", name="run 12 of 400")
    assert history.predict_s(job(user="ann", name="run 3 of 99"), 0.0) == pytest.approx(
        history.predict_s(job(user="ann", name="run 12 of 400"), 0.0)
    )
    assert history.predict_s(job(user="ann", name="run x"), 0.0) > history.predict_s(
        job(user="ann", name="run 1 of 2"), 0.0
    )


def test_sizes_and_partitions_are_kept_apart() -> None:
    history = History()
    for _ in range(50):
        history.job_ended(job(gpus=8, partition="east"), 1000.0, 0.0)
        history.job_ended(job(gpus=1, partition="east"), 10.0, 0.0)
        history.job_ended(job(gpus=8, partition="west"), 100.0, 0.0)
    assert history.predict_s(job(gpus=8, partition="east"), 0.0) > 900.0
    assert history.predict_s(job(gpus=8, partition="west"), 0.0) < 200.0
    assert history.predict_s(job(gpus=1, partition="east"), 0.0) < 50.0


def test_old_jobs_fade() -> None:
    history = learned(*[(100.0, 0.0)] * 20)
    fresh, month, years = (history.predict_s(job(), days * DAY_S) for days in (0, 30, 3000))
    assert 100.0 < fresh < month < years
    assert years == pytest.approx(UNKNOWN_S)


def test_the_weight_of_a_job_is_one_e_th_after_the_days() -> None:
    history = History(days=2.0)
    history.job_ended(job(), 100.0, 0.0)
    history.job_ended(job(), 400.0, 2 * DAY_S)
    old = math.exp(-1)
    assert history.to_plain()[0][1:3] == [old + 1, pytest.approx((100.0 * old + 400.0) / (old + 1))]


def test_a_history_that_never_fades() -> None:
    history = History(days=math.inf)
    history.job_ended(job(), 100.0, 0.0)
    assert history.predict_s(job(), 1e12) == history.predict_s(job(), 0.0)


def test_asking_does_not_change_it() -> None:
    history = learned((100.0, 0.0), (300.0, 50.0), user="ann")
    before = history.to_plain()
    history.predict_s(job(user="bob", gpus=16, name="x1"), 1e9)
    assert history.to_plain() == before


ended = st.lists(
    st.tuples(
        st.sampled_from([None, "ann", "bob"]),
        st.sampled_from([None, "run-1", "run-22", "test"]),
        st.integers(0, 64),
        st.sampled_from([None, "east"]),
        st.floats(0.0, 1e6),
        st.floats(0.0, 1e6),
    ),
    max_size=20,
)


Ended = list[tuple[str | None, str | None, int, str | None, float, float]]


def grown(history: History, jobs: Ended, now_s: float = 0.0) -> History:
    for user, name, gpus, partition, ran_s, later_s in jobs:
        now_s += later_s
        history.job_ended(job(user=user, name=name, gpus=gpus, partition=partition), ran_s, now_s)
    return history


@given(before=ended, after=ended, days=st.floats(0.001, 1000.0))
def test_a_copy_and_a_restored_one_go_on_exactly_alike(before: Ended, after: Ended, days: float) -> None:
    history = grown(History(days), before)
    copy, restored = history.copy(), History(days)
    restored.load_plain(orjson.loads(orjson.dumps(history.to_plain())))
    untouched = history.to_plain()
    plains = [grown(h, after, 3e7).to_plain() for h in (copy, restored)]
    assert history.to_plain() == untouched
    assert plains[0] == plains[1] == grown(history, after, 3e7).to_plain()
    asked = job(user="ann", name="run-5", gpus=4)
    assert copy.predict_s(asked, 9e7) == restored.predict_s(asked, 9e7) == history.predict_s(asked, 9e7)


@given(jobs=ended)
def test_predictions_stay_between_what_was_seen(jobs: Ended) -> None:
    durations = [UNKNOWN_S, *(entry[4] for entry in jobs)]
    predicted = grown(History(), jobs).predict_s(job(user="ann", name="run-3", partition="east"), 1e9)
    assert min(durations) - 1e-6 <= predicted <= max(durations) + 1e-6
