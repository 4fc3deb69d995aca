"""Who is protected from slow clocks keeps that where a GPU is shared by parts: fractions and MIG instances."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goodwatt.cluster.job import Job
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import Migrate, Place, SetClock
from goodwatt.simulator.run import result
from goodwatt.simulator.simulation import Simulation
from tests.scenario import EVERY_EVENT, Nodes, Scripted, cluster, engine, job, simulate
from tests.simulator.acting.guardrails_runs import COMPUTING, clock_of, guarded, reasons, until

ONE, TWO = cluster(Nodes(1, 1, "V100")), cluster(Nodes(2, 1, "V100"))
BOB = replace(COMPUTING, job_id="bob", user="bob", gpu_milli=500)
VIP = replace(COMPUTING, job_id="vip", user="vip", gpu_milli=500)
GUARDED = guarded("full", protected=frozenset({"vip"}), protected_from=frozenset({"slowing"}))
SLOW = {"clock_mhz": 900.0}
TOP_MHZ = 1380.0


@pytest.mark.parametrize("order", [("bob", "vip"), ("vip", "bob")])
def test_the_clock_of_a_shared_gpu_is_the_boards_own_while_somebody_protected_is_there(order: tuple[str, str]) -> None:
    script = {float(i): [Place(name, ((0, 1),), **SLOW)] for i, name in enumerate(order)}  # type: ignore[arg-type]
    sim = until(simulate([BOB, VIP], ONE, Scripted({**script, 20.0: []}), options=GUARDED), 20.0)
    assert reasons(sim) == []
    assert [run.clock_mhz for run in sim.live.values()] == [None, None]
    assert clock_of(sim, "vip") == clock_of(sim, "bob") == TOP_MHZ


def test_a_command_that_is_on_its_way_does_not_arrive() -> None:
    script = {
        0.0: [Place("bob", ((0, 1),))],
        5.0: [SetClock("bob", 900.0), Place("vip", ((0, 1),))],
        10.0: [],
    }
    sim = until(simulate([BOB, VIP], ONE, Scripted(script), options=GUARDED), 10.0)  # type: ignore[arg-type]
    assert clock_of(sim, "vip") == TOP_MHZ


def test_who_moves_there_takes_no_low_clock_along_and_finds_none() -> None:
    for moved, stays in (("bob", "vip"), ("vip", "bob")):
        script = {
            0.0: [Place(stays, ((0, 1),), **SLOW), Place(moved, ((1, 1),), **SLOW)],  # type: ignore[arg-type]
            5.0: [Migrate(moved, ((0, 1),))],
            10.0: [],
        }
        sim = until(simulate([BOB, VIP], TWO, Scripted(script), options=GUARDED), 10.0)  # type: ignore[arg-type]
        assert sim.live[moved].placement == sim.live[stays].placement
        assert clock_of(sim, "vip") == TOP_MHZ


@pytest.mark.parametrize("power", ["uniform-clock:share=0.5", "uniform-cap:share=0.4", "static:slowdown=0.3"])
@pytest.mark.parametrize("profile", [None, "3g.71gb"])
def test_no_power_policy_slows_who_is_protected(power: str, profile: str | None) -> None:
    kind, part = ("V100", {"gpu_milli": 500}) if profile is None else ("H200", {"mig_profile": profile})
    jobs: list[Job] = [
        job(f"{user}{i}", 1, 300.0 * i, 2_000.0, user=user, workload=COMPUTING.workload, **part)
        for i, user in enumerate(("bob", "vip", "bob", "vip"))
    ]
    policy = with_power(make_policy("fifo"), power)
    how = EVERY_EVENT if profile is None else engine(mig="dynamic")
    sim = Simulation(jobs, cluster(Nodes(1, 2, kind)), policy, how, GUARDED)
    sim.run()
    slow_s = result(sim).jobs.lost_s["slow_clock"]
    assert [slow_s[i] for i in (1, 3)] == pytest.approx([0.0, 0.0], abs=1e-6)
