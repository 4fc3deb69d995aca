"""Tables of jobs and what becomes of them: who starts when and where, and why others wait."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from goodwatt.cluster.cluster import Cluster, Quotas
from goodwatt.simulator.engine import Engine
from tests.scenario import EVERY_EVENT, Nodes, check, cluster, engine, fates, finished, simulate, table


@dataclass(frozen=True)
class Scenario:
    """A cluster, a policy, and a table."""

    why: str
    on: Cluster
    table: str
    policy: str = "fifo"
    engine: Engine = EVERY_EVENT


ONE_NODE = cluster(Nodes(1))
TWO_NODES = cluster(Nodes(2))
TWO_KINDS = cluster(Nodes(1, gpus=4, kind="small"), Nodes(1, gpus=4, kind="large"))
TWO_PARTITIONS = cluster(Nodes(1, gpus=4, partition="east"), Nodes(1, gpus=4, partition="west"))

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

GPUS = [
    Scenario(
        "best fit takes the node with the fewest free GPUs that suffice, the lowest among equals",
        cluster(Nodes(3)),
        """
        job  submit  gpus  time | start  nodes
        a         0     5   100 |     0     n0
        b         1     7   100 |     1     n1
        c         2     1   100 |     2     n1
        d         3     2   100 |     3     n0
        e         4     8   100 |     4     n2
        """,
    ),
    Scenario(
        "a gang takes whole nodes and starts everywhere at once or not at all",
        TWO_NODES,
        """
        job     submit  gpus  time | start  end  nodes
        small        0     1    30 |     0   30     n0
        gang         1    16    50 |    30   80  n0+n1
        behind       2     1    10 |    80   90     n0
        """,
    ),
    Scenario(
        "what a gang needs beyond whole nodes goes to the emptiest node left",
        cluster(Nodes(3)),
        """
        job     submit  gpus  time | start  end  nodes
        small        0     2    30 |     0   30     n0
        gang         1    12    50 |     1   51  n1+n2
        """,
    ),
    Scenario(
        "shares of a GPU are added up, and a whole GPU is never shared",
        cluster(Nodes(1, gpus=2)),
        """
        job    submit  gpus  milli  time | start  end
        third       0     1    300   100 |     0  100
        half        1     1    500   100 |     1  101
        more        2     1    300    50 |     2   52
        whole       3     1      -    10 |    52   62
        """,
    ),
    Scenario(
        "a share that goes to a started GPU leaves the free one to the job behind it",
        cluster(Nodes(1, gpus=2)),
        """
        job    submit  gpus  milli  time | start  end
        half        0     1    500   100 |     0  100
        other       0     1    500   100 |     0  100
        whole       0     1      -   100 |     0  100
        """,
    ),
    Scenario(
        "CPU runs out before GPUs do",
        cluster(Nodes(1, cpu_milli=10_000)),
        """
        job  submit  gpus    cpu  time | start  end
        a         0     1   6000   100 |     0  100
        b         0     1   6000    10 |   100  110
        """,
    ),
    Scenario(
        "memory runs out before GPUs do, and another node has it",
        cluster(Nodes(1, memory_mib=100), Nodes(1, memory_mib=50)),
        """
        job  submit  gpus  memory  time | start  end  nodes
        a         0     1      80   100 |     0  100     n0
        b         0     1      50   100 |     0  100     n1
        c         0     1      21    10 |   100  110     n0
        """,
    ),
    Scenario(
        "a gang's CPU is spread over its nodes",
        cluster(Nodes(2, cpu_milli=8_000)),
        """
        job   submit  gpus    cpu  time | start  end
        gang       0    16  16000   100 |     0  100
        """,
    ),
    Scenario(
        "jobs without GPUs run beside full ones, as far as CPU goes",
        cluster(Nodes(1, cpu_milli=10_000)),
        """
        job    submit  gpus    cpu  time | start  end
        full        0     8   1000   100 |     0  100
        batch       1     0   9000    50 |     1   51
        later       2     0   1000    10 |    51   61
        """,
    ),
    Scenario(
        "each kind of GPU has its own jobs; a list means any of them",
        TWO_KINDS,
        """
        job     submit  gpus  kind         time | start  end  nodes
        large        0     4  large         100 |     0  100     n1
        small        0     3  small         100 |     0  100     n0
        any          0     1  large|small   100 |     0  100     n0
        """,
    ),
    Scenario(
        "a job that waits for its kind holds up the queue",
        TWO_KINDS,
        """
        job     submit  gpus  kind   time | start  end
        a            0     4  large   100 |     0  100
        b            1     4  large   100 |   100  200
        c            2     1  small   100 |   100  200
        """,
    ),
    Scenario(
        "memory of a GPU picks the kind",
        TWO_KINDS,
        """
        job  submit  gpus  gpu_memory  time | start  nodes
        a         0     1       16000   100 |     0     n0
        b         0     1       16001   100 |     0     n1
        """,
    ),
]

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

STOPPING = [
    Scenario(
        "Tiresias: a new job stops one that has had its share, which starts again after it",
        ONE_NODE,
        """
        job  submit  gpus   time | start    end  stops
        old       0     8  10000 |     0  10100      1
        new    6000     8    100 |  6000   6100      0
        """,
        "tiresias",
    ),
    Scenario(
        "Tiresias: the stopped job pays for starting again",
        ONE_NODE,
        """
        job  submit  gpus   time | start    end  stops  lost
        old       0     8  10000 |     0  10140      1     0
        new    6000     8    100 |  6000   6100      0     0
        """,
        "tiresias",
        engine(restart_overhead_s=40),
    ),
    Scenario(
        "Tiresias: work since the last checkpoint is lost and done again",
        ONE_NODE,
        """
        job  submit  gpus   time | start    end  stops  lost
        old       0     8  10000 |     0  10900      1  6400
        new    6000     8    100 |  6000   6100      0     0
        """,
        "tiresias",
        engine(checkpoint_interval_s=1300),
    ),
    Scenario(
        "a job's own checkpoint interval goes before the engine's",
        ONE_NODE,
        """
        job  submit  gpus   time  checkpoint | start    end  stops  lost
        old       0     8  10000         100 |     0  10100      1     0
        new    6000     8    100           - |  6000   6100      0     0
        """,
        "tiresias",
        engine(checkpoint_interval_s=1300),
    ),
    Scenario(
        "Tiresias never stops a job that must not be stopped",
        ONE_NODE,
        """
        job  submit  gpus   time  preemptible | start    end  stops
        old       0     8  10000           no |     0  10000      0
        new    6000     8    100          yes | 10000  10100      0
        """,
        "tiresias",
    ),
    Scenario(
        "Tiresias: a job that passes the threshold gives way then, though nothing else happens",
        ONE_NODE,
        """
        job     submit  gpus   time | start  stops
        old          0     8  10000 |     0      1
        waiting      1     8    100 |  2260      0
        """,
        "tiresias",
        engine(decision_interval_s=10),
    ),
    Scenario(
        "Tiresias ranks jobs without GPUs, too",
        cluster(Nodes(1, cpu_milli=1000)),
        """
        job    submit  gpus  cpu  time | start  end
        batch       0     0  600   100 |     0  100
        other       1     0  600   100 |   100  200
        gpu         2     8    -   100 |     2  102
        """,
        "tiresias",
    ),
    Scenario(
        "shortest remaining time first stops a longer job",
        ONE_NODE,
        """
        job    submit  gpus  time | start  end  stops
        long        0     8   100 |     0  110      1
        short      50     8    10 |    50   60      0
        equal      60     8    50 |   110  160      0
        """,
        "srtf",
    ),
]

ALL = [*QUEUES, *GPUS, *SHARED_BY_PEOPLE, *STOPPING]


@pytest.mark.parametrize("scenario", ALL, ids=[scenario.why for scenario in ALL])
def test_scenario(scenario: Scenario) -> None:
    check(scenario.table, scenario.on, scenario.policy, scenario.engine)


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
