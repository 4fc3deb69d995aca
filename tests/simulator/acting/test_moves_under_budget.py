"""Moves and groups where budgets are enforced: looked at as a whole, and then carried out as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from goodwatt.cluster.cluster import Cluster, HostPower
from goodwatt.cluster.host_power import SLEEPS
from goodwatt.simulator.decisions import Decision, Group, Migrate, Place, Preempt, Sleep
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.settings.engine import Outage
from goodwatt.simulator.simulation import Simulation
from tests.scenario import Nodes, Scripted, cluster, engine, job, simulate, until
from tests.simulator.physics.full_physics_runs import FULL, NET

HOST = HostPower(1.0, 300.0, 700.0, sleep=SLEEPS["off"])
ON = cluster(Nodes(2, 2, "V100"), power=HOST)
MIXED = cluster(Nodes(1, 2, "H200"), Nodes(1, 2, "V100"), power=HOST)
JOBS = [job(name, workload=NET, duration_s=5_000.0) for name in "abc"]


@dataclass(frozen=True)
class Budgeted(Scripted):
    """Has budgets enforced."""

    enforces_budget: bool = True


def run(script: dict[float, Sequence[Decision]], budget_w: float = 50_000.0, on: Cluster = ON) -> Simulation:
    return simulate(JOBS, on, Budgeted(script), options=replace(FULL, budget_w=budget_w))


def reasons(sim: Simulation) -> list[str]:
    return [refusal.reason for refusal in sim.executor.refusals]


def granted_w(sim: Simulation) -> float:
    assert sim.book is not None
    return sim.book.granted_uw[0] / MICRO


def test_a_job_moves_where_the_limit_has_fallen_below_what_is_drawn() -> None:
    sim = run({0.0: [Place("a", ((0, 1),))], 5.0: [Migrate("a", ((1, 1),))], 6.0: []})
    until(sim, 1.0)
    assert sim.book is not None
    sim.book.limit_uw[0] = int(sim.book.granted_uw[0]) - 10 * MICRO
    until(sim, 6.0)
    assert reasons(sim) == []
    assert sim.live["a"].placement[0][0] == 1


def test_a_group_is_granted_for_how_it_ends_not_for_how_it_goes() -> None:
    """For a moment both would run; nobody can tell, it is one instant."""
    swap = Group((Place("c", ((0, 1),)), Preempt("b")))
    sim = run({0.0: [Place("a", ((0, 1),)), Place("b", ((1, 1),))], 5.0: [swap], 6.0: []})
    until(sim, 1.0)
    assert sim.book is not None
    sim.book.limit_uw[0] = sim.book.granted_uw[0] + 100 * MICRO
    until(sim, 6.0)
    assert reasons(sim) == []
    assert sorted(one.spec.job_id for one in sim.live.values() if one.placement) == ["a", "c"]
    assert granted_w(sim) <= sim.book.limit_uw[0] / MICRO


def test_a_group_that_ends_above_the_limit_is_refused_whole() -> None:
    both = Group((Preempt("b"), Place("c", ((0, 1),)), Place("b", ((1, 1),))))
    sim = run({0.0: [Place("a", ((0, 1),)), Place("b", ((1, 1),))], 5.0: [both], 6.0: []})
    until(sim, 1.0)
    assert sim.book is not None
    sim.book.limit_uw[0] = sim.book.granted_uw[0] + 100 * MICRO
    until(sim, 6.0)
    (reason,) = reasons(sim)
    assert "site may draw" in reason
    assert sim.live["b"].preemptions == 0


def test_a_job_leaves_an_instance_for_boards_that_have_none() -> None:
    into = Place("a", ((0, 1),), sharing="mig", profile="3g.71gb")
    script: dict[float, Sequence[Decision]] = {0.0: [into], 50.0: [Migrate("a", ((1, 1),))], 60.0: []}
    sim = simulate(JOBS, MIXED, Budgeted(script), engine(mig="dynamic"), replace(FULL, budget_w=50_000.0))
    until(sim, 60.0)
    assert reasons(sim) == []
    assert sim.live["a"].placement[0][0] == 1
    assert sim.live["a"].spec.mig_profile is None


def test_a_node_that_fails_in_its_sleep_keeps_the_power_to_come_back() -> None:
    """It is off meanwhile; repaired it sleeps again, and nobody asks whether there is room for that."""
    out = engine(outages=(Outage("n1", 1_000, 2_000),))
    sim = simulate(JOBS, ON, Budgeted({0.0: [Sleep(1)]}), out, replace(FULL, budget_w=50_000.0))
    before = list[float]()
    for time_s in (900.0, 1_500.0, 2_500.0):
        until(sim, time_s)
        before.append(granted_w(sim))
    assert before[0] == before[1] == before[2]


@pytest.mark.parametrize("time_s", [1_500.0, 2_500.0])
def test_so_does_one_of_a_run_that_was_forked(time_s: float) -> None:
    out = engine(outages=(Outage("n1", 1_000, 2_000),))
    sim = simulate(JOBS, ON, Budgeted({0.0: [Sleep(1)]}), out, replace(FULL, budget_w=50_000.0))
    fork = until(sim, 900.0).fork()
    assert granted_w(until(fork, time_s)) == granted_w(until(sim, time_s))
