"""Quasi-shortest service first: learns from what has ended, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

from goodwatt.cluster.job import Job
from goodwatt.policies.history import History
from goodwatt.policies.registry import make_policy
from tests.made_runs import busy_trace
from tests.scenario import Nodes, cluster, fates, finished, job, simulate

ONE_NODE = cluster(Nodes(1))


def teach(count: int, user: str, lasts_s: float, from_s: float) -> list[Job]:
    """Jobs of a user one after the other, each alone on the node."""
    return [
        job(f"{user}{i}", gpus=8, submit_s=from_s + i * lasts_s, duration_s=lasts_s, user=user) for i in range(count)
    ]


def test_knowing_nothing_the_narrowest_is_next() -> None:
    jobs = [
        job("busy", gpus=8, duration_s=50),
        job("wide", gpus=8, submit_s=1, duration_s=10),
        job("narrow", gpus=1, submit_s=2, duration_s=1000),
    ]
    fate = fates(finished(simulate(jobs, ONE_NODE, "qssf")))
    assert fate["narrow"]["start"] == 50
    assert fate["wide"]["start"] == 1050


def test_it_learns_who_runs_long() -> None:
    taught = [*teach(10, "long", 1000.0, 0.0), *teach(10, "short", 10.0, 10_000.0)]
    jobs = [
        *taught,
        job("busy", gpus=8, submit_s=20_000, duration_s=50),
        job("l", gpus=8, submit_s=20_001, duration_s=10, user="long"),
        job("s", gpus=8, submit_s=20_002, duration_s=1000, user="short"),
    ]
    fate = fates(finished(simulate(jobs, ONE_NODE, "qssf")))
    assert fate["s"]["start"] == 20_050
    assert fate["l"]["start"] == 21_050


def test_predicted_gpu_time_counts_and_not_time_alone() -> None:
    jobs = [
        *teach(30, "ann", 100.0, 0.0),
        job("busy", gpus=8, submit_s=5000, duration_s=50),
        job("wide", gpus=8, submit_s=5001, duration_s=10, user="ann"),
        job("half", gpus=4, submit_s=5002, duration_s=10, user="ann"),
    ]
    fate = fates(finished(simulate(jobs, ONE_NODE, "qssf")))
    assert (fate["half"]["start"], fate["wide"]["start"]) == (5050, 5060)


def test_the_future_is_unknown() -> None:
    """Jobs that end after a moment may take any time: nothing that happens before it changes."""
    jobs = busy_trace(7, count=80)
    on, moment = cluster(Nodes(2)), 200.0
    sooner = finished(simulate(jobs, on, "qssf"))
    longer = {
        job_id for job_id, end_s in zip(sooner.jobs.job_id, sooner.jobs.end_s, strict=True) if (end_s or 0) > moment
    }
    later = tuple(replace(j, duration_s=j.duration_s * 3 + 77) if j.job_id in longer else j for j in jobs)
    other = finished(simulate(later, on, "qssf"))
    known = [s for s in sooner.jobs.start_s if s is not None and s <= moment]
    assert len(known) > 10
    assert len(longer) > 10
    assert known == [s for s in other.jobs.start_s if s is not None and s <= moment]


def test_jobs_count_once_when_they_end_and_never_before() -> None:
    sim = simulate([job("a", gpus=8, duration_s=100, user="ann"), job("b", gpus=8, submit_s=1)], ONE_NODE, "qssf")
    history = sim.view.memory
    assert isinstance(history, History)
    while (view := sim.advance()) is not None:
        assert len(history.to_plain()) == (0 if view.now_s < 100 else 4)
        sim.apply(sim.policy.decide(view))


def test_the_days_are_a_parameter() -> None:
    policy = make_policy("qssf:history_days=0.5")
    memory = policy.new_memory()
    assert isinstance(memory, History)
    for history in (memory, other := History(0.5)):
        history.job_ended(job(), 10.0, 0.0)
    assert memory.predict_s(job(), 43_200.0) == other.predict_s(job(), 43_200.0)
    assert memory.predict_s(job(), 43_200.0) > memory.predict_s(job(), 0.0)


def test_it_is_no_oracle_and_stops_nobody() -> None:
    assert not make_policy("qssf").oracle
    assert not make_policy("qssf").preemptive
