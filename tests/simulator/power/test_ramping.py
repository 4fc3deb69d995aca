"""Power rises no faster than it may: gangs come up piece by piece, caps rise in steps."""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.job import Job
from goodwatt.errors import InputError
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import Preempt, Resize, SetCap
from goodwatt.simulator.physics.full import FullPhysics
from goodwatt.simulator.power.ramping import SiteRamp
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import EVERY_EVENT, job, until

FULL = RunOptions(physics="full", start_s=0.0, draw=True)


def hall(nodes: int = 4, ramp_w: float | None = 4_000.0, rack_ramp_w: float | None = None) -> Cluster:
    """Nodes of eight H100, four in a rack."""
    rack = {} if rack_ramp_w is None else {"ramp_w_per_s": rack_ramp_w}
    site = {} if ramp_w is None else {"ramp_w_per_s": ramp_w}
    return build_cluster(
        {
            "nodes": [{"gpu": "H100-SXM", "gpus": 8, "count": nodes, "nodes_per_rack": 4}],
            "racks": [{"name": "rack-*", **rack}],
            "power": {"node": "dgx-h100", **site},
        }
    )


def gang(job_id: str = "a", gpus: int = 32, submit_s: float = 10.3, duration_s: float = 300.0, **more: Any) -> Job:
    """567 W on each H100 while it computes."""
    return job(
        job_id, gpus, submit_s, duration_s, **{"workload": "llama30b_train", "reference_gpu": "H100-SXM", **more}
    )


def run_of(jobs: list[Job], on: Cluster, power: str = "ramp", **more: Any) -> Simulation:
    return Simulation(jobs, on, with_power(make_policy("fifo"), power), EVERY_EVENT, replace(FULL, **more))


def ended(sim: Simulation) -> RunResult:
    sim.run()
    return result(sim)


def steepest_w(outcome: RunResult) -> float:
    """The most by which power rises within a second, wherever it begins."""
    times, watts = outcome.timeline.t_s, outcome.timeline.power_w
    before = [bisect_right(times, time_s - 1.0) - 1 for time_s in times]
    return max((now - watts[i] for now, i in zip(watts, before, strict=True) if i >= 0), default=0.0)


def parts(sim: Simulation) -> tuple[FullPhysics, SiteRamp]:
    assert isinstance(sim.physics, FullPhysics)
    assert sim.ramp is not None
    return sim.physics, sim.ramp


def test_without_it_power_jumps() -> None:
    assert steepest_w(ended(run_of([gang()], hall(), "default"))) > 18_000


def test_a_gang_rises_within_the_limit() -> None:
    outcome = ended(run_of([gang()], hall()))
    assert 3_000 < steepest_w(outcome) <= 4_000
    assert max(outcome.timeline.power_w) > 24_000


def test_what_that_costs_is_a_few_seconds() -> None:
    fast, slow = (ended(run_of([gang()], hall(), power)).jobs.end_s[0] for power in ("default", "ramp"))
    assert fast is not None
    assert slow is not None
    assert fast + 2 < slow < fast + 12


def test_the_policy_may_say_how_fast() -> None:
    assert steepest_w(ended(run_of([gang()], hall(ramp_w=None), "ramp:w_per_s=2500"))) <= 2_500


def test_without_a_limit_it_starts_within_the_second() -> None:
    outcome = ended(run_of([gang()], hall(ramp_w=None)))
    assert steepest_w(outcome) > 18_000
    assert outcome.jobs.end_s == pytest.approx([311.0])


def test_the_stages_of_a_start() -> None:
    """Nodes come up, wait, compute together under a low cap, then the cap rises to the board's own."""
    sim = until(run_of([gang()], hall()), 10.3)
    physics, ramp = parts(sim)
    run = sim.live["a"]
    idle_w = sum(sim.physics.power())
    assert (run._truth.rate, ramp.rising["a"].up, physics.in_use(0)) == (0.0, 0, 0)
    assert physics.counters(run) is None
    until(sim, 11.0)
    assert 0 < (ramp.rising["a"].up or 0) < 4
    assert physics.in_use(0) == 8
    assert idle_w < sum(sim.physics.power()) <= idle_w + 4_000
    while run._truth.rate == 0.0:
        sim.clock.step()
    waited_w = sum(sim.physics.power())
    assert ramp.rising["a"].up is None
    assert run.cap_w is not None
    caps = []
    while run.cap_w is not None:
        caps.append(run.cap_w)
        sim.clock.step()
    assert caps == sorted(caps)
    assert len(set(caps)) > 3
    assert sum(sim.physics.power()) > waited_w + 5_000
    assert not ramp.rising


def test_the_time_of_the_launch_is_time_of_starting() -> None:
    sim = run_of([gang()], hall(ramp_w=2_000.0))
    until(sim, 200.0)
    sim.live["a"].settle(sim.now_s)
    lost = sim.live["a"]._truth.lost.parts
    assert 2 < lost["restart"] < 20
    assert sim.live["a"]._truth.lost.wall_s == pytest.approx(sim.now_s - 10.3)


def test_jobs_that_come_together_rise_one_after_the_other() -> None:
    jobs = [gang(f"j{i}", 4, 10.0 + i / 100, workload="vit_train") for i in range(8)]
    outcome = ended(run_of(jobs, hall()))
    assert steepest_w(outcome) <= 4_000
    assert outcome.jobs.end_s == sorted(outcome.jobs.end_s, key=lambda s: s or 0.0)


def test_racks_have_limits_of_their_own() -> None:
    sim = run_of([gang("a", 32, 10.0), gang("b", 32, 10.0)], hall(8, None, 3_000.0))
    load_w: dict[str, list[tuple[float, float]]] = {"rack-001": [], "rack-002": []}
    _, ramp = parts(sim)
    meter = ramp.physics.meter
    while not sim.stopped and sim.now_s < 60.0:
        until(sim, sim.clock.peek())
        for name, seen in load_w.items():
            seen.append((sim.now_s, meter.rack_uw[meter.racks[name]] / 1e6))
    for seen in load_w.values():
        times = [time_s for time_s, _ in seen]
        before = [bisect_right(times, time_s - 1.0) - 1 for time_s in times]
        rises = [watts - seen[i][1] for (_, watts), i in zip(seen, before, strict=True) if i >= 0]
        assert 2_000 < max(rises) <= 3_000


def test_a_node_larger_than_the_limit_is_saved_up_for() -> None:
    sim = run_of([gang("a", 8, 10.0), gang("tiny", 1, 10.0, workload="vit_train")], hall(ramp_w=500.0))
    started: dict[str, float] = {}
    while not sim.stopped and len(started) < 2:
        until(sim, sim.clock.peek())
        started |= {i: sim.now_s for i, run in sim.live.items() if run._truth.rate > 0.0 and i not in started}
    assert 11.0 < started["a"] < 20.0
    assert started["a"] < started["tiny"], "nobody passes the first"


def test_a_cap_that_rises_later_does_so_in_steps_and_falls_at_once() -> None:
    sim = until(run_of([gang()], hall()), 60.0)
    high_w = sum(sim.physics.power())
    sim.executor.apply([SetCap("a", 250.0)])
    until(sim, 62.0)
    low_w = sum(sim.physics.power())
    assert low_w < high_w - 8_000
    sim.executor.apply([SetCap("a", None)])
    sim.clock.step()
    assert low_w < sum(sim.physics.power()) <= low_w + 4_000
    until(sim, 70.0)
    assert sum(sim.physics.power()) == pytest.approx(high_w)
    sim.executor.apply([SetCap("a", 300.0)])
    until(sim, 80.0)
    assert sim.live["a"].cap_w == 300.0
    sim.executor.apply([SetCap("a", None)])
    until(sim, 81.0)
    sim.executor.apply([SetCap("a", 260.0)])
    until(sim, 90.0)
    assert sim.live["a"].cap_w == 260.0
    assert not parts(sim)[1].rising
    assert steepest_w(ended(sim)) <= 4_000


def test_a_gang_that_is_stopped_while_it_comes_up_leaves_nothing_behind() -> None:
    sim = until(run_of([gang(), gang("b", 8, 50.0)], hall(ramp_w=2_000.0)), 12.0)
    physics, ramp = parts(sim)
    sim.executor.apply([Preempt("a")])
    assert not ramp.rising
    assert [physics.in_use(node) for node in range(4)] == [0, 0, 0, 0]
    assert sum(sim.physics.power()) == pytest.approx(sum(run_of([], hall()).physics.power()))
    assert ended(sim).jobs.state == ["finished", "finished"]


def test_a_gang_that_is_resized_while_it_comes_up_comes_up_anew() -> None:
    """It does not compute on nodes of which some are not up, nor all at once after its pause."""
    sim = until(run_of([gang(min_gpus=8)], hall(ramp_w=2_000.0)), 12.0)
    physics, ramp = parts(sim)
    assert ramp.rising["a"].up == 2
    sim.executor.apply([Resize("a", ((0, 8), (2, 8), (3, 8)))])
    assert not sim.executor.refusals
    run = sim.live["a"]
    while run._truth.rate == 0.0:
        assert (physics.in_use(0), ramp.rising["a"].up) == (0, 0) or not physics.paused("a")
        sim.clock.step()
    assert all(physics.in_use(node) == 8 for node in (0, 2, 3))
    assert steepest_w(ended(sim)) <= 2_000


def test_budget_and_ramp_together() -> None:
    sim = run_of([gang("a", 16), gang("b", 16, 40.0)], hall(), "budget+ramp", budget_w=18_000.0)
    outcome = ended(sim)
    assert max(outcome.timeline.power_w) <= 18_000
    assert steepest_w(outcome) <= 4_000
    assert outcome.jobs.state == ["finished", "finished"]


def test_ideal_physics_know_nothing_of_it() -> None:
    assert ended(run_of([gang()], hall(), physics="ideal")).jobs.end_s == [310.3]


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(InputError, match="w_per_s"):
        run_of([], hall(), "ramp:w_per_s=-1")


def traffic(seed: int) -> list[Job]:
    dice = random.Random(seed)
    classes = ["vit_train", "llm_decode", "resnet50_train", "rl_small", "bert_squad"]
    jobs = [
        gang(
            f"j{i}", dice.choice([1, 2, 4, 8]), dice.uniform(0, 120), dice.uniform(3, 90), workload=dice.choice(classes)
        )
        for i in range(14)
    ]
    return sorted([*jobs, gang("gang", 16, 60.0, 50.0)], key=lambda j: j.submit_s)


@pytest.mark.parametrize("at_s", [10.0, 60.0, 61.5, 64.0, 100.2])
@pytest.mark.parametrize("power", ["ramp", "budget+ramp"])
def test_forks_and_saved_runs_go_on_alike(at_s: float, power: str, tmp_path: Path) -> None:
    jobs, more = traffic(4), {"budget_w": 20_000.0}
    alone = ended(run_of(jobs, hall(), power, **more))
    sim = until(run_of(jobs, hall(), power, **more), at_s)
    fork = sim.fork()
    save(sim, tmp_path / "run.json")
    loaded = load(tmp_path / "run.json", jobs, hall(), sim.policy, EVERY_EVENT, sim.options)
    assert parts(loaded)[1].to_plain() == parts(fork)[1].to_plain() == parts(sim)[1].to_plain()
    for one in (fork, loaded, sim):
        assert ended(one) == alone


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), limit_w=st.sampled_from([2_500.0, 4_000.0, 8_000.0]), capped=st.booleans())
def test_whole_seconds_bring_no_more_than_the_limit(seed: int, limit_w: float, capped: bool) -> None:
    """Random jobs on whole GPUs: what starts and what is raised keeps to it; neighbours that leave are not asked."""
    power = "budget+ramp" if capped else "ramp"
    outcome = ended(run_of(traffic(seed), hall(ramp_w=limit_w), power, budget_w=20_000.0))
    times, watts = outcome.timeline.t_s, outcome.timeline.power_w
    rises = [b - a for time_s, a, b in zip(times[1:], watts, watts[1:], strict=False) if time_s == int(time_s)]
    assert max(rises, default=0.0) <= limit_w
    assert outcome.jobs.state == ["finished"] * 15
    if capped:
        assert max(watts) <= 20_000.0
