"""Shortest remaining time first, as tables."""

from __future__ import annotations

from goodwatt.cluster.cluster import Quotas
from goodwatt.policies.registry import make_policy
from tests.scenario import Nodes, check, cluster, engine

ONE_NODE = cluster(Nodes(1))


def test_a_shorter_job_stops_a_longer_one() -> None:
    check(
        """
        job    submit  gpus  time | start  end  stops
        long        0     8   100 |     0  110      1
        short      30     8    10 |    30   40      0
        """,
        ONE_NODE,
        "srtf",
    )


def test_what_remains_counts_and_not_the_whole() -> None:
    check(
        """
        job     submit  gpus  time | start  end  stops
        long         0     8   100 |     0  100      0
        shorter     60     8    50 |   100  150      0
        """,
        ONE_NODE,
        "srtf",
    )


def test_among_equals_who_runs_stays() -> None:
    check(
        """
        job   submit  gpus  time | start  end  stops
        a          0     8   100 |     0  100      0
        b         50     8    50 |   100  150      0
        """,
        ONE_NODE,
        "srtf",
    )


def test_the_overhead_of_a_restart_is_paid_by_the_stopped_job() -> None:
    check(
        """
        job    submit  gpus  time | start  end  stops
        long        0     8   100 |     0  125      1
        short      30     8    10 |    30   40      0
        """,
        ONE_NODE,
        "srtf",
        engine(restart_overhead_s=15),
    )


def test_a_job_that_must_not_be_stopped_stays() -> None:
    check(
        """
        job    submit  gpus  time  preemptible | start  end  stops
        long        0     8   100  no          |     0  100      0
        short      30     8    10  yes         |   100  110      0
        """,
        ONE_NODE,
        "srtf",
    )


def test_nobody_is_stopped_for_gpus_that_another_keeps() -> None:
    check(
        """
        job    submit  gpus  time  preemptible | start   end  stops
        fixed       0     4  1000  no          |     0  1000      0
        long        0     4   500  yes         |     0   500      0
        wide        1     8    10  yes         |  1000  1010      0
        """,
        ONE_NODE,
        "srtf",
    )


def test_the_shortest_go_past_one_that_is_too_wide() -> None:
    check(
        """
        job     submit  gpus  time  preemptible | start  end
        fixed        0     6   100  no          |     0  100
        wide         1     4    10  yes         |   100  110
        narrow       2     2    50  yes         |     2   52
        """,
        ONE_NODE,
        "srtf",
    )


def test_a_users_shorter_job_takes_the_place_of_the_longer_one_within_the_quota() -> None:
    check(
        """
        job    submit  gpus  time  user | start  end  stops
        ann1        0     4   100  ann  |     0  110      1
        ann2       30     4    10  ann  |    30   40      0
        bob1       31     4   100  bob  |    31  131      0
        """,
        cluster(Nodes(1), quotas=Quotas(users={"*": 4.0})),
        "srtf",
    )


def test_shares_that_add_up_to_a_gpu_all_run() -> None:
    check(
        """
        job  submit  gpus  milli  time | start  end  stops
        a         0     1    400   100 |     0  100      0
        b         1     1    500   100 |     1  101      0
        c         2     1    100   200 |     2  202      0
        """,
        cluster(Nodes(1, gpus=1)),
        "srtf",
    )


def test_partitions_do_not_stop_each_other() -> None:
    check(
        """
        job  submit  gpus  time  partition | start  end  stops
        e         0     4   100  east      |     0  100      0
        w1        0     4   100  west      |     0  110      1
        w2        1     4    10  west      |     1   11      0
        """,
        cluster(Nodes(1, gpus=4, partition="east"), Nodes(1, gpus=4, partition="west")),
        "srtf",
    )


def test_it_is_marked_as_an_oracle_that_stops_jobs() -> None:
    assert make_policy("srtf").oracle
    assert make_policy("srtf").preemptive
