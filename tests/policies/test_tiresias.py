"""Tiresias: two queues by service, as tables."""

from __future__ import annotations

import math

import pytest

from goodwatt.cluster.cluster import Quotas
from tests.scenario import Nodes, check, cluster, engine, fates, finished, job, simulate

ONE_NODE = cluster(Nodes(1))
EVERY_10_S = engine(decision_interval_s=10)


def test_a_job_past_the_threshold_gives_way() -> None:
    check(
        """
        job    submit  gpus  time | start  end  stops
        old         0     8   300 |     0  350      1
        new        10     8    50 |   110  160      0
        """,
        ONE_NODE,
        "tiresias:threshold_gpu_s=800",
        EVERY_10_S,
    )


def test_so_does_one_that_came_in_the_same_second_as_its_rival() -> None:
    check(
        """
        job    submit  gpus  time | start  end  stops
        first       0     8   300 |     0  350      1
        other       0     8    50 |   110  160      0
        """,
        ONE_NODE,
        "tiresias:threshold_gpu_s=800",
        EVERY_10_S,
    )


def test_exactly_the_threshold_is_not_past_it() -> None:
    check(
        """
        job    submit  gpus  time | start  end  stops
        old         0     8   100 |     0  100      0
        new        10     8    50 |   100  150      0
        """,
        ONE_NODE,
        "tiresias:threshold_gpu_s=800",
    )


def test_demotion_comes_in_the_moment_after_the_threshold_where_decisions_are_not_timed() -> None:
    jobs = [job("old", gpus=8, duration_s=300), job("new", gpus=8, submit_s=10, duration_s=50)]
    fate = fates(finished(simulate(jobs, ONE_NODE, "tiresias:threshold_gpu_s=800")))
    assert fate["new"]["start"] == math.nextafter(100, math.inf)
    assert fate["old"]["stops"] == 1


def test_below_the_threshold_it_is_first_in_first_out() -> None:
    check(
        """
        job  submit  gpus  time | start  end  stops
        a         0     8   100 |     0  100      0
        b         1     8    10 |   100  110      0
        c         2     8     1 |   110  111      0
        """,
        ONE_NODE,
        "tiresias",
    )


def test_past_it_too() -> None:
    check(
        """
        job  submit  gpus  time | start  end  stops
        a         0     8   300 |     0  410      1
        b         1     8   300 |   110  600      1
        """,
        ONE_NODE,
        "tiresias:threshold_gpu_s=800",
        EVERY_10_S,
    )


def test_wide_jobs_reach_the_threshold_sooner() -> None:
    check(
        """
        job     submit  gpus  time | start  end  stops
        narrow       0     1   200 |     0  200      0
        wide         0     7   200 |     0  210      1
        new         10     7    10 |    60   70      0
        """,
        ONE_NODE,
        "tiresias:threshold_gpu_s=350",
        EVERY_10_S,
    )


def test_a_job_that_must_not_be_stopped_stays_and_the_one_behind_the_threshold_goes() -> None:
    check(
        """
        job    submit  gpus  time  preemptible | start  end  stops
        fixed       0     4   300  no          |     0  300      0
        old         0     4   300  yes         |     0  350      1
        new        10     4    50  yes         |   210  260      0
        """,
        ONE_NODE,
        "tiresias:threshold_gpu_s=800",
        EVERY_10_S,
    )


def test_quotas_hold_and_who_is_held_lets_others_pass() -> None:
    check(
        """
        job    submit  gpus  time  user | start  end  stops
        ann1        0     4   100  ann  |     0  100      0
        ann2        1     4   100  ann  |   100  200      0
        bob1        2     4   100  bob  |     2  102      0
        """,
        cluster(Nodes(1), quotas=Quotas(users={"ann": 4.0})),
        "tiresias",
    )


@pytest.mark.parametrize("policy", ["tiresias", "srtf", "las", "easy-backfill:estimate=true", "conservative-backfill"])
def test_a_users_quota_counts_over_partitions_in_one_decision(policy: str) -> None:
    on = cluster(Nodes(1, partition="east"), Nodes(1, partition="west"), quotas=Quotas(users={"ann": 8.0}))
    jobs = [
        job("e", gpus=8, partition="east", user="ann", duration_s=10),
        job("w", gpus=8, partition="west", user="ann", duration_s=20),
    ]
    sim = simulate(jobs, on, policy)
    assert finished(sim).jobs.start_s == [0.0, 10.0]
    assert sim.executor.refusals == []
