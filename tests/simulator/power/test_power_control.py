"""Clocks, caps and sleep take their time, and draw what they draw meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

import pytest

from goodwatt.cluster.cluster import HostPower
from goodwatt.cluster.host_power import NodeSleep
from goodwatt.cluster.job import Job
from goodwatt.power.facility.node_sleep import cycle_j, cycle_s
from goodwatt.power.gpu.transient import actuation_delay_s
from goodwatt.simulator.decisions import Decision, Place, Preempt, SetCap, SetClock, Sleep, WaitUntil, Wake
from goodwatt.simulator.physics.contract import ASLEEP, FALLING, WAKING
from goodwatt.simulator.power import power_control
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import Nodes, Scripted, check, cluster, job, scripted, simulate, until
from tests.simulator.physics.full_physics_runs import FULL, NET

SLEEP = NodeSleep(asleep_w=40.0, suspend_s=10.0, suspend_w=500.0, wake_s=30.0, wake_w=900.0)
ON = cluster(Nodes(2, 2, "V100"), power=HostPower(sleep=SLEEP))
IDLE_W = 2 * 26.0


def run(*steps: tuple[float, Decision], jobs: tuple[Job, ...] = (), options: RunOptions = FULL) -> Simulation:
    last = job("last", 0, 0.0, 500.0)
    return simulate([*jobs, last], ON, scripted(*steps), options=options)


# sleep ---------------------------------------------------------------------------------------------------------------


def test_a_node_takes_its_time_to_sleep_and_to_wake() -> None:
    sim = run((0.0, Sleep(1)), (100.0, Wake(1)))
    stages = []
    for time_s in (5.0, 10.0, 99.0, 100.0, 129.0, 130.0):
        until(sim, time_s)
        stages.append((sim.now_s, sim.asleep.get(1)))
    assert [stage for _, stage in stages] == [FALLING, ASLEEP, ASLEEP, WAKING, WAKING, None]
    assert sim.state.up == 0b11


@pytest.mark.parametrize(
    ("time_s", "watts", "part"), [(5.0, 500.0, "host_w"), (50.0, 40.0, "asleep_w"), (110.0, 900.0, "host_w")]
)
def test_what_it_draws_meanwhile(time_s: float, watts: float, part: str) -> None:
    power = until(run((0.0, Sleep(1)), (100.0, Wake(1))), time_s).physics.power()
    assert power.idle_w == IDLE_W
    assert getattr(power, part) == watts
    assert sum(power) == IDLE_W + watts


def test_a_sleep_takes_the_energy_that_policies_reckon_with() -> None:
    sim = run((0.0, Sleep(1)), (100.0, Wake(1)), (130.0, WaitUntil(200.0)))
    until(sim, 130.0)
    sim.account()
    slept_j = sim.recorder.totals.it_j - 130.0 * IDLE_W
    assert slept_j == pytest.approx(cycle_j(SLEEP) + SLEEP.asleep_w * (130.0 - cycle_s(SLEEP)))


def test_nobody_runs_on_a_node_until_it_is_awake() -> None:
    check(
        """
        job  submit  gpus  time | start   end  nodes
        a         0     2    50 |     0    50  n0
        b         5     2    50 |   135   185  n1
        """,
        ON,
        Scripted(
            {
                0.0: [Sleep(1), Place("a", ((0, 2),))],
                5.0: [Place("b", ((1, 2),)), Wake(1)],
                100.0: [Wake(1), Place("b", ((1, 2),))],
                131.0: [WaitUntil(135.0)],
                135.0: [Place("b", ((1, 2),))],
            }
        ),
    )


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([(0.0, Sleep(2))], "there is no node 2: the cluster has 2, counted from 0"),
        ([(0.0, Sleep(-1))], "there is no node -1: the cluster has 2, counted from 0"),
        ([(0.0, Sleep(1)), (5.0, Sleep(1))], "the node is not up"),
        ([(0.0, Place("a", ((1, 1),))), (5.0, Sleep(1))], "the node is in use"),
        ([(0.0, Wake(1))], "the node is not asleep"),
        ([(0.0, Sleep(1)), (5.0, Wake(1))], "the node is not asleep"),
        ([(0.0, Sleep(1)), (50.0, Wake(1)), (60.0, Wake(1))], "the node is not asleep"),
    ],
)
def test_nodes_that_cannot_sleep_or_wake(steps: list[tuple[float, Decision]], reason: str) -> None:
    sim = until(run(*steps, jobs=(job("a", workload=NET),)), 70.0)
    assert [refusal.reason for refusal in sim.executor.refusals] == [reason]


@dataclass(frozen=True)
class Budgeted(Scripted):
    """Has budgets enforced."""

    enforces_budget: bool = True


@pytest.mark.parametrize(("budget_w", "refused"), [(2_000.0, 0), (600.0, 1)])
def test_no_node_falls_asleep_where_a_budget_has_no_room_for_waking_it(budget_w: float, refused: int) -> None:
    sim = simulate([job("last", 0)], ON, Budgeted({0.0: [Sleep(1)]}), options=replace(FULL, budget_w=budget_w))
    until(sim, 0.0)
    assert len(sim.executor.refusals) == refused
    assert sim.book is not None
    assert sim.book.granted_uw[0] >= sum(sim.physics.power()) * 1e6


# clocks and caps -----------------------------------------------------------------------------------------------------


def test_a_command_takes_as_long_as_its_own_draw_says() -> None:
    sim = run((0.0, Place("a", ((0, 1),))), (10.0, SetClock("a", 900.0)), jobs=(job("a", workload=NET),))
    until(sim, 0.0)
    drawn_s = actuation_delay_s(Random(f"0/actuation/{sim.timers.count}"))
    until(sim, 10.0)
    (timer,) = sim.timers.waiting.values()
    assert timer.time_s == 10.0 + drawn_s
    until(sim, timer.time_s)
    assert (sim.live["a"].clock_mhz, sim.live["a"].command) == (900.0, 0)


def test_what_was_asked_for_last_whether_it_has_settled_or_not() -> None:
    sim = run(
        (0.0, Place("a", ((0, 1),))),
        (10.0, SetClock("a", 900.0)),
        (10.0, SetCap("a", 150.0)),
        (20.0, SetClock("a", None)),
        jobs=(job("a", workload=NET),),
    )
    until(sim, 0.0)
    assert power_control.wished(sim, sim.live["a"]) == (None, None)
    until(sim, 10.0)
    assert (sim.live["a"].clock_mhz, sim.live["a"].cap_w) == (None, None)
    assert power_control.wished(sim, sim.live["a"]) == (900.0, 150.0)
    until(sim, 15.0)
    assert (sim.live["a"].clock_mhz, sim.live["a"].cap_w) == (900.0, 150.0)
    until(sim, 25.0)
    assert (sim.live["a"].clock_mhz, sim.live["a"].cap_w) == (None, 150.0)


def test_a_setting_does_not_outlive_its_job() -> None:
    sim = run(
        (0.0, Place("a", ((0, 1),), clock_mhz=900.0)),
        (10.0, SetCap("a", 150.0)),
        (10.0, Preempt("a")),
        (20.0, Place("a", ((0, 1),))),
        jobs=(job("a", workload=NET),),
    )
    until(sim, 10.0)
    assert not sim.timers.waiting
    until(sim, 30.0)
    assert (sim.live["a"].clock_mhz, sim.live["a"].cap_w, sim.live["a"]._truth.rate) == (None, None, 1.0)


def test_delays_differ_and_are_the_same_in_the_same_run() -> None:
    steps = [(float(t), SetClock("a", 800.0 + t)) for t in range(10, 90, 10)]

    def delays() -> list[float]:
        sim = run((0.0, Place("a", ((0, 1),))), *steps, jobs=(job("a", duration_s=900.0, workload=NET),))
        found = []
        for t, _ in steps:
            until(sim, t)
            found += [timer.time_s - t for timer in sim.timers.waiting.values()]
        return found

    assert delays() == delays()
    assert len(set(delays())) == len(steps)
    assert all(0.010 < delay < 1.0 for delay in delays())


def test_under_ideal_physics_settings_change_nothing() -> None:
    steps = [(0.0, Place("a", ((0, 1),), clock_mhz=500.0, cap_w=100.0)), (10.0, SetClock("a", 200.0))]
    sim = run(*steps, jobs=(job("a"),), options=RunOptions())  # type: ignore[arg-type]
    sim.run()
    outcome = result(sim)
    assert outcome.jobs.end_s[0] == 100.0
    assert not sim.executor.refusals
    assert all(a <= b for a, b in pairwise(outcome.timeline.t_s))
