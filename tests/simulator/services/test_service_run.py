"""Services in a run: instances hold GPUs and draw watts, requests are lost nowhere, forks go on as the original."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.errors import InputError
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.power.serving.llm_shape import LlmShape
from goodwatt.simulator import nodes
from goodwatt.simulator.decisions import Drain, Place, Preempt
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.run import finish, result
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.services_state import Services
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.settings.serving_settings import Resolution, ServingSettings
from goodwatt.simulator.simulation import Simulation
from goodwatt.traces.requests.generate import class_source
from goodwatt.traces.requests.request_source import TraceSource
from goodwatt.traces.requests.request_trace import RequestTrace

SHAPE = LlmShape(parameters=8.03e9, active_parameters=8.03e9, layers=32, hidden=4096, kv_heads=8)
CHAT = Service(
    name="chat",
    model=SHAPE,
    gpu="H100-SXM",
    tensor_parallel=1,
    promise=Promise(ttft_s=1.0, tpot_s=0.05),
    requests=class_source("chat", mean_per_s=6.0, seed=1, peak_to_trough=1.0),
    min_replicas=2,
    max_replicas=3,
    start_s=20.0,
)
RESOLUTIONS: tuple[Resolution, ...] = ("ticks", "requests")


def simulation(
    *services: Service,
    resolution: Resolution = "ticks",
    policy: str = "fixed",
    jobs: int = 6,
    horizon_s: float = 600.0,
    power: str = "default",
    physics: str = "full",
) -> Simulation:
    cluster = load_cluster("generated:gpus=16,gpu=H100-SXM,per_node=8")
    options = RunOptions(
        seed=1,
        physics=physics,
        start_s=0.0,
        horizon_s=horizon_s,
        services=services,
        serving=ServingSettings(resolution=resolution),
        budget_w=12_000.0 if power == "budget" else None,
    )
    made: Policy = with_power(with_services(make_policy("fifo"), policy), power)
    sizes = [1, 2, 4, 8, 1, 2]
    traced = [
        Job(job_id=f"j{i}", submit_s=40.0 * i, num_gpus=sizes[i % 6], duration_s=200.0 + 30.0 * i) for i in range(jobs)
    ]
    return Simulation(traced, cluster, made, None, options)


def services_of(sim: Simulation) -> Services:
    assert sim.services is not None
    return sim.services


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_instances_hold_gpus_and_serve(resolution: Resolution) -> None:
    sim = simulation(CHAT, resolution=resolution)
    assert finish(sim)
    services, book = services_of(sim), services_of(sim).fleet.books[0]
    assert [instance.state for instance in services.instances.values()] == ["serving"] * 3
    assert book.attainment is not None
    assert book.attainment > 0.97
    drawn = [instance.run._truth.energy_j for instance in services.instances.values()]
    assert all(joules is not None and joules > 600.0 * 126.0 for joules in drawn)


def test_jobs_see_nothing_of_instances() -> None:
    sim = simulation(CHAT)
    assert finish(sim)
    run = result(sim)
    assert run.jobs.job_id == [f"j{i}" for i in range(6)]
    assert max(run.timeline.running) <= 6
    assert max(run.timeline.busy_gpus) >= 3.0  # instances are in use


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_fork_goes_on_as_the_original(resolution: Resolution) -> None:
    sim = simulation(CHAT, resolution=resolution)
    while (view := sim.advance()) is not None and sim.now_s < 250.0:
        sim.apply(sim.policy.decide(view))
    assert view is not None
    twin = sim.fork()
    for one in (sim, twin):
        one.apply(one.policy.decide(one.view))
        assert finish(one)
    assert result(sim).summary == result(twin).summary
    books = [services_of(one).fleet.books[0] for one in (sim, twin)]
    assert (books[0].counts == books[1].counts).all()


def test_a_fork_leaves_the_original_alone() -> None:
    alone = simulation(CHAT)
    assert finish(alone)
    sim = simulation(CHAT)
    while (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
        if 200.0 < sim.now_s < 220.0:
            finish(sim.fork()) if sim.deciding else None
    assert result(sim).summary == result(alone).summary


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_same_seed_gives_the_same_bits(resolution: Resolution) -> None:
    one, other = simulation(CHAT, resolution=resolution), simulation(CHAT, resolution=resolution)
    assert finish(one)
    assert finish(other)
    assert result(one).summary == result(other).summary
    assert (services_of(one).fleet.books[0].counts == services_of(other).fleet.books[0].counts).all()


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_no_request_is_lost_when_an_instance_drains_or_dies(resolution: Resolution) -> None:
    few = class_source("chat", mean_per_s=3.0, seed=1, peak_to_trough=1.0).between(0.0, 200.0)
    trace = RequestTrace("few", few.arrival_s, few.prompt_tokens, few.output_tokens)
    sim = simulation(replace(CHAT, requests=TraceSource(trace)), resolution=resolution, horizon_s=900.0, jobs=1)
    drained = died = False
    while (view := sim.advance()) is not None:
        decisions = list(sim.policy.decide(view)) if sim.now_s < 60.0 else []
        if sim.now_s > 60.0 and not drained:
            drained = True
            decisions.append(Drain("chat/0"))
        sim.apply(decisions)
        if sim.now_s > 120.0 and not died:
            died = True
            sim.stop(services_of(sim).instances["chat/1"].run, failed=True)
            assert [one.state for one in services_of(sim).instances.values()] == ["idle", "idle", "serving"]
    book = services_of(sim).fleet.books[0]
    assert int(book.done.sum()) == len(few.arrival_s) == int(book.arrived.sum())
    assert result(sim).summary["lost_work_gpu_s"] == 0.0


def test_a_service_ends_the_run_when_all_is_served() -> None:
    few = class_source("chat", mean_per_s=3.0, seed=1, peak_to_trough=1.0).between(0.0, 100.0)
    trace = RequestTrace("few", few.arrival_s, few.prompt_tokens, few.output_tokens)
    sim = simulation(replace(CHAT, requests=TraceSource(trace)), jobs=0, horizon_s=10_000.0)
    sim.options = replace(sim.options, horizon_s=None)
    sim.marks = []
    assert finish(sim)
    assert 100.0 <= sim.now_s < 130.0


REFUSED = [
    # decision,                                                   reason
    (Preempt("chat/0"), "an instance of a service is drained, not stopped"),
    (Drain("j0"), "it is no instance of a service"),
    (Drain("chat/2"), "the instance holds no GPUs"),
    (Drain("nobody"), "it is no instance of a service"),
    (Place("chat/2", ((1, 1),), role="prefill"), "expected a role out of both, got 'prefill'"),
    (Place("j3", ((1, 8),), role="decode"), "expected a role out of both, got 'decode'"),
]


@pytest.mark.parametrize(("decision", "reason"), REFUSED)
def test_what_is_refused(decision: Drain | Place | Preempt, reason: str) -> None:
    sim = simulation(CHAT, policy="fixed:replicas=2")
    while (view := sim.advance()) is not None and sim.now_s < 130.0:
        sim.apply(sim.policy.decide(view))
    sim.apply([decision])
    assert reason in sim.executor.refusals[-1].reason


def test_a_budget_holds_instances_too() -> None:
    sim = simulation(CHAT, power="budget")
    assert finish(sim)
    summary = result(sim).summary
    assert summary["over_budget_s"] == 0.0
    assert services_of(sim).holding >= 1


def test_a_node_that_goes_away_takes_its_instances_along() -> None:
    sim = simulation(CHAT, jobs=1)
    while (view := sim.advance()) is not None and sim.now_s < 100.0:
        sim.apply(sim.policy.decide(view))
    node = services_of(sim).instances["chat/0"].run.placement[0][0]
    for run in nodes.jobs_on(sim, node):
        sim.stop(run, failed=True)
    assert services_of(sim).instances["chat/0"].state == "idle"
    sim.apply([])
    assert finish(sim)
    assert services_of(sim).instances["chat/0"].state == "serving"  # started again elsewhere


def test_services_need_full_physics() -> None:
    with pytest.raises(InputError, match="full"):
        simulation(CHAT, physics="ideal")


def test_a_kind_that_the_cluster_has_not() -> None:
    with pytest.raises(InputError, match="B200-SXM"):
        simulation(replace(CHAT, gpu="B200-SXM"))


@pytest.mark.parametrize("scheduling", ["las", "srtf", "tiresias"])
def test_services_are_decided_about_between_rounds_of_jobs(scheduling: str) -> None:
    made = with_services(make_policy(scheduling), "reactive")
    jobs = [Job(job_id=f"j{i}", submit_s=7.0 * i, num_gpus=1 + i % 4, duration_s=100.0) for i in range(20)]
    options = RunOptions(seed=1, physics="full", start_s=0.0, horizon_s=300.0, services=(CHAT,))
    sim = Simulation(jobs, load_cluster("generated:gpus=16,gpu=H100-SXM,per_node=8"), made, None, options)
    services_s, jobs_s = list[float](), list[float]()
    while (view := sim.advance()) is not None:
        decisions = made.decide(view)
        assert view.services is not None
        services_s += [view.now_s] if view.services.due else []
        jobs_s += [view.now_s for one in decisions if isinstance(one, Place) and one.job_id.startswith("j")]
        sim.apply(decisions)
    assert services_s[:5] == [0.0, 5.0, 10.0, 15.0, 20.0]
    assert len(services_s) == 61
    assert jobs_s
    assert all(time_s % sim.engine.decision_interval_s == 0.0 for time_s in jobs_s)
