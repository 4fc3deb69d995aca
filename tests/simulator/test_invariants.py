"""What holds in every run, whatever the cluster, the jobs, the engine and the policy."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Quotas
from goodwatt.cluster.job import Job
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.guardrails import NO_GUARDRAILS
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import (
    MOST_DECISIONS,
    Made,
    assert_adds_up,
    assert_occupancy_fits,
    busy_trace,
    clusters,
    engines,
    jobs,
    made,
    quotas,
    snapshot,
    sturdy,
)
from tests.scenario import EVERY_EVENT, Nodes, cluster, engine, simulate
from tests.state_content import assert_sound, content


def watched(sim: Simulation) -> None:
    """Run, and look at everything at every decision."""
    specs: dict[str, Job] = {job.job_id: job for job in sim.jobs}
    last_s = float("-inf")
    for _ in range(MOST_DECISIONS):
        view = sim.advance()
        if view is None:
            return
        assert view.now_s >= last_s
        last_s = view.now_s
        assert_sound(sim.state, specs)
        before = content(sim.state)
        decisions = sim.policy.decide(view)
        assert content(sim.state) == before, "deciding left its mark on the state"
        sim.apply(decisions)
        assert_sound(sim.state, specs)
        assert_queues(sim)


def assert_queues(sim: Simulation) -> None:
    """Every live job stands in the queue of its pool or runs there, and in one of the two only."""
    waiting = [entry[2].spec.job_id for pool in sim.view.pools for entry in pool.queue]
    running = [job_id for pool in sim.view.pools for job_id in pool.running]
    assert sorted(waiting + running) == sorted(sim.live)
    assert set(running) == set(sim.state.placements)
    for job_id, run in sim.live.items():
        assert run.placement == sim.state.placements.get(job_id, ())


@given(made)
def test_runs(of: Made) -> None:
    sim = of.simulation()
    watched(sim)
    outcome = result(sim)
    assert_occupancy_fits(outcome, of, sim.jobs)
    assert_adds_up(outcome, of, sim)


@given(sturdy)
def test_well_behaved_policies_are_never_refused(of: Made) -> None:
    if not of.policy.endswith("chaos"):
        free = replace(of, options=replace(of.options, guardrails=NO_GUARDRAILS))
        sim = free.simulation()
        sim.run()
        assert sim.executor.refusals == []


@given(clusters, jobs, engines, st.sampled_from(["fifo", "sjf", "tiresias:threshold_gpu_s=60", "srtf"]))
def test_every_job_that_fits_ends(on: object, trace: tuple[Job, ...], settings: object, policy: str) -> None:
    of = Made(on, trace, settings, policy)  # type: ignore[arg-type]
    sim = of.simulation()
    sim.run()
    over_quota = {spec.job_id for spec in trace if sim.quotas is not None and never_in_quota(spec, of.on.quotas)}
    assert sim.live.keys() <= over_quota
    assert sim.recorder.totals.ended + len(sim.refused) + len(sim.live) == len(trace)


def never_in_quota(spec: Job, limits: Quotas) -> bool:
    by_user = limits.users.get(spec.user, limits.users.get("*")) if spec.user else None
    by_partition = limits.partitions.get(spec.partition) if spec.partition else None
    return any(limit is not None and spec.gpus > limit for limit in (by_user, by_partition))


@given(quotas.filter(lambda q: bool(q.users)), jobs, st.sampled_from(["fifo", "srtf", "chaos"]))
def test_quotas_are_kept(limits: Quotas, trace: tuple[Job, ...], policy: str) -> None:
    of = Made(cluster(Nodes(2), quotas=limits), trace, EVERY_EVENT, policy)
    sim = of.simulation()
    for _ in range(MOST_DECISIONS):
        if (view := sim.advance()) is None:
            return
        sim.apply(sim.policy.decide(view))
        for user, limit in (("ann", 3), ("bob", 6.5)):
            in_use = sum(
                run.spec.num_gpus * run.spec.gpu_milli
                for run in sim.live.values()
                if run.running and run.spec.user == user
            )
            assert in_use <= limit * 1000


@given(st.integers(0, 10_000), st.sampled_from([0.0, 2.0]))
def test_work_is_conserved_under_any_rates(seed: int, lag_s: float) -> None:
    """With no stops, the integral of a job's rate over its stay (less the lag) is its duration."""
    dice, pieces = random.Random(seed), dict[str, float]()
    sim = simulate(busy_trace(seed, count=25), cluster(Nodes(2)), settings=engine(completion_lag_s=lag_s))
    since, rates = dict[str, float](), dict[str, float]()

    def settle(job_id: str, now_s: float) -> None:
        pieces[job_id] = pieces.get(job_id, 0.0) + (now_s - since[job_id]) * rates[job_id]
        since[job_id] = now_s

    while (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
        for job_id, run in sim.live.items():
            if run.running and dice.random() < 0.5:
                since.setdefault(job_id, run.started_s)
                rates.setdefault(job_id, 1.0)
                settle(job_id, view.now_s)
                rates[job_id] = dice.choice([0.1, 0.5, 1.0, 1.7, 3.0])
                sim.straggle(run, 1.0 / rates[job_id])
    columns = result(sim).jobs
    assert columns.work_gpu_s == [spec.duration_s * spec.gpus for spec in sim.jobs]
    for i, spec in enumerate(sim.jobs):
        start_s, end_s = columns.start_s[i], columns.end_s[i]
        assert start_s is not None
        assert end_s is not None
        if spec.job_id in rates and not lag_s:
            settle(spec.job_id, end_s)
            assert pieces[spec.job_id] == pytest.approx(spec.duration_s, rel=1e-9, abs=1e-9)
        elif spec.job_id not in rates:
            assert end_s == pytest.approx(start_s + spec.duration_s + lag_s, abs=1e-9)


def test_stale_ends_are_dropped() -> None:
    sim = simulate(busy_trace(1, count=10), cluster(Nodes(2)))
    ended = 0
    while (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
        for run in sim.live.values():
            if run.running:
                for rate in (0.5, 2.0, 1.0):
                    sim.straggle(run, 1.0 / rate)
        ended = sim.recorder.totals.ended
    assert sim.recorder.totals.ended == len(sim.jobs) >= ended


@given(made)
def test_a_seed_gives_one_result(of: Made) -> None:
    outcomes = []
    for _ in range(2):
        sim = of.simulation()
        for _ in range(MOST_DECISIONS):
            if (view := sim.advance()) is None:
                break
            sim.apply(sim.policy.decide(view))
        outcomes.append((snapshot(sim), result(sim)))
    assert outcomes[0] == outcomes[1]


def test_results_may_be_read_twice() -> None:
    sim = simulate(busy_trace(3), cluster(Nodes(2)), options=RunOptions(horizon_s=150.0, draw=True))
    sim.run()
    first = result(sim)
    occupancy = list(first.occupancy)
    assert result(sim).occupancy == occupancy
