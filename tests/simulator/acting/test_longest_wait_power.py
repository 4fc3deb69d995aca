"""Who has waited too long, where power is short: first if there is ever enough for it, and in nobody's way if not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.simulation import Simulation
from tests.policies.power.test_budget import FULL, hall, training
from tests.scenario import EVERY_EVENT

ORDERS = ["fifo", "sjf", "qssf", "easy-backfill", "conservative-backfill", "las", "tiresias"]
NARROW = [training(f"n{i}", 4, 10.0 * i, 500.0) for i in range(20)]


def states(order: str, budget_w: float, gpus: int) -> tuple[list[str], list[float | None], int]:
    """(states, starts, refusals) of a wide job that comes first and of narrow ones behind it."""
    options = replace(FULL, budget_w=budget_w, guardrails=Guardrails(max_wait_s=300.0))
    jobs = [training("wide", gpus, 0.0, 100.0), *NARROW]
    sim = Simulation(jobs, hall(), with_power(make_policy(order), "budget"), EVERY_EVENT, options)
    sim.run()
    found = result(sim).jobs
    return found.state, found.start_s, len(sim.executor.refusals)


@pytest.mark.parametrize("order", ORDERS)
def test_who_can_never_have_its_power_is_late_for_nobody(order: str) -> None:
    state, _, refusals = states(order, 9_000.0, 32)
    assert state == ["waiting", *["finished"] * len(NARROW)]
    assert refusals == 0


@pytest.mark.parametrize("order", ORDERS)
def test_who_can_have_it_has_it(order: str) -> None:
    state, starts, refusals = states(order, 14_000.0, 16)
    assert set(state) == {"finished"}
    assert starts[0] is not None
    assert starts[0] < 300.0 + 600.0
    assert refusals == 0
