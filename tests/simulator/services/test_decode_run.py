"""A run of decoding: when its iterations begin, and what parts of it cost."""

from __future__ import annotations

import pytest

from goodwatt.power.serving.iteration_law import Cost
from goodwatt.simulator.services.board import Setting
from goodwatt.simulator.services.decode_run import DecodeRun, begun_before


@pytest.mark.parametrize(
    ("span_s", "more_s", "begun"),
    [
        (1e-9, 0.0, 1),
        (1.0, 0.0, 1),  # the next begins at the very end
        (1.01, 0.0, 2),
        (9.5, 0.0, 10),
        (1.01, 0.5, 2),  # they begin at 0, 1, 2.5, 4.5, 7
        (2.49, 0.5, 2),
        (2.51, 0.5, 3),
        (6.99, 0.5, 4),
        (7.01, 0.5, 5),
    ],
)
def test_begun_before(span_s: float, more_s: float, begun: int) -> None:
    assert begun_before(span_s, 1.0, more_s) == begun


def test_parts_of_a_run_add_up() -> None:
    """Five iterations of 1, 1.5, 2, 2.5 and 3 seconds."""
    first, mean = Cost(1.0, 1.0, 0.0, 10.0, 0.0), Cost(2.0, 1.0, 0.0, 30.0, 0.0)
    run = DecodeRun(100.0, 7, 5, first, mean, 0, 1.0, Setting(0, 1.0, 1.0))
    assert (run.last_s, run.end_s) == (107.0, 110.0)
    assert [run.cost(n, n + 1).wall_s for n in range(5)] == pytest.approx([1.0, 1.5, 2.0, 2.5, 3.0])
    assert 2 * run.cost(0, 2).sm_s + 3 * run.cost(2, 5).sm_s == pytest.approx(5 * 30.0)
    assert [run.begun_before(time_s) for time_s in (100.5, 102.4, 102.6, 107.1, 109.0, 1e9)] == [1, 2, 3, 5, 5, 5]


def test_a_run_of_one() -> None:
    cost = Cost(2.0, 1.0, 0.0, 30.0, 0.0)
    run = DecodeRun(0.0, 0, 1, cost, cost, 0, 1.0, Setting(0, 1.0, 1.0))
    assert (run.begun_before(1.0), run.begun_before(5.0), run.cost(0, 1)) == (1, 1, cost)
