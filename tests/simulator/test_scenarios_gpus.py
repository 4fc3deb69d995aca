"""Tables of jobs that want particular GPUs, shares of them, or CPU and memory beside them."""

from __future__ import annotations

import pytest

from tests.scenario import Nodes, cluster
from tests.simulator.scenario_tables import TWO_KINDS, TWO_NODES, Scenario, holds, why

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


@pytest.mark.parametrize("scenario", GPUS, ids=why)
def test_which_gpus(scenario: Scenario) -> None:
    holds(scenario)
