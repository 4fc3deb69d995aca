"""Nodes that go away and come back."""

from __future__ import annotations

from typing import Any

import pytest

from goodwatt.errors import InputError
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.engine import Outage
from tests.scenario import (
    Nodes,
    check,
    cluster,
    engine,
    fates,
    finished,
    job,
    simulate,
)

ONE_NODE = cluster(Nodes(1))
TWO_NODES = cluster(Nodes(2))


def away(*windows: tuple[str, float, float], **settings: Any) -> Any:
    return engine(outages=tuple(Outage(*window) for window in windows), **settings)


def test_jobs_of_a_node_that_goes_away_go_on_elsewhere() -> None:
    check(
        """
        job  submit  gpus  time | start  end  stops  lost  nodes
        a         0     8   100 |     0  140      1     0     n1
        b        60     8    50 |   120  170      0     0     n0
        """,
        TWO_NODES,
        settings=away(("n0", 50, 120), restart_overhead_s=40),
    )


def test_a_node_that_is_away_is_not_used_and_is_used_again_when_it_is_back() -> None:
    check(
        """
        job  submit  gpus  time | start  end  nodes
        a        60     8   100 |    60  160     n1
        b        70     8   100 |   120  220     n0
        c        70     8   100 |   160  260     n1
        """,
        TWO_NODES,
        settings=away(("n0", 50, 120)),
    )


def test_a_gang_stops_when_one_of_its_nodes_goes_away() -> None:
    check(
        """
        job  submit  gpus  time | start  end  stops  lost
        a         0    16   100 |     0  190      1   320
        """,
        TWO_NODES,
        settings=away(("n1", 50, 120), checkpoint_interval_s=30),
    )


def test_maintenance_stops_even_what_must_not_be_stopped_and_what_uses_no_gpu() -> None:
    check(
        """
        job    submit  gpus  cpu  time  preemptible | start  end  stops
        keep        0     1    1   100           no |     0  120      1
        batch       0     0    1   100          yes |     0  120      1
        """,
        cluster(Nodes(1, cpu_milli=1000)),
        settings=away(("n0", 50, 70)),
    )


def test_who_ranks_first_runs_on_the_nodes_that_are_left() -> None:
    check(
        """
        job  submit  gpus   time | start    end  stops
        old       0     8  10000 |     0  10100      1
        new    6000     8    100 |  6000   6100      0
        """,
        TWO_NODES,
        "tiresias",
        away(("n1", 10, 50_000)),
    )


WINDOWS: list[tuple[str, list[tuple[str, float, float]], float]] = [
    ("one", [("n0", 10, 20)], 20),
    ("two that overlap", [("n0", 10, 20), ("n0", 15, 30)], 30),
    ("one inside another", [("n0", 10, 40), ("n0", 15, 20)], 40),
    ("two that touch", [("n0", 10, 20), ("n0", 20, 30)], 30),
    ("two alike", [("n0", 10, 20), ("n0", 10, 20)], 20),
    ("one that began before the run", [("n0", -100, 20)], 21),
    ("one that was over before the run", [("n0", -100, -50), ("n0", 10, 20)], 20),
    ("two apart", [("n0", 10, 20), ("n0", 30, 40)], 20),
]


@pytest.mark.parametrize(("why", "windows", "back_s"), WINDOWS, ids=[row[0] for row in WINDOWS])
def test_windows_of_one_node(why: str, windows: list[tuple[str, float, float]], back_s: float) -> None:
    jobs = [job("before", submit_s=0, duration_s=1), job("during", submit_s=12, gpus=8, duration_s=1)]
    simulation = simulate(jobs, ONE_NODE, settings=away(*windows))
    times = []
    while (view := simulation.advance()) is not None:
        times.append(view.now_s)
        simulation.apply(simulation.policy.decide(view))
    assert fates(result(simulation))["during"]["start"] == back_s, why
    assert times == sorted(times)
    assert times[0] == 0


def test_a_window_of_an_unknown_node_is_wrong_input() -> None:
    with pytest.raises(InputError, match="unknown node 'n9'"):
        simulate([job()], ONE_NODE, settings=away(("n9", 0, 1)))


def test_a_node_that_is_away_draws_no_power() -> None:
    outcome = finished(simulate([job(duration_s=100, gpus=8, submit_s=0)], TWO_NODES, settings=away(("n1", 40, 60))))
    rows = dict(zip(outcome.timeline.t_s, outcome.timeline.power_w, strict=True))
    assert rows == {0.0: 8 * 250 + 8 * 50, 40.0: 8 * 250, 60.0: 8 * 250 + 8 * 50, 100.0: 16 * 50}
