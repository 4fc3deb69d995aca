"""Pools that are not alone: jobs without a partition run on the nodes of all, users have jobs in several."""

from __future__ import annotations

import pytest

from goodwatt.cluster.cluster import Quotas
from tests.scenario import Nodes, check, cluster

EAST_AND_WEST = cluster(Nodes(1, partition="east"), Nodes(1, partition="west"))
EIGHT_A_USER = cluster(Nodes(1, partition="east"), Nodes(1, partition="west"), quotas=Quotas(users={"*": 8}))


@pytest.mark.parametrize("policy", ["fifo", "sjf", "qssf", "easy-backfill", "conservative-backfill"])
def test_a_user_at_the_quota_in_one_partition_holds_up_nobody_in_another(policy: str) -> None:
    simulation = check(
        """
        job     submit  gpus  time  partition  user | start  end
        first        0     8   100       east   ann |     0  100
        second       0     8   200       west   ann |   150  350
        others       0     8   150       west   bob |     0  150
        """,
        EIGHT_A_USER,
        policy,
    )
    assert simulation.executor.refusals == []


def test_backfill_delays_no_head_for_whose_nodes_a_job_without_partition_has_to_leave() -> None:
    check(
        """
        job    submit  gpus  time  partition  requested | start  end
        guest       0     6   100          -        100 |     0  100
        head        1     8    10       east         10 |   100  110
        late        2     2    50       east        150 |   110  160
        """,
        cluster(Nodes(1, partition="east")),
        "easy-backfill",
    )


@pytest.mark.parametrize("policy", ["srtf", "las", "tiresias:threshold_gpu_s=100"])
def test_nobody_is_stopped_for_gpus_that_a_job_without_partition_keeps(policy: str) -> None:
    simulation = check(
        """
        job    submit  gpus  time  partition | start
        guest       0     6  9000          - |     0
        mine        0     2  1000       east |     0
        wide       10     4   100       east |  9000
        """,
        cluster(Nodes(1, partition="east")),
        policy,
    )
    assert simulation.recorder.preemptions[1] == 0
