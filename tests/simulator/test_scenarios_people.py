"""Tables of jobs of several people: partitions and quotas."""

from __future__ import annotations

import pytest

from goodwatt.cluster.cluster import Quotas
from tests.scenario import Nodes, cluster
from tests.simulator.scenario_tables import TWO_PARTITIONS, Scenario, holds, why

SHARED_BY_PEOPLE = [
    Scenario(
        "jobs run on their partition's nodes, and a full partition does not hold up the other",
        TWO_PARTITIONS,
        """
        job    submit  gpus  partition  time | start  end  nodes
        east1       0     4  east        100 |     0  100     n0
        east2       1     4  east        100 |   100  200     n0
        west1       2     4  west         50 |     2   52     n1
        west2       3     1  west         50 |    52  102     n1
        """,
    ),
    Scenario(
        "a job that fits no node of its partition is refused",
        TWO_PARTITIONS,
        """
        job    submit  gpus  partition  time | start  end    state
        wide        0     8  east        100 |     -    -  refused
        lost        0     1  north       100 |     -    -  refused
        """,
    ),
    Scenario(
        "a job without a partition takes nodes of any, and starts when a partition's job makes room",
        TWO_PARTITIONS,
        """
        job    submit  gpus  partition  time | start  end  nodes
        east        0     4  east        100 |     0  100     n0
        west        0     4  west         50 |     0   50     n1
        free        1     4  -            50 |    50  100     n1
        """,
    ),
    Scenario(
        "a job of a partition starts when a job without one makes room",
        TWO_PARTITIONS,
        """
        job    submit  gpus  partition  time | start  end  nodes
        free        0     8  -            50 |     0   50  n0+n1
        east        1     4  east        100 |    50  150     n0
        """,
    ),
    Scenario(
        "jobs with and without a partition that arrive together share the nodes",
        TWO_PARTITIONS,
        """
        job    submit  gpus  partition  time | start  end  nodes
        east        0     4  east        100 |     0  100     n0
        free        0     4  -           100 |     0  100     n1
        """,
    ),
    Scenario(
        "a user's quota holds back that user and nobody else",
        cluster(Nodes(1), quotas=Quotas(users={"ann": 2})),
        """
        job    submit  gpus  user  time | start  end
        ann1        0     2  ann    100 |     0  100
        ann2        1     1  ann    100 |   100  200
        bob         2     6  bob     50 |     2   52
        """,
    ),
    Scenario(
        "a quota for everybody not named, and none for jobs without a user",
        cluster(Nodes(1), quotas=Quotas(users={"*": 2, "ann": 4})),
        """
        job    submit  gpus  user  time | start  end
        ann         0     4  ann    100 |     0  100
        bob1        0     2  bob    100 |     0  100
        bob2        0     1  bob    100 |   100  200
        none        0     2  -      100 |     0  100
        """,
    ),
    Scenario(
        "a partition's quota",
        cluster(Nodes(1, partition="east"), Nodes(1, partition="west"), quotas=Quotas(partitions={"east": 3})),
        """
        job    submit  gpus  partition  time | start  end
        east1       0     3  east        100 |     0  100
        east2       0     1  east        100 |   100  200
        west        0     8  west        100 |     0  100
        """,
    ),
    Scenario(
        "a user's quota that frees in one partition lets a job start in another",
        cluster(Nodes(1, partition="east"), Nodes(1, partition="west"), quotas=Quotas(users={"ann": 2})),
        """
        job    submit  gpus  partition  user  time | start  end
        east        0     2  east       ann    100 |     0  100
        west        1     2  west       ann    100 |   100  200
        """,
    ),
    Scenario(
        "a quota counts shares exactly",
        cluster(Nodes(1), quotas=Quotas(users={"ann": 0.3})),
        """
        job    submit  gpus  milli  user  time | start  end
        a           0     1    100  ann    100 |     0  100
        b           0     1    200  ann    100 |     0  100
        c           0     1      1  ann    100 |   100  200
        """,
    ),
]


@pytest.mark.parametrize("scenario", SHARED_BY_PEOPLE, ids=why)
def test_who_may_use_what(scenario: Scenario) -> None:
    holds(scenario)
