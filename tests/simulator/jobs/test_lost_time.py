"""Where the time of jobs went: parts that sum to the wall time, shared fairly among causes."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.simulator.jobs.lost_time import (
    LOST,
    PARTS,
    LostTime,
    Slowdowns,
    cluster_parts,
    ettr_of,
)

SPAN = st.floats(0.0, 1e6)
FACTOR = st.floats(0.5, 20.0)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("queued"), SPAN),
        st.tuples(st.just("restarted"), SPAN),
        st.tuples(st.just("ran"), SPAN, st.builds(Slowdowns, FACTOR, FACTOR, FACTOR, FACTOR, FACTOR)),
        st.tuples(st.just("redo"), SPAN),
    ),
    max_size=30,
)


def cluster_ettr(jobs: list[tuple[float, LostTime]]) -> float | None:
    return ettr_of(cluster_parts(jobs))


def after(*steps: tuple[object, ...]) -> LostTime:
    lost = LostTime()
    for name, *arguments in steps:
        getattr(lost, str(name))(*arguments)
    return lost


def some(lost: LostTime) -> dict[str, float]:
    return {name: seconds for name, seconds in lost.parts.items() if seconds != 0.0}


def test_a_job_with_all_that_can_happen() -> None:
    lost = after(
        ("queued", 100.0),
        ("ran", 1_000.0),
        ("redo", 300.0),
        ("queued", 50.0),
        ("restarted", 40.0),
        ("ran", 500.0, Slowdowns(slow_clock=1.25)),
        ("ran", 220.0, Slowdowns(checkpoint=1.1)),
    )
    assert lost.parts == {
        "queue": 150.0,
        "restart": 40.0,
        "redone": 300.0,
        "checkpoint": pytest.approx(20.0),
        "slow_clock": pytest.approx(100.0),
        "interference": 0.0,
        "communication": 0.0,
        "straggler": 0.0,
        "productive": pytest.approx(1_000.0 - 300.0 + 400.0 + 200.0),
    }
    assert lost.wall_s == 1_910.0
    assert cluster_ettr([(1.0, lost)]) == pytest.approx(1.0 - (150.0 + 40.0 + 300.0 + 20.0) / 1_910.0)


def test_two_equal_slowdowns_share_what_both_take() -> None:
    lost = after(("ran", 400.0, Slowdowns(interference=2.0, communication=2.0)))
    assert some(lost) == {"interference": pytest.approx(150.0), "communication": pytest.approx(150.0),
                          "productive": pytest.approx(100.0)}  # fmt: skip


def test_greater_slowdowns_take_more() -> None:
    parts = after(("ran", 800.0, Slowdowns(slow_clock=2.0, straggler=4.0))).parts
    assert parts["straggler"] == pytest.approx(2 * parts["slow_clock"])
    assert parts["productive"] == pytest.approx(100.0)


def test_a_gain_makes_the_others_count_for_less() -> None:
    lost = after(("ran", 300.0, Slowdowns(slow_clock=2.0, communication=0.75)))
    assert some(lost) == {"slow_clock": pytest.approx(100.0), "productive": pytest.approx(200.0)}
    assert some(after(("ran", 300.0, Slowdowns(slow_clock=1.2, communication=0.5)))) == {"productive": 300.0}


def test_running_at_full_speed_is_productive() -> None:
    assert some(after(("ran", 300.0), ("ran", 300.0, Slowdowns()))) == {"productive": 600.0}


def test_no_more_is_redone_than_was_productive() -> None:
    lost = after(("ran", 100.0), ("redo", 500.0))
    assert some(lost) == {"redone": 100.0}
    assert lost.productive_s == 0.0


@given(STEPS)
def test_parts_sum_to_the_wall_time(steps: list[tuple[object, ...]]) -> None:
    lost = after(*steps)
    walls = [step[1] for step in steps if step[0] != "redo"]
    assert math.isclose(math.fsum(lost.parts.values()), math.fsum(walls), rel_tol=1e-12, abs_tol=1e-9)  # type: ignore[arg-type]
    assert list(lost.parts) == list(PARTS)
    assert all(seconds >= -1e-6 for seconds in lost.parts.values())
    if lost.wall_s > 0.0:
        ratio = cluster_ettr([(1.0, lost)])
        assert ratio is not None
        assert -1e-9 <= lost.productive_s / lost.wall_s <= ratio + 1e-9 <= 1.0 + 2e-9


@given(SPAN, st.permutations(range(5)), st.builds(Slowdowns, FACTOR, FACTOR, FACTOR, FACTOR, FACTOR))
def test_causes_share_whatever_their_order(seconds: float, order: list[int], slowdowns: Slowdowns) -> None:
    here = after(("ran", seconds, slowdowns)).parts
    there = after(("ran", seconds, Slowdowns(*(slowdowns[i] for i in order)))).parts
    names = LOST[3:]
    assert math.isclose(here["productive"], there["productive"], rel_tol=1e-9, abs_tol=1e-6)
    for to, i in enumerate(order):
        assert math.isclose(there[names[to]], here[names[i]], rel_tol=1e-9, abs_tol=1e-6)


@given(st.floats(1.0, 1e5), st.floats(1.0, 10.0), st.integers(1, 50))
def test_it_does_not_matter_how_often_it_is_settled(seconds: float, factor: float, pieces: int) -> None:
    slow = Slowdowns(slow_clock=factor, straggler=1.5)
    whole = after(("ran", seconds, slow)).parts
    split = after(*[("ran", seconds / pieces, slow)] * pieces).parts
    assert all(math.isclose(split[name], whole[name], rel_tol=1e-9, abs_tol=1e-7) for name in PARTS)


def test_copies_and_plain_content() -> None:
    lost = after(("queued", 0.1), ("ran", 1 / 3, Slowdowns(straggler=1.1)))
    twin, back = lost.copy(), LostTime.from_plain(json.loads(json.dumps(lost.to_plain())))
    lost.queued(5.0)
    assert twin.parts == back.parts != lost.parts
    with pytest.raises(ValueError, match="3 parts of lost time instead of 8"):
        LostTime.from_plain([1.0, 2.0, 3.0, 4.0])
    with pytest.raises(ValueError, match="not enough values"):
        LostTime.from_plain([])


def test_the_ratio_of_a_cluster_weighs_by_gpus() -> None:
    small, large = after(("queued", 50.0), ("ran", 50.0)), after(("ran", 90.0), ("restarted", 10.0))
    assert (cluster_ettr([(1.0, small)]), cluster_ettr([(1.0, large)])) == (0.5, 0.9)
    assert cluster_ettr([(1.0, small), (7.0, large)]) == pytest.approx((0.5 + 7 * 0.9) / 8)
    assert cluster_parts([(1.0, small), (7.0, large)])["productive"] == 50.0 + 7 * 90.0


def test_no_time_has_no_ratio() -> None:
    assert cluster_ettr([(1.0, LostTime())]) is None
    assert cluster_ettr([]) is None
    assert cluster_ettr([(0.0, after(("ran", 5.0)))]) is None


def test_time_on_more_gpus_than_asked_for_weighs_by_those_held() -> None:
    lost = LostTime()
    lost.queued(100.0)
    lost.restarted(10.0, more=4.0)
    lost.ran(100.0, more=4.0)
    lost.ran(100.0, Slowdowns(communication=2.0), more=-3.0)
    lost.redo(15.0)
    assert lost.productive_s == 135.0
    parts = dict(zip(PARTS, lost.gpu_s(4.0), strict=True))
    assert parts["queue"] == 4 * 100.0
    assert parts["restart"] == 8 * 10.0
    assert parts["communication"] == pytest.approx(1 * 50.0)
    assert parts["productive"] + parts["redone"] == pytest.approx(8 * 100.0 + 1 * 50.0)
    assert parts["redone"] == pytest.approx((8 * 100.0 + 1 * 50.0) / 10)
    assert math.fsum(parts.values()) == pytest.approx(400.0 + 80.0 + 800.0 + 100.0)
    assert lost.parts == LostTime.from_plain(lost.to_plain()).parts
    back = LostTime.from_plain(lost.to_plain(), lost.more_gpu_s)
    assert (back, back.gpu_s(4.0)) == (lost, lost.gpu_s(4.0))
    assert lost != LostTime.from_plain(lost.to_plain())
