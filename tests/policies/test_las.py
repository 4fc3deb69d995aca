"""Least attained service, as tables."""

from __future__ import annotations

from tests.scenario import Nodes, check, cluster, finished, job, simulate

ONE_NODE = cluster(Nodes(1))


def test_equal_jobs_take_turns_also_if_they_come_together() -> None:
    check(
        """
        job  submit  gpus  time | start  end  stops
        a         0     8   300 |     0  500      1
        b         0     8   300 |   100  600      1
        """,
        ONE_NODE,
        "las:period_s=100",
    )


def test_who_has_had_nothing_comes_first() -> None:
    check(
        """
        job  submit  gpus  time | start  end  stops
        old       0     8   200 |     0  270      1
        new      50     8    70 |    50  120      0
        """,
        ONE_NODE,
        "las:period_s=100",
    )


def test_service_is_counted_in_gpu_seconds() -> None:
    check(
        """
        job     submit  gpus  time | start  end  stops
        wide         0     8   100 |     0  180      1
        narrow      50     1    80 |    50  130      0
        """,
        ONE_NODE,
        "las:period_s=20",
    )


def test_a_job_that_must_not_be_stopped_stays() -> None:
    check(
        """
        job    submit  gpus  time  preemptible | start  end  stops
        fixed       0     8   300  no          |     0  300      0
        new        10     8    50  yes         |   300  350      0
        """,
        ONE_NODE,
        "las:period_s=100",
    )


def test_partitions_take_turns_by_themselves() -> None:
    check(
        """
        job  submit  gpus  time  partition | start  end  stops
        e1        0     4   200  east      |     0  400      1
        e2        0     4   200  east      |   100  300      0
        w         0     4   200  west      |     0  200      0
        """,
        cluster(Nodes(1, gpus=4, partition="east"), Nodes(1, gpus=4, partition="west")),
        "las:period_s=100",
    )


def test_a_job_that_can_never_start_again_does_not_keep_the_run_alive() -> None:
    sim = simulate([job("a", gpus=8), job("b", gpus=8, submit_s=500.0)], ONE_NODE, "las:period_s=10")
    outcome = finished(sim)
    assert outcome.jobs.end_s == [100.0, 600.0]
    assert sim.executor.refusals == []
