"""Work in several processes: all of it is done, errors arrive, a worker that is gone is named."""

from __future__ import annotations

import gc
import os
import signal

import pytest

from goodwatt.cycle_search import search_rarely
from goodwatt.errors import InputError, RunError
from goodwatt.policies.side_by_side import side_by_side


def double(number: int) -> int:
    if number < 0:
        raise InputError("below 0")
    return 2 * number


def end(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_every_case_comes_with_what_was_found() -> None:
    assert dict(side_by_side(double, (1, 2, 3), 2)) == {1: 2, 2: 4, 3: 6}


def thresholds(_: int) -> tuple[int, int, int]:
    return gc.get_threshold()


def test_workers_look_for_cycles_as_rarely_as_the_command() -> None:
    before = gc.get_threshold()
    try:
        search_rarely()
        assert dict(side_by_side(thresholds, (1,), 1)) == {1: gc.get_threshold()} != {1: before}
    finally:
        gc.set_threshold(*before)


_prepared: list[str] = []


def prepared(_: int) -> list[str]:
    return _prepared


def test_workers_are_prepared_with_what_the_work_needs() -> None:
    assert dict(side_by_side(prepared, (1,), 1, (prepare, "scenario"))) == {1: ["scenario"]}


def prepare(text: str) -> None:
    _prepared.append(text)


def test_what_the_work_raises_arrives() -> None:
    with pytest.raises(InputError, match="below 0"):
        dict(side_by_side(double, (1, -1), 1))


def test_a_worker_that_is_ended_from_outside_is_said() -> None:
    with pytest.raises(RunError, match="a worker was ended from outside"):
        dict(side_by_side(end, (1,), 1))
