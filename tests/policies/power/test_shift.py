"""Jobs that can wait run in cheap hours, are in time, and are in nobody's way meanwhile."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.errors import InputError
from goodwatt.policies.memories import Memories, remembering
from goodwatt.policies.power_registry import make_power
from goodwatt.power.facility.energy_price import EnergyPrice, StepSeries
from goodwatt.simulator.decisions import Hold
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.simulation import Simulation
from tests.policies.power.powered_runs import V100, decisions_of, powered
from tests.scenario import EVERY_EVENT, Nodes, cluster, job, until

NIGHT = EnergyPrice(
    per_kwh=StepSeries((0.0, 20_000.0, 50_000.0), (0.30, 0.10, 0.30)),
    gco2_per_kwh=StepSeries((0.0, 40_000.0, 60_000.0), (400.0, 100.0, 400.0)),
)
SMALL = cluster(Nodes(1, gpus=1, kind="V100"))
SMALL_HALL = cluster(Nodes(1, gpus=4, kind="V100"))


def starts(
    jobs: list[Job], power: str, price: EnergyPrice | None = NIGHT, on: Cluster = V100, policy: str = "fifo"
) -> dict[str, float | None]:
    """When each job started."""
    sim = powered(jobs, power, on, policy, price=price)
    sim.run()
    assert sim.executor.refusals == []
    columns = result(sim).jobs
    return dict(zip(columns.job_id, columns.start_s, strict=True))


@pytest.mark.parametrize(
    ("power", "deadline_s", "start_s"),
    [
        ("shift", None, 0.0),  # nobody said that it can wait
        ("shift:max_delay_s=90000", None, 20_000.0),
        ("shift:max_delay_s=10000", None, 0.0),  # the night is too far
        ("shift", 90_000.0, 20_000.0),
        ("shift", 10_000.0, 0.0),
        ("shift:by=carbon", 90_000.0, 40_000.0),
        ("shift:max_delay_s=90000,saving=0.9", None, 0.0),  # not cheap enough
    ],
)
def test_when_a_job_starts(power: str, deadline_s: float | None, start_s: float) -> None:
    assert starts([job(duration_s=3600.0, deadline_s=deadline_s)], power)["a"] == start_s


def test_without_a_price_nothing_waits() -> None:
    assert starts([job(deadline_s=90_000.0)], "shift:max_delay_s=90000", price=None)["a"] == 0.0


@pytest.mark.parametrize("policy", ["fifo", "easy-backfill", "tiresias", "conservative-backfill"])
def test_a_job_that_waits_for_the_night_blocks_nobody(policy: str) -> None:
    jobs = [job("waits", deadline_s=90_000.0), job("urgent", submit_s=1.0)]
    found = starts(jobs, "shift", on=SMALL, policy=policy)
    assert found == {"waits": 20_000.0, "urgent": 1.0}


def test_the_record_says_for_what_a_job_waited() -> None:
    sim = powered([job(deadline_s=90_000.0), job("b")], "shift", price=NIGHT)
    sim.run()
    assert result(sim).jobs.waited_for == ["cheaper energy from 20,000 s on", ""]


def test_each_job_is_told_once_for_what_it_waits() -> None:
    jobs = [job(name, submit_s=float(i), deadline_s=90_000.0) for i, name in enumerate("abc")]
    made = decisions_of(powered([*jobs, job("d", submit_s=5.0)], "shift", price=NIGHT))
    held = [(time_s, decision) for time_s, decision in made if isinstance(decision, Hold)]
    why = "cheaper energy from 20,000 s on"
    assert held == [(0.0, Hold("a", why)), (1.0, Hold("b", why)), (2.0, Hold("c", why))]


def calls_of_a_quiet_round(waiting: int) -> int:
    """Functions that are called when nothing has happened since so many jobs were put off."""
    sim = powered([job(f"j{i}", deadline_s=90_000.0) for i in range(waiting)], "shift", price=NIGHT)
    view = until(sim, 10.0).view
    assert isinstance(view.memory, Memories)
    power, calls = make_power("shift"), Counter[str]()
    with remembering(view, view.memory.parts[1]):
        sys.setprofile(lambda _, event, __: calls.update([event]))
        power.holds(view)
        power.decide(view)
        sys.setprofile(None)
    return calls["call"]


def test_who_waits_already_costs_a_round_next_to_nothing() -> None:
    assert calls_of_a_quiet_round(100) < calls_of_a_quiet_round(10) + 20


def test_forked_and_saved_runs_wait_for_the_same_hours(tmp_path: Path) -> None:
    jobs = [
        job(f"j{i}", i % 3 + 1, 900.0 * i, 500.0 * (i % 7 + 1), deadline_s=None if i % 4 == 0 else 30_000.0 + 900.0 * i)
        for i in range(40)
    ]
    options: dict[str, Any] = {"price": NIGHT, "guardrails": Guardrails(max_wait_s=9_000.0)}
    sim = powered(jobs, "shift", SMALL_HALL, "tiresias:threshold_gpu_s=300", **options)
    ends: list[Simulation] = []
    while (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
        if len(ends) < 4 and view.now_s > 6_000.0 * (len(ends) + 1):
            save(sim, tmp_path / "run")
            ends.append(load(tmp_path / "run", jobs, SMALL_HALL, sim.policy, EVERY_EVENT, sim.options))
            ends.append(sim.fork())
    assert len(ends) == 4
    for one in ends:
        one.run()
        assert result(one) == result(sim)


def test_waiting_for_power_or_for_the_night_is_both_waiting() -> None:
    jobs = [job("waits", 8, deadline_s=90_000.0), *(job(f"j{i}", 8, 1.0, 500.0) for i in range(4))]
    sim = powered(jobs, "budget+shift", V100, price=NIGHT, budget_w=2_600.0)
    sim.run()
    assert set(result(sim).jobs.state) == {"finished"}
    assert result(sim).jobs.start_s[0] == 20_000.0


@pytest.mark.parametrize("spec", ["max_delay_s=-1", "margin=0.5", "saving=1"])
def test_settings_that_make_no_sense(spec: str) -> None:
    with pytest.raises(InputError, match="expected max_delay_s"):
        make_power(f"shift:{spec}")
