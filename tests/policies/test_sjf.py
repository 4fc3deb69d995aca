"""Shortest job first, as tables."""

from __future__ import annotations

from goodwatt.policies.registry import make_policy
from goodwatt.simulator.settings.engine import Outage
from tests.scenario import Nodes, check, cluster, engine

ONE_NODE = cluster(Nodes(1))


def test_the_shortest_waiting_job_is_next_and_nobody_is_stopped() -> None:
    check(
        """
        job     submit  gpus  time | start  end  stops
        long         0     8   100 |     0  100      0
        middle       1     8    50 |   110  160      0
        short        2     8    10 |   100  110      0
        """,
        ONE_NODE,
        "sjf",
    )


def test_jobs_of_equal_length_start_in_the_order_of_submission() -> None:
    check(
        """
        job     submit  gpus  time | start  end
        a            0     8    10 |     0   10
        b            1     8    10 |    10   20
        c            2     8    10 |    20   30
        """,
        ONE_NODE,
        "sjf",
    )


def test_a_job_thrown_out_by_an_outage_counts_with_what_is_left_of_it() -> None:
    check(
        """
        job    submit  gpus  time | start  end  stops
        long        0     8   100 |     0  110      1
        short       1     8    60 |   110  170      0
        """,
        ONE_NODE,
        "sjf",
        engine(outages=(Outage("n0", 50, 60),)),
    )


def test_it_is_marked_as_an_oracle() -> None:
    assert make_policy("sjf").oracle
    assert make_policy("sjf+best-fit").oracle
    assert not make_policy("best-fit").oracle
