"""The rules of checkpointing applied to a job where it stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from goodwatt.cluster.cluster import Cluster, Node
from goodwatt.power.workloads.catalogue import workload_class
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.failures.checkpoints import plan_of
from goodwatt.simulator.settings.checkpointing import (
    CheckpointStore,
    daly_interval_s,
    mtbf_s,
    write_s,
    young_interval_s,
)
from goodwatt.simulator.settings.engine import EngineSettings
from goodwatt.simulator.settings.failure_rates import ComponentRates, FailureSettings
from tests.scenario import Nodes, Scripted, cluster, engine, job, simulate, until
from tests.simulator.physics.full_physics_runs import FULL

GIB = 1024.0
FAILING = FailureSettings(gpu=ComponentRates(per_hour=1e-3), node=ComponentRates(per_hour=1e-2))
ON = Cluster("test", tuple(Node(f"n{i}", "V100", 8, rack=f"r{i // 2}", clique="c") for i in range(4)), {})


def planned(
    own: float | None = None, size_mib: float = 100 * GIB, nodes: int = 1, **settings: object
) -> tuple[float, float]:
    one = job(gpus=8 * nodes, checkpoint_interval_s=own)
    rules = EngineSettings(**{"failures": FAILING, **settings})  # type: ignore[arg-type]
    plan = plan_of(one, tuple((node, 8) for node in range(nodes)), size_mib, ON, rules)
    return plan.interval_s, plan.write_s


COST_S = 100 * GIB * 2**20 / 1e9
PER_H = 8 * 1e-3 + 1e-2
DALY_S, YOUNG_S = (f(COST_S, 3600.0 / PER_H) for f in (daly_interval_s, young_interval_s))


@pytest.mark.parametrize(
    ("own", "settings", "interval_s"),
    [
        (None, {}, 0.0),
        (600.0, {}, 600.0),
        (None, {"checkpoint_interval_s": 900.0}, 900.0),
        (600.0, {"checkpoint_interval_s": 900.0, "checkpoint_rule": "daly"}, 600.0),
        (0.0, {"checkpoint_rule": "daly"}, DALY_S),
        (None, {"checkpoint_rule": "young"}, YOUNG_S),
        (None, {"checkpoint_rule": "daly", "failures": None}, 0.0),
    ],
)
def test_who_says_how_often(own: float | None, settings: dict[str, Any], interval_s: float) -> None:
    found, cost_s = planned(own, **settings)
    assert found == pytest.approx(interval_s)
    assert cost_s == (pytest.approx(COST_S) if interval_s else 0.0)


def test_more_nodes_write_faster_and_fail_more_often() -> None:
    store = CheckpointStore(node_gbps=1.0, store_gbps=3.0)
    one, four = (planned(nodes=n, checkpoint_rule="daly", checkpoint_store=store) for n in (1, 4))
    assert (one[1], four[1]) == (pytest.approx(COST_S), pytest.approx(COST_S / 3.0))  # type: ignore[comparison-overlap]
    assert four[0] == pytest.approx(daly_interval_s(COST_S / 3.0, mtbf_s(4 * PER_H)))


def test_switches_of_racks_and_domains_count_where_the_gang_reaches() -> None:
    switches = replace(FAILING, switch=ComponentRates(per_hour=1e-1), nvlink=ComponentRates(per_hour=1e-1))
    two, four = (planned(nodes=n, checkpoint_rule="young", failures=switches)[0] for n in (2, 4))
    assert two == pytest.approx(young_interval_s(COST_S / 2, mtbf_s(2 * PER_H + 0.1 + 0.1)))
    assert four == pytest.approx(young_interval_s(COST_S / 4, mtbf_s(4 * PER_H + 0.2 + 0.1)))


@pytest.mark.parametrize("rule", ["none", "young", "daly"])
def test_what_costs_nothing_needs_no_rule(rule: str) -> None:
    assert planned(size_mib=0.0, checkpoint_rule=rule) == (0.0, 0.0)


def test_in_a_run_a_job_is_slower_by_what_its_class_writes() -> None:
    sim = simulate(
        [job("a", workload="bert_squad", checkpoint_interval_s=30.0)],
        cluster(Nodes(1, 2, "V100")),
        Scripted({0.0: [Place("a", ((0, 1),))]}),
        engine(),
        FULL,
    )
    run = until(sim, 0.0).live["a"]
    cost_s = write_s(workload_class("bert_squad").checkpoint_mib, 1, CheckpointStore())
    assert (run._truth.interval_s, run._truth.write_s) == (30.0, pytest.approx(cost_s))  # type: ignore[comparison-overlap]
    assert run._truth.rate == pytest.approx(30.0 / (30.0 + cost_s))


def test_under_ideal_physics_writing_costs_nothing() -> None:
    sim = simulate([job("a", checkpoint_interval_s=30.0)], cluster(Nodes(1)), settings=engine(checkpoint_rule="daly"))
    until(sim, 0.0)
    assert (sim.live["a"]._truth.write_s, sim.live["a"]._truth.rate) == (0.0, 1.0)
