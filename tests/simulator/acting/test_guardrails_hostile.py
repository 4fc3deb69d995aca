"""Policies that stop, move and slow down everybody break no guardrail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster, HostPower
from goodwatt.cluster.host_power import SLEEPS
from goodwatt.cluster.state import Placement
from goodwatt.simulator import nodes
from goodwatt.simulator.acting import longest_wait
from goodwatt.simulator.decisions import (
    Decision,
    Migrate,
    Place,
    Preempt,
    SetCap,
    SetClock,
    Sleep,
    WaitUntil,
)
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import View
from tests.made_runs import MOST_DECISIONS, Made, made
from tests.scenario import MadeUp, Nodes, calls, cluster, engine
from tests.simulator.acting.guardrails_runs import COMPUTING


@dataclass(frozen=True)
class Hostile(MadeUp):
    """Stops, moves and slows down everybody, packs whom it can, sends nodes to sleep, and places hardly anybody."""

    places: bool = False

    def queue_key(self, run: JobRun, view: View) -> float:
        return -run.spec.submit_s

    def decide(self, view: View) -> Sequence[Decision]:
        if calls(view).ask(view.now_s):
            return ()
        running = [run for pool in view.pools for run in pool.running.values()]
        waiting = [run.spec.job_id for pool in view.pools for _, _, run in pool.queue]
        found: list[Decision] = []
        for run in running:
            job_id, count = run.spec.job_id, run.spec.num_gpus
            slower: list[Decision] = [
                SetClock(job_id, 1.0), SetCap(job_id, 100.0), SetCap(job_id, 200.0), Preempt(job_id)
            ]  # fmt: skip
            move = Migrate(job_id, ((view.random.randrange(len(view.state.capacity)), count),))
            found += [view.random.choice(slower), move]
        if self.places and waiting:
            for job_id in waiting:
                host = view.random.choice(running).spec.job_id if running else None
                where = ((view.random.randrange(len(view.state.capacity)), view.run(job_id).spec.num_gpus),)
                found.append(Place(job_id, where, clock_mhz=1.0, cap_w=view.random.choice([100.0, 200.0, None])))
                found.append(
                    Place(job_id, (), beside=host, sharing="mps", thread_percent=view.random.choice([5.0, 100.0]))
                )
        found += [Sleep(node) for node in range(len(view.state.capacity))]
        return [*found, WaitUntil(view.now_s + 9.0)] if running or waiting else found


LIMITS = Guardrails(min_clock_mhz=300.0, max_slowdown=1.5, max_wait_s=15.0, protected=frozenset({"ann"}))

hostile = st.builds(
    lambda of, places, full: (
        replace(of, options=replace(of.options, guardrails=LIMITS, physics="full" if full else "ideal")),
        Hostile(places=places),
    ),
    made,
    st.booleans(),
    st.booleans(),
)


@given(hostile)
def test_no_policy_breaks_a_guardrail(case: tuple[Made, Hostile]) -> None:
    of, policy = case
    sim = Simulation(of.jobs, of.on, policy, of.settings, of.options)
    moves: dict[tuple[str, int], Placement] = {}
    for _ in range(MOST_DECISIONS):
        view = sim.advance()
        if view is None:
            break
        sim.apply(policy.decide(view))
        assert_nobody_waits_who_could_run(sim)
        for run in sim.live.values():
            if run.placement:
                assert_not_too_slow(sim, run, of.on)
            if run.spec.user == "ann":
                assert not run.preemptions
                key = (run.spec.job_id, run.failures)
                assert not run.placement or moves.setdefault(key, run.placement)
    result(sim)


def assert_not_too_slow(sim: Simulation, run: JobRun, on: Cluster) -> None:
    for name, mhz in sim.physics.held_mhz(run).items():
        assert mhz >= LIMITS.slowest_mhz([on.kinds[name]]) * (1 - 1e-6) or not (run.cap_w or run.clock_mhz)
    if run.spec.user == "ann":
        assert (run.clock_mhz, run.cap_w, run.thread_percent) == (None, None, 100.0)
        assert run.spec.gpu_milli < 1000 or not run.spec.num_gpus or nodes.together(sim, run) == [run]


def assert_nobody_waits_who_could_run(sim: Simulation) -> None:
    assert LIMITS.max_wait_s is not None
    late = [r for r in sim.live.values() if not r.placement and sim.now_s > r._truth.due_s]
    first = min(late, key=lambda run: run.index, default=None)
    if first is not None and (sim.quotas is None or sim.quotas.excess(first.base) is None) and sim.book is None:
        assert longest_wait.first_fit(first.base, sim.state) is None


def test_a_hostile_policy_only_costs_time() -> None:
    """Everybody ends, at no less than the clock that is allowed, and nobody waits longer than the cluster needs."""
    on = cluster(Nodes(2, 4, "V100"), power=HostPower(sleep=SLEEPS["suspend"]))
    jobs = [replace(COMPUTING, job_id=f"j{i}", submit_s=5.0 * i, duration_s=60.0, num_gpus=1 + i % 3) for i in range(9)]
    limits = replace(LIMITS, preemption=False, movement=False)
    options = RunOptions(physics="full", truth="model", guardrails=limits, horizon_s=5_000.0)
    sim = Simulation(jobs, on, Hostile(), engine(), options)
    sim.run()
    outcome = result(sim)
    assert outcome.summary["finished"] == 9
    assert (
        max((end or 0.0) - (start or 0.0) for start, end in zip(outcome.jobs.start_s, outcome.jobs.end_s, strict=True))
        <= 60 * 1.5 * 1.2
    )
