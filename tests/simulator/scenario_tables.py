"""A cluster, a policy, a table of jobs and what becomes of them: what tables of scenarios are made of."""

from __future__ import annotations

from dataclasses import dataclass

from goodwatt.cluster.cluster import Cluster
from goodwatt.simulator.settings.engine import Engine
from tests.scenario import EVERY_EVENT, Nodes, check, cluster


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


def holds(scenario: Scenario) -> None:
    """What the table says comes of it."""
    check(scenario.table, scenario.on, scenario.policy, scenario.engine)


def why(scenario: Scenario) -> str:
    return scenario.why
