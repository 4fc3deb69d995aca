"""A budget beside orders that stop jobs: power goes by rank as GPUs do, and nobody is stopped for nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from goodwatt.cluster.job import Job
from goodwatt.policies.budget_memory import BudgetMemory
from goodwatt.policies.memories import remembering
from goodwatt.policies.power.budget import Budget
from goodwatt.policies.power_registry import with_power
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import busy_trace
from tests.policies.power.powered_runs import V100, powered
from tests.policies.power.test_budget import FULL, check, hall, policy, training
from tests.scenario import EVERY_EVENT, Scripted, step

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
def test_saved_forked_and_whole_runs_are_one(order: str, tmp_path: Path) -> None:
    path = tmp_path / "run"
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


# what is believed to be fed ------------------------------------------------------------------------------------------


def ended_s(order: str, jobs: list[Job], budget_w: float) -> float:
    sim = Simulation(jobs, hall(), policy("budget", order), EVERY_EVENT, replace(FULL, budget_w=budget_w))
    sim.run()
    assert sim.executor.refusals == []
    return max(end_s or math.inf for end_s in result(sim).jobs.end_s)


def test_rounds_in_vain_do_not_make_the_hall_smaller_for_good() -> None:
    """The wide one cannot start while somebody runs whom nobody may stop; the narrow have to be fed."""
    stays = training("stays", 8, 0.0, 4_500.0, preemptible=False)
    narrow = [training(f"n{i}", 4, 20.0 + i, 3_000.0) for i in range(24)]
    without = ended_s("srtf", [stays, *narrow], 12_000.0)
    assert ended_s("srtf", [stays, training("wide", 16, 10.0, 2_000.0), *narrow], 12_000.0) < 1.2 * without


def test_what_was_learnt_of_rounds_in_vain_is_known_to_a_run_that_was_loaded() -> None:
    memory, read = BudgetMemory(), BudgetMemory()
    memory.trust = 0.5
    read.load_plain(memory.to_plain())
    sim = Simulation([training("a", 8, 0.0, 500.0)], hall(), policy("budget", "srtf"), EVERY_EVENT, FULL)
    assert sim.book is not None
    sim.book.set_budget(6_000.0)
    view = sim.advance()
    assert view is not None
    with remembering(view, read):
        fed = Budget().fed(view)
        assert fed is not None
        assert read.trust == 0.5
        sim.book.set_budget(7_000.0)
        Budget().fed(view)
    assert read.trust == 1.0


@pytest.mark.parametrize("order", ["fifo", "las"])
@pytest.mark.parametrize("budget_w", [11_900.0, 12_000.0, 12_100.0, 12_200.0, 12_300.0, 12_500.0])
def test_who_has_started_under_a_limit_that_stays_is_not_stopped_for_it(order: str, budget_w: float) -> None:
    """The estimate for the division is on the safe side of the book, which has let it start."""
    sim = Simulation(
        [training("a", 20, 0.0, 2_000.0)],
        hall(),
        policy("budget", order),
        EVERY_EVENT,
        replace(FULL, budget_w=budget_w),
    )
    sim.run()
    assert result(sim).summary["preemptions"] == 0


def test_jobs_without_gpus_wait_for_no_power() -> None:
    jobs = [training("a", 20, 0.0, 2_000.0), training("cpu", 0, 5.0, 100.0)]
    sim = Simulation(jobs, hall(), policy("budget", "srtf"), EVERY_EVENT, replace(FULL, budget_w=12_500.0))
    sim.run()
    assert result(sim).jobs.start_s == [0.0, 5.0]
    assert result(sim).summary["preemptions"] == 0


@pytest.mark.parametrize("order", ["las", "srtf", "tiresias", "fifo", "sjf", "easy-backfill"])
def test_who_can_never_have_its_power_stands_in_nobodys_way(order: str) -> None:
    jobs = [training("wide", 32, 0.0, 100.0), *[training(f"n{i}", 2, float(i), 3_000.0) for i in range(12)]]
    sim = Simulation(jobs, hall(), policy("budget", order), EVERY_EVENT, replace(FULL, budget_w=12_000.0))
    sim.run()
    outcome = result(sim)
    assert outcome.jobs.state == ["waiting", *["finished"] * 12]
    assert outcome.jobs.waited_for[0].startswith("power, whoever else runs: site may draw 12,000 W")


# limits that fall ----------------------------------------------------------------------------------------------------


def test_all_who_share_gpus_are_stopped_together() -> None:
    """Else the second would go on without a cap, above the limit."""
    jobs = [training(name, 8, duration_s=5_000.0) for name in ("x", "a", "b")]
    script = {
        0.0: [Place("x", ((0, 8),))],
        10.0: [Place("a", ((1, 8),))],
        50.0: [Place("b", ((1, 8),), beside="a", sharing="timeslice")],
    }
    capped = with_power(Scripted(script), "budget")
    sim = Simulation(jobs, hall(), capped, EVERY_EVENT, replace(FULL, budget_w=20_000.0))
    while sim.now_s < 100.0:
        step(sim)
    assert sim.book is not None
    sim.book.limit_uw[0] = 9_000 * MICRO
    sim.change_all()
    while sim.now_s < 200.0:
        step(sim)
    assert sim.book.over == ()
    assert [job_id for job_id, run in sim.live.items() if run.placement] == ["x"]
