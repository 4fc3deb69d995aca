"""What a policy sees of the power book: it can be read, and nothing that is read changes the book."""

from __future__ import annotations

from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.power.power_room import PowerRoom
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import busy_trace
from tests.policies.power.powered_runs import V100

ANSWERS = (tuple, bool, str, type(None))
QUESTIONS = {"plan"}


def room() -> tuple[Simulation, PowerRoom]:
    policy = with_power(make_policy("fifo"), "budget")
    sim = Simulation(busy_trace(3), V100, policy, options=RunOptions(physics="full", budget_w=4_000.0))
    for _ in range(20):
        view = sim.advance()
        assert view is not None
        sim.apply(sim.policy.decide(view))
    assert sim.view.book is not None
    return sim, sim.view.book


def test_it_says_what_the_book_holds() -> None:
    sim, seen = room()
    assert sim.book is not None
    assert (list(seen.limit_uw), list(seen.granted_uw)) == (sim.book.limit_uw, sim.book.granted_uw)
    assert (seen.names, seen.path, list(seen.held)) == (sim.book.names, sim.book.path, sim.book.held)
    assert seen.limited
    assert sum(seen.held) > 0


def test_there_is_nothing_to_write() -> None:
    _, seen = room()
    public = {name for name in dir(seen) if not name.startswith("_")} - QUESTIONS
    assert all(isinstance(getattr(seen, name), ANSWERS) for name in public)
    assert all(getattr(PowerRoom, name).fset is None for name in public)


def test_asking_changes_nothing() -> None:
    sim, seen = room()
    assert sim.book is not None
    before = sim.book.to_plain(), sim.book.granted_uw[:]
    plan = seen.plan()
    plan.start(((0, 8),), 250.0)
    assert plan.shortage(((1, 8),), 250.0) is not None
    plan.leave(list(sim.state.placements))
    assert (sim.book.to_plain(), sim.book.granted_uw) == before
