"""A budget beside orders that stop jobs: power goes by rank as GPUs do, and nobody is stopped for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import busy_trace
from tests.policies.power.powered_runs import V100, powered
from tests.policies.power.test_budget import FULL, check, hall, policy, training
from tests.scenario import EVERY_EVENT, step

ORDERS = ("tiresias:threshold_gpu_s=200", "las", "srtf")
JOBS = busy_trace(7)
BUDGETS_W = (3_200.0, 3_400.0, 4_500.0)


def run_of(order: str, budget_w: float) -> Simulation:
    return powered(JOBS, "budget", V100, order, budget_w=budget_w)


@pytest.mark.parametrize("budget_w", BUDGETS_W)
@pytest.mark.parametrize("order", ORDERS)
def test_all_end_within_the_budget_and_without_a_refusal(order: str, budget_w: float) -> None:
    sim = run_of(order, budget_w)
    decisions = 0
    while (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
        check(sim)
        decisions += 1
        assert decisions < 20_000, "it goes round in circles"
    outcome = result(sim)
    assert set(outcome.jobs.state) == {"finished"}
    assert outcome.summary["over_budget_s"] == 0.0
    assert sim.executor.refusals == []


@pytest.mark.parametrize("order", ORDERS)
def test_stops_are_few(order: str) -> None:
    """Not many more than where there is power for all: each is for somebody who ranks before."""
    plenty, tight = (run_of(order, budget_w) for budget_w in (50_000.0, BUDGETS_W[1]))
    stops = []
    for sim in (plenty, tight):
        sim.run()
        stops.append(result(sim).summary["preemptions"])
    assert stops[1] <= 3 * stops[0] + 20


def test_who_ranks_first_gets_the_power_of_who_ranks_last() -> None:
    """The long job has all the power that there is; the short one need not wait for its end."""
    jobs = [training("long", 16, duration_s=50_000.0), training("short", 16, 5_000.0, 100.0)]
    for order, waits in (("fifo", True), ("srtf", False)):
        sim = Simulation(jobs, hall(), policy("budget", order), EVERY_EVENT, replace(FULL, budget_w=13_000.0))
        sim.run()
        started_s = result(sim).jobs.start_s[1]
        assert started_s is not None
        assert (started_s > 50_000.0) is waits


def test_while_somebody_waits_for_power_those_who_run_go_on() -> None:
    """Who waits at the front of the queue stops nobody who does not have to give way."""
    jobs = [training(f"j{i}", 8, float(i), 5_000.0) for i in range(4)]
    sim = Simulation(jobs, hall(), policy("budget", "tiresias"), EVERY_EVENT, replace(FULL, budget_w=9_500.0))
    while sim.now_s < 2_000.0:
        step(sim)
    assert [run.preemptions for run in sim.live.values()] == [0] * 4
    assert any(run.placement for run in sim.live.values())
    assert not all(run.placement for run in sim.live.values())


@pytest.mark.parametrize("order", ORDERS)
def test_saved_forked_and_whole_runs_are_one(order: str, tmp_path: object) -> None:
    path = tmp_path / "run"  # type: ignore[operator]
    sim = run_of(order, BUDGETS_W[1])
    for _ in range(60):
        view = sim.advance()
        assert view is not None
        sim.apply(sim.policy.decide(view))
    save(sim, path)
    others = sim.fork(), load(path, JOBS, V100, sim.policy, EVERY_EVENT, sim.options)
    for one in (sim, *others):
        one.run()
    assert result(others[0]) == result(others[1]) == result(sim)
