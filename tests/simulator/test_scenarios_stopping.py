"""Tables of jobs that are stopped and go on."""

from __future__ import annotations

import pytest

from tests.scenario import Nodes, cluster, engine
from tests.simulator.scenario_tables import ONE_NODE, Scenario, holds, why

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


@pytest.mark.parametrize("scenario", STOPPING, ids=why)
def test_who_is_stopped(scenario: Scenario) -> None:
    holds(scenario)
