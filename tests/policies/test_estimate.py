"""How long jobs are expected to run."""

from __future__ import annotations

import pytest

from goodwatt.errors import InputError, RunError
from goodwatt.policies import estimate
from goodwatt.policies.history import UNKNOWN_S
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import WaitUntil
from goodwatt.simulator.simulation import Simulation
from tests.scenario import Nodes, cluster, job, simulate

ONE_NODE = cluster(Nodes(1))


def at(sim: Simulation, time_s: float) -> Simulation:
    """Run the simulation, asking it again at this time."""
    while (view := sim.advance()) is not None and view.now_s < time_s:
        sim.apply([*sim.policy.decide(view), WaitUntil(time_s)])
    return sim


@pytest.mark.parametrize(
    ("source", "limit", "expected"),
    [("requested", 500.0, 500.0), ("requested", None, UNKNOWN_S), ("predicted", 500.0, UNKNOWN_S)],
)
def test_durations(source: estimate.Source, limit: float | None, expected: float) -> None:
    sim = simulate([job("a", gpus=8, requested_s=limit)], ONE_NODE, f"easy-backfill:estimate={source}")
    view = sim.advance()
    assert view is not None
    assert estimate.duration_s(sim.live["a"], view, source) == expected


def test_the_truth_is_for_oracles() -> None:
    sim = simulate([job("a", duration_s=70)], ONE_NODE, "easy-backfill:estimate=true")
    view = sim.advance()
    assert view is not None
    assert estimate.duration_s(sim.live["a"], view, "true") == 70
    sim = simulate([job("a", duration_s=70)], ONE_NODE, "easy-backfill")
    view = sim.advance()
    assert view is not None
    with pytest.raises(RunError, match="oracle"):
        estimate.duration_s(sim.live["a"], view, "true")


@pytest.mark.parametrize(("now_s", "end_s"), [(30.0, 100.0), (99.0, 100.0), (100.0, 160.0), (150.0, 210.0)])
def test_an_end_is_believed_until_it_has_passed(now_s: float, end_s: float) -> None:
    sim = at(simulate([job("a", duration_s=1000, requested_s=100.0)], ONE_NODE, "easy-backfill"), now_s)
    assert sim.now_s == now_s
    assert estimate.end_s(sim.live["a"], sim.view, "requested") == end_s


def test_the_true_end_is_now_and_what_is_left() -> None:
    sim = at(simulate([job("a", duration_s=100, requested_s=5.0)], ONE_NODE, "easy-backfill:estimate=true"), 30.0)
    assert estimate.end_s(sim.live["a"], sim.view, "true") == 100.0


@pytest.mark.parametrize("name", ["easy-backfill", "conservative-backfill"])
def test_an_oracle_only_with_the_truth(name: str) -> None:
    assert not make_policy(name).oracle
    assert not make_policy(f"{name}:estimate=predicted").oracle
    assert make_policy(f"{name}:estimate=true").oracle
    with pytest.raises(InputError, match="depth of at least 1, got 0"):
        make_policy(f"{name}:depth=0")
