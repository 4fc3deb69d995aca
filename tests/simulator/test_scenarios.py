"""Tables of jobs and what becomes of them: who starts when and where, and why others wait."""

from __future__ import annotations

import pytest

from tests.scenario import Nodes, check, cluster, engine, fates, finished, simulate, table
from tests.simulator.scenario_tables import ONE_NODE, TWO_NODES, Scenario, holds, why

QUEUES = [
    Scenario(
        "strict FIFO: a job that does not fit holds up all behind it",
        ONE_NODE,
        """
        job     submit  gpus  time | start  end
        first        0     6   100 |     0  100
        head         1     4    50 |   100  150
        small        2     1    10 |   100  110
        """,
    ),
    Scenario(
        "FIFO serves as many as fit, in order of submission",
        ONE_NODE,
        """
        job  submit  gpus  time | start  end  nodes
        a         0     2   100 |     0  100     n0
        b         0     2   100 |     0  100     n0
        c         0     4   100 |     0  100     n0
        d         0     1   100 |   100  200     n0
        """,
    ),
    Scenario(
        "shortest first; what runs already stays",
        ONE_NODE,
        """
        job     submit  gpus  time | start  end
        running      0     8   100 |     0  100
        long         1     8    50 |   140  190
        short        2     8    10 |   100  110
        middle       3     8    30 |   110  140
        """,
        "sjf",
    ),
    Scenario(
        "shortest first stops at the first job that does not fit, too",
        ONE_NODE,
        """
        job     submit  gpus  time | start  end
        running      0     6   100 |     0  100
        wide         1     4    10 |   100  110
        narrow       1     1    20 |   100  120
        """,
        "sjf",
    ),
    Scenario(
        "a shorter job that arrives overtakes the blocked head and starts at once",
        ONE_NODE,
        """
        job     submit  gpus  time | start  end
        running      0     6   100 |     0  100
        wide         1     4    50 |   100  150
        narrow       2     1    20 |     2   22
        """,
        "sjf",
    ),
    Scenario(
        "jobs submitted in one second start in the order of the trace",
        ONE_NODE,
        """
        job  submit  gpus  time | start  end
        a         5     8    10 |     5   15
        b         5     8    10 |    15   25
        c         5     8    10 |    25   35
        """,
    ),
    Scenario(
        "what ends makes room for what arrives in the same second",
        ONE_NODE,
        """
        job  submit  gpus  time | start  end
        a         0     8    10 |     0   10
        b        10     8    10 |    10   20
        """,
    ),
    Scenario(
        "a job that takes no time starts and ends at once, and the next one in the same second",
        ONE_NODE,
        """
        job  submit  gpus  time | start  end
        a         3     8     0 |     3    3
        b         3     8     0 |     3    3
        c         3     8     7 |     3   10
        """,
    ),
    Scenario(
        "time may begin below zero",
        ONE_NODE,
        """
        job  submit  gpus  time | start  end
        a       -90     8    50 |   -90  -40
        b       -60     8    50 |   -40   10
        """,
        engine=engine(decision_interval_s=10),
    ),
    Scenario(
        "a job that never fits is refused and blocks nobody",
        ONE_NODE,
        """
        job     submit  gpus  time | start  end     state
        huge         0     9    10 |     -    -   refused
        a            0     8    10 |     0   10  finished
        """,
    ),
    Scenario(
        "all jobs may be refused",
        ONE_NODE,
        """
        job     submit  gpus  time | start  end     state
        huge         0     9    10 |     -    -   refused
        huger        5    90    10 |     -    -   refused
        """,
    ),
]


@pytest.mark.parametrize("scenario", QUEUES, ids=why)
def test_who_runs_next(scenario: Scenario) -> None:
    holds(scenario)


def test_refused_jobs_say_why() -> None:
    simulation = check("job gpus | state\n huge 9 | refused", ONE_NODE)
    assert simulation.refused == {0: "it wants 9 GPUs at once and the nodes it may use have 8"}


def test_no_jobs() -> None:
    outcome = finished(simulate((), ONE_NODE))
    assert outcome.jobs.job_id == []
    assert outcome.summary["jobs"] == 0


@pytest.mark.parametrize("policy", ["fifo", "sjf", "tiresias"])
def test_a_trace_in_two_partitions_is_as_alone(policy: str) -> None:
    rows = "\n".join(f"job{i} {7 * i % 41} {1 + i * i % 11} {20 + 37 * i % 90}" for i in range(40))
    trace = "job submit gpus time\n" + rows
    jobs = sorted(table(trace).jobs, key=lambda job: job.submit_s)

    def in_partition(name: str) -> str:
        rows = "\n".join(f"{name}-{j.job_id} {j.submit_s} {j.num_gpus} {j.duration_s} {name}" for j in jobs)
        return "job submit gpus time partition\n" + rows

    alone = fates(finished(simulate(jobs, TWO_NODES, policy)))
    both = [job for pair in zip(*(table(in_partition(p)).jobs for p in ("east", "west")), strict=True) for job in pair]
    apart = cluster(Nodes(2, partition="east"), Nodes(2, partition="west"))
    together = fates(finished(simulate(both, apart, policy)))
    for job_id, fate in alone.items():
        for name, nodes in (("east", ("n0", "n1")), ("west", ("n2", "n3"))):
            moved = None if fate["nodes"] is None else "+".join(nodes[int(n[1:])] for n in fate["nodes"].split("+"))
            assert together[f"{name}-{job_id}"] == {**fate, "nodes": moved}
