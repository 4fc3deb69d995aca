"""Work in several processes: all of it is done, errors arrive, a worker that is gone is named."""

from __future__ import annotations

import os
import signal

import pytest

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


def test_what_the_work_raises_arrives() -> None:
    with pytest.raises(InputError, match="below 0"):
        dict(side_by_side(double, (1, -1), 1))


def test_a_worker_that_is_ended_from_outside_is_said() -> None:
    with pytest.raises(RunError, match="a worker was ended from outside"):
        dict(side_by_side(end, (1,), 1))
