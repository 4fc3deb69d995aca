"""GPUs that batch jobs give back: as soon as in an empty cluster, from those who lose least, from nobody protected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.service_reclaim import Reclaim
from goodwatt.simulator.decisions import Group, Place, Preempt
from goodwatt.simulator.settings.engine import Engine, load_engine
from goodwatt.simulator.settings.guardrails import Guardrails
from tests.policies.services.service_runs import Watched, chat, serving

ONE_NODE = load_cluster("generated:gpus=8,gpu=H100-SXM,per_node=8")
CONTROL_S, START_S = 5.0, 30.0


def job(name: str, gpus: int = 1, submit_s: float = 0.0, **more: Any) -> Job:
    facts: dict[str, Any] = {"duration_s": 1e5, "workload": "bert_train"} | more
    return Job(job_id=name, submit_s=submit_s, num_gpus=gpus, **facts)


def stopped(watched: Watched) -> list[str]:
    groups = [d for _, d in watched.decisions if isinstance(d, Group)]
    return [step.job_id for group in groups for step in group.decisions if isinstance(step, Preempt)]


def grown(jobs: list[Job], spec: str = "reactive:down_s=60", **more: Any) -> Watched:
    """The load of two instances, then from 900 s of five."""
    service = chat((0.0, 12.0), (900.0, 44.0), min_replicas=1, max_replicas=6, start_s=START_S)
    return Watched(serving(spec, service, until_s=1300.0, on=ONE_NODE, jobs=jobs, **more))


@pytest.mark.parametrize("spec", ["reactive:down_s=60", "predictive:down_s=60"])
def test_instances_return_as_fast_as_in_an_empty_cluster(spec: str) -> None:
    """So the time from the return of the load is that of noticing it, one control at most, and `start_s`."""
    empty, full = grown([], spec), grown([job(f"j{number}") for number in range(30)], spec)
    before = full.counts[full.at(890.0)]
    assert full.sim.state.free_gpus == 0
    needed = empty.counts[-1]
    assert before < 4 <= needed
    for time_s in (905.0, 930.0, 960.0, 990.0):
        later = full.counts[full.at(time_s + CONTROL_S)]
        assert later >= empty.counts[empty.at(time_s)] - 1
    there = [time_s for time_s, count in zip(full.times, full.counts, strict=True) if time_s > 900 and count >= 4]
    assert there[0] <= 900.0 + 60.0 + 2 * CONTROL_S
    assert full.sim.executor.refusals == []
    assert len(stopped(full)) == len(set(stopped(full)))


def test_scheduling_policies_that_look_at_running_jobs_go_on() -> None:
    jobs = [job(f"j{number}", 2 if number % 3 else 1) for number in range(30)]
    watched = grown(jobs, policy="easy-backfill")
    assert stopped(watched)
    assert watched.counts[-1] >= 4


def test_instances_in_slices_get_gpus_of_jobs_too() -> None:
    sliced: dict[str, Any] = {"mig_profile": "3g.40gb", "min_replicas": 1, "max_replicas": 16}
    service = chat((0.0, 4.0), (600.0, 30.0), **sliced)
    jobs = [job(f"j{number}") for number in range(30)]
    empty, full = (
        Watched(serving("reactive:down_s=60", service, until_s=900.0, on=ONE_NODE, jobs=some)) for some in ([], jobs)
    )
    assert stopped(full)
    assert full.counts[-1] == empty.counts[-1] > full.counts[full.at(590.0)]
    assert full.sim.executor.refusals == []


def test_who_may_not_be_stopped_keeps_his_gpus() -> None:
    jobs = [job(f"j{number}", user="u") for number in range(30)]
    guarded = Guardrails(promises=False, protected=frozenset({"u"}), protected_from=frozenset({"preemption"}))
    watched = grown(jobs, guardrails=guarded)
    assert stopped(watched) == []
    assert watched.counts[-1] <= 3


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([job("small"), job("large", 4)], ["small"]),
        ([job("pair", 2), job("one", submit_s=40.0), job("two", submit_s=50.0)], ["one", "two"]),
        (
            [job("saved", checkpoint_interval_s=10.0), job("not", checkpoint_interval_s=1e4)],
            ["saved"],
        ),
        ([job("old"), job("young", submit_s=50.0)], ["young"]),
    ],
    ids=["fewer GPUs", "as much for each GPU: those started last", "just saved", "youngest"],
)
def test_who_loses_least_goes(jobs: list[Job], expected: list[str]) -> None:
    width = len(expected)
    load = replace(chat((0.0, 4.0), min_replicas=1, max_replicas=4), tensor_parallel=width)
    left = 8 - width - sum(one.num_gpus for one in jobs)
    others = [job(f"other{number}", preemptible=False) for number in range(left)]
    sim = serving("fixed:replicas=1", load, until_s=100.0, on=ONE_NODE, jobs=[*others, *jobs])
    while sim.now_s < 90.0 and (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
    assert view is not None
    assert view.services is not None
    idle = next(one for one in view.services.instances(0) if one.state == "idle")
    with view.what_if():
        group = Reclaim(view).room_for(idle, "both", "load")
        assert group is not None
        assert sorted(step.job_id for step in group.decisions if isinstance(step, Preempt)) == expected
        place = group.decisions[-1]
        assert isinstance(place, Place)
        assert place.job_id == idle.job_id


def test_the_engine_says_how_often_jobs_save_their_state_and_what_a_restart_takes() -> None:
    """At 90 s the older job has saved its state 5 s ago, the younger one never."""
    plain = replace(load_engine("default").plain, checkpoint_interval_s=85.0)
    load, others = chat((0.0, 4.0), min_replicas=1, max_replicas=4), [job(f"o{i}", preemptible=False) for i in range(5)]
    jobs = [*others, job("old"), job("young", submit_s=50.0)]
    sim = serving(
        "fixed:replicas=1", load, until_s=100.0, on=ONE_NODE, jobs=jobs, engine=Engine("saving", plain, plain)
    )
    while sim.now_s < 90.0 and (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
    assert view is not None
    assert view.services is not None
    with view.what_if():
        group = Reclaim(view).room_for(view.services.instances(0)[1], "both", "load")
    assert group is not None
    assert group.decisions[0] == Preempt("old", "load")


def test_nothing_is_offered_where_nobody_runs() -> None:
    sim = serving("fixed:replicas=1", chat((0.0, 4.0), max_replicas=2), until_s=100.0, on=ONE_NODE)
    view = sim.advance()
    assert view is not None
    assert view.services is not None
    with view.what_if():
        assert Reclaim(view).room_for(view.services.instances(0)[1], "both", "load") is None
