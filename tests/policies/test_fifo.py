"""Strict FIFO, as tables."""

from __future__ import annotations

from goodwatt.cluster.cluster import Quotas
from tests.scenario import Nodes, check, cluster

ONE_NODE = cluster(Nodes(1))


def test_the_head_holds_up_all_behind_it() -> None:
    check(
        """
        job    submit  gpus  time | start  end
        a           0     5   100 |     0  100
        wide        1     4    50 |   100  150
        small       2     1    10 |   100  110
        """,
        ONE_NODE,
    )


def test_partitions_are_queues_of_their_own() -> None:
    check(
        """
        job    submit  gpus  time  partition | start  end  nodes
        e1          0     4   100  east      |     0  100     n0
        e2          1     4   100  east      |   100  200     n0
        e3          2     1    10  east      |   200  210     n0
        w1          3     1    10  west      |     3   13     n1
        """,
        cluster(Nodes(1, gpus=4, partition="east"), Nodes(1, gpus=4, partition="west")),
    )


def test_who_waits_for_a_quota_lets_others_pass() -> None:
    check(
        """
        job    submit  gpus  time  user | start  end
        ann1        0     2   100  ann  |     0  100
        ann2        1     1   100  ann  |   100  200
        bob1        2     6    50  bob  |     2   52
        bob2        3     1    50  bob  |    52  102
        """,
        cluster(Nodes(1), quotas=Quotas(users={"ann": 2.0})),
    )


def test_a_gang_waits_for_whole_nodes_and_holds_up_the_rest() -> None:
    check(
        """
        job    submit  gpus  time | start  end  nodes
        one         0     1   100 |     0  100     n0
        gang        1    16    20 |   100  120  n0+n1
        two         2     1    10 |   120  130     n0
        """,
        cluster(Nodes(2)),
    )
