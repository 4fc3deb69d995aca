"""No run beats its bounds: not by work, not by energy for its work, whatever decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from goodwatt.cluster.cluster import HostPower
from goodwatt.cluster.host_power import SLEEPS, node_power
from goodwatt.cluster.packed import MOST_TENANTS
from goodwatt.policies.bounds.energy_bounds import BOUND_STEPS, BoundOptions, energy_bounds
from goodwatt.policies.bounds.share import SCOPES, least_j, share_of_bound
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.run_options import RunOptions
from tests.made_runs import MOST_DECISIONS, POLICIES, Made, busy_trace, clusters, jobs, options
from tests.scenario import Nodes, Scripted, cluster, engine, job, simulate

HOSTS = st.sampled_from(
    [
        HostPower(1.2, 300.0, 700.0),
        HostPower(1.0, 0.0, 0.0, sleep=SLEEPS["suspend"]),
        HostPower(1.1, node=node_power("dgx-h100"), sleep=SLEEPS["off"]),
        HostPower(1.1, node=node_power("v100-8")),
    ]
)
engines = st.builds(
    engine,
    decision_interval_s=st.sampled_from([0.0, 5.0]),
    completion_lag_s=st.sampled_from([0.0, 1.0]),
    restart_overhead_s=st.sampled_from([0.0, 3.5]),
    checkpoint_interval_s=st.sampled_from([0.0, 4.0]),
    gpu_choice=st.sampled_from(["kubelet", "policy"]),
    checkpoint_rule=st.sampled_from(["none", "daly"]),
    share_mode=st.sampled_from(["timeslice", "mps"]),
)
made = st.builds(Made, clusters, jobs, engines, st.sampled_from(POLICIES), options)
coarse = st.builds(
    BoundOptions,
    slots=st.sampled_from([1, 3, 12]),
    groups=st.sampled_from([1, 3, 12]),
    chip_bins=st.sampled_from([1, 3]),
)
ROUNDING = 1.0 + 1e-9


def summary_of(run: Made) -> dict[str, Any]:
    sim, decisions = run.simulation(), 0
    while (view := sim.advance()) is not None and (decisions := decisions + 1) <= MOST_DECISIONS:
        sim.apply(sim.policy.decide(view))
    return result(sim).summary


SLOTS_12 = BoundOptions(slots=12)


def bounds_of(run: Made, summary: dict[str, Any], how: BoundOptions = SLOTS_12) -> dict[str, Any]:
    about = replace(
        how,
        horizon_s=summary["horizon_s"],
        physics=run.options.physics,
        truth=run.options.truth,
        seed=run.options.seed,
        residents=MOST_TENANTS if "chaos" in run.policy else 1,
    )
    return energy_bounds(run.jobs, run.on, about)


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(made, HOSTS, coarse)
def test_no_run_beats_the_bounds(run: Made, host: HostPower, how: BoundOptions) -> None:
    run = replace(run, on=replace(run.on, power=host))
    assume(run.jobs)
    summary = summary_of(run)
    assume(summary["span_s"] > 0.0)
    shares = share_of_bound(summary, bounds_of(run, summary, how))
    assert shares is not None
    assert all(share is None or share <= ROUNDING for share in shares.values()), shares


SHARES_OF_WORK = (0.0, 0.01, 0.3, 0.7, 0.97, 1.0)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(made, HOSTS, coarse, st.sampled_from([None, 1500.0, 3000.0]))
def test_who_may_sleep_or_knows_no_queues_needs_no_more(
    run: Made, host: HostPower, how: BoundOptions, budget_w: float | None
) -> None:
    """At any amount of work sleep needs at most what staying awake does, and the floor what the relaxation does."""
    assume(run.jobs)
    about = replace(how, physics=run.options.physics, truth=run.options.truth, budget_w=budget_w)
    found = energy_bounds(run.jobs, replace(run.on, power=host), about)
    for share in SHARES_OF_WORK:
        work = share * found["most_work_gpu_s"]
        least = {
            (nodes, name, scope): least_j(found[nodes][name][scope]["lines"], work)
            for nodes in ("awake", "sleeping")
            for name in ("floor", "relaxation")
            for scope in SCOPES
        }
        for nodes, name, scope in least:
            assert least["sleeping", name, scope] <= least["awake", name, scope]
            assert least[nodes, "floor", scope] <= least[nodes, "relaxation", scope] * ROUNDING
    for scope in SCOPES:
        asleep, awake = (found[nodes]["relaxation"][scope] for nodes in ("sleeping", "awake"))
        assert asleep["energy_j"] <= awake["energy_j"]
        if awake["goodput_per_watt"] and asleep["goodput_per_watt"]:
            assert asleep["goodput_per_watt"] >= awake["goodput_per_watt"] * (1.0 - 1e-9)


def test_more_work_than_gpus_could_do_makes_no_bound_for_sleep_above_that_for_nodes_awake() -> None:
    """Four times the work that two nodes can do: the price of sleep is paid for no more nodes than there are."""
    jobs = tuple(job(f"j{i}", 8, duration_s=400.0, submit_s=float(i), workload="bert_train") for i in range(8))
    found = energy_bounds(jobs, H200S, BoundOptions(horizon_s=400.0, truth="model", slots=4))
    assert found["most_work_gpu_s"] < 0.6 * found["offered_work_gpu_s"]
    for name in ("floor", "relaxation"):
        for scope in SCOPES:
            assert found["sleeping"][name][scope]["energy_j"] <= found["awake"][name][scope]["energy_j"]
    assert found["awake"]["floor"]["it"]["energy_j"] <= found["awake"]["relaxation"]["it"]["energy_j"]


@pytest.mark.parametrize("budget_w", [1.0, 300.0, 1200.0, 1e6])
def test_a_budget_that_only_sleepers_keep_or_nobody(budget_w: float) -> None:
    jobs = busy_trace(1)
    found = energy_bounds(jobs, H200S, BoundOptions(horizon_s=400.0, truth="model", slots=4, budget_w=budget_w))
    free = energy_bounds(jobs, H200S, BoundOptions(horizon_s=400.0, truth="model", slots=4))
    assert found["most_work_gpu_s"] <= free["most_work_gpu_s"] * (1.0 + 1e-6)
    assert (found["most_work_gpu_s"] == 0.0) == (budget_w == 1.0)


def test_every_step_is_told() -> None:
    told: list[int] = []
    energy_bounds(busy_trace(1), H200S, BoundOptions(horizon_s=400.0, truth="model", slots=2), told.append)
    assert told == list(range(1, BOUND_STEPS + 1))


H200S = cluster(Nodes(2, kind="H200"), power=HostPower(1.1, node=node_power("dgx-h200"), sleep=SLEEPS["off"]))


@pytest.mark.parametrize("truth", ["model", "residual"])
@pytest.mark.parametrize("policy", ["fifo", "sjf", "srtf", "power-chaos"])
@pytest.mark.parametrize("horizon_s", [100.0, 400.0, None])
def test_a_busy_cluster_stays_below_and_comes_near(truth: str, policy: str, horizon_s: float | None) -> None:
    options = RunOptions(physics="full", truth=truth, horizon_s=horizon_s)
    run = Made(H200S, busy_trace(1), engine(), policy, options)
    summary = summary_of(run)
    shares = share_of_bound(summary, bounds_of(run, summary))
    assert shares is not None
    assert all(share is not None and share <= ROUNDING for share in shares.values()), shares
    if policy == "fifo":
        assert shares["relaxation_it"] is not None
        assert shares["relaxation_it"] > 0.6


CLASSES = st.sampled_from(["bert_train", "resnet50_imagenet", "llama2_70b_chat", "autoencoder_ml20m", "rl_small"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(CLASSES, min_size=2, max_size=2),
    st.sampled_from([("timeslice", 100.0), ("mps", 100.0), ("mps", 50.0)]),
    st.sampled_from([None, 600.0, 1005.0, 1410.0]),
    st.sampled_from([1, 2]),
    st.sampled_from(["model", "residual"]),
)
def test_pairs_stay_below_bounds_that_let_two_share(
    classes: list[str], way: tuple[str, float], clock_mhz: float | None, gpus: int, truth: str
) -> None:
    """With every GPU shared all the time, bounds for two residents have nothing to hide behind."""
    on = cluster(Nodes(1, gpus=gpus, kind="H200"))
    pair = tuple(job(name, gpus, duration_s=100.0, workload=kind) for name, kind in zip("ab", classes, strict=True))
    counts = ((0, gpus),)
    script = {
        0.0: (
            Place("a", counts, clock_mhz=clock_mhz),
            Place("b", counts, beside="a", sharing=way[0], thread_percent=way[1], clock_mhz=clock_mhz),
        )
    }
    options = RunOptions(physics="full", truth=truth, horizon_s=100.0)
    sim = simulate(pair, on, Scripted(script), engine(), options)
    sim.run()
    summary = result(sim).summary
    about = BoundOptions(horizon_s=100.0, truth=truth, residents=2, slots=2)
    shares = share_of_bound(summary, energy_bounds(pair, on, about))
    assert shares is not None
    assert all(share is not None and share <= ROUNDING for share in shares.values()), shares


@pytest.mark.parametrize("physics", ["ideal", "full"])
@pytest.mark.parametrize("size", [1, 2, 8])
def test_elastic_jobs_stay_below_at_every_size(physics: str, size: int) -> None:
    on = cluster(Nodes(1, kind="H200"))
    one = job("a", 4, duration_s=300.0, workload="bert_train", min_gpus=1, max_gpus=8)
    options = RunOptions(physics=physics, truth="model", horizon_s=100.0)
    sim = simulate((one,), on, Scripted({0.0: (Place("a", ((0, size),)),)}), engine(), options)
    sim.run()
    about = BoundOptions(horizon_s=100.0, physics=physics, truth="model", slots=2)
    shares = share_of_bound(result(sim).summary, energy_bounds((one,), on, about))
    assert shares is not None
    assert all(share is not None and share <= ROUNDING for share in shares.values()), shares
