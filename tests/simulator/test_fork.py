"""A fork goes on exactly as its original would, wherever it was made, and the original never notices."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.simulator.decisions import Place, Preempt, WaitUntil
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import MOST_DECISIONS, ROUGH, TWO_NODES, Made, busy_trace, made, policy_of, snapshot
from tests.scenario import EVERY_EVENT, Scripted, job, simulate

SPECS = ["fifo", "sjf", "srtf", "tiresias:threshold_gpu_s=100", "las", "qssf", "easy-backfill", "chaos"]
DRAWN = RunOptions(draw=True, horizon_s=400.0, drain=True)


def run_of(spec: str, seed: int = 5) -> Simulation:
    return Made(TWO_NODES, busy_trace(seed), ROUGH, spec, DRAWN).simulation()


def end(sim: Simulation, decisions: int = MOST_DECISIONS) -> RunResult:
    """Run on, for so many decisions at most."""
    for _ in range(decisions):
        if (view := sim.advance()) is None:
            break
        sim.apply(sim.policy.decide(view))
    return result(sim)


# Ways to go a little further; each leaves the run in another kind of place.


def to_the_view(sim: Simulation) -> bool:
    return sim.advance() is not None


def past_the_decision(sim: Simulation) -> bool:
    if (view := sim.advance()) is None:
        return False
    sim.apply(sim.policy.decide(view))
    return True


def into_the_middle(sim: Simulation) -> bool:
    """Past the decision and some events further, not yet at the next."""
    if not past_the_decision(sim):
        return False
    for _ in range(3):
        if not sim.deciding and not sim.stopped and sim.clock.peek() < float("inf"):
            sim.clock.step()
    return True


WAYS = [to_the_view, past_the_decision, into_the_middle]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("spec", SPECS)
def test_a_fork_ends_as_its_original(spec: str, way: Callable[[Simulation], bool]) -> None:
    alone = end(run_of(spec))
    for after in (0, 40):
        sim = run_of(spec)
        for _ in range(after):
            past_the_decision(sim)
        way(sim)
        before = snapshot(sim)
        fork = sim.fork()
        assert snapshot(fork) == before
        done = after + (way is not to_the_view)
        forked = end(fork, MOST_DECISIONS - done)
        assert snapshot(sim) == before, "the original changed while its fork ran"
        original = end(sim, MOST_DECISIONS - done)
        assert forked == original
        assert forked == alone


@pytest.mark.parametrize("spec", ["tiresias:threshold_gpu_s=100", "chaos"])
def test_forks_of_forks(spec: str) -> None:
    alone, sim = end(run_of(spec)), run_of(spec)
    for _ in range(MOST_DECISIONS):
        if not past_the_decision(sim):
            break
        sim = sim.fork()
    assert result(sim) == alone


@given(made, st.integers(0, 30), st.sampled_from(WAYS))
def test_a_fork_of_anything(of: Made, after: int, way: Callable[[Simulation], bool]) -> None:
    sim = of.simulation()
    for _ in range(after):
        past_the_decision(sim)
    way(sim)
    fork = sim.fork()
    assert snapshot(fork) == snapshot(sim)
    forked, original = end(fork), end(sim)
    assert snapshot(fork) == snapshot(sim)
    assert forked == original


def test_a_fork_that_decides_otherwise_leaves_the_original_alone() -> None:
    alone, sim = end(run_of("fifo")), run_of("fifo")
    for _ in range(20):
        past_the_decision(sim)
    dice = random.Random(1)
    for _ in range(5):
        fork = sim.fork()
        fork.policy = policy_of("chaos")
        while (view := fork.advance()) is not None and view.now_s < 250:
            running = [job_id for pool in view.pools for job_id in pool.running]
            stops = [Preempt(job_id) for job_id in running if dice.random() < 0.02]
            waiting = [entry[2].spec for pool in view.pools for entry in pool.queue]
            fork.apply([*stops, *(Place(spec.job_id, ((0, spec.num_gpus),)) for spec in waiting)])
    assert end(sim) == alone


def test_a_fork_during_an_outage_gets_its_node_back() -> None:
    sim = run_of("fifo")
    while sim.now_s < 110:
        past_the_decision(sim)
    assert sim.state.up == 0b01
    fork = sim.fork()
    while fork.now_s < 150:
        past_the_decision(fork)
    assert fork.state.up == 0b11
    assert sim.state.up == 0b01
    assert end(sim) == end(fork)


def test_a_pending_wish_to_be_asked_is_kept() -> None:
    script = Scripted({5.0: [], 9.0: [Place("a", ((0, 1),))]})
    sim = simulate([job()], TWO_NODES, script, EVERY_EVENT)
    view = sim.advance()
    assert view is not None
    sim.apply([WaitUntil(9.0), WaitUntil(5.0)])
    fork = sim.fork()
    for run in (fork, sim):
        asked = []
        while past_the_decision(run):
            asked.append(run.now_s)
        assert asked == [5.0, 9.0]
        assert result(run).jobs.end_s == [109.0]


def test_rates_are_kept() -> None:
    sim = simulate([job(duration_s=100)], TWO_NODES)
    past_the_decision(sim)
    sim.straggle(sim.live["a"], 2.0)
    fork = sim.fork()
    fork.straggle(fork.live["a"], 0.25)
    assert (end(sim).jobs.end_s, end(fork).jobs.end_s) == ([200.0], [25.0])
