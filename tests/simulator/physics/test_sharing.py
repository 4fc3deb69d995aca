"""Shared GPUs in a run: what must hold whoever shares with whom, and who pays for it in speed and watts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goodwatt.simulator.decisions import Decision, Place, Preempt
from goodwatt.simulator.physics.full import FullPhysics
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.settings.engine import Engine, Outage
from goodwatt.simulator.settings.failure_rates import ComponentRates, FailureSettings
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import snapshot
from tests.scenario import EVERY_EVENT, Nodes, Scripted, cluster, engine, job, simulate
from tests.simulator.crowd import HOSTS, Crowd, assert_shared_well, crowded

ONE = cluster(Nodes(1, gpus=1, kind="H200"))
MODEL = RunOptions(physics="full", truth="model")
MOST_ROUNDS = 400
OFTEN = ComponentRates(per_hour=3.0, repair_median_s=200.0)
AWAY = (Outage("n1", 50, 90),)
BREAKING = [
    engine(failures=FailureSettings(gpu=OFTEN, gpu_takes=takes, fault_per_gpu_hour=0.2), outages=AWAY)
    for takes in ("gpu", "node")
]


def forward(sim: Simulation, rounds: int, look: bool = False) -> None:
    for _ in range(rounds):
        if (view := sim.advance()) is None:
            return
        sim.apply(sim.policy.decide(view))
        if look:
            assert_shared_well(sim)


# whatever happens ----------------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([None, *BREAKING]))
def test_gpus_are_shared_well_whatever_is_decided(seed: int, breaking: Engine | None) -> None:
    sim = crowded(seed, breaking)
    forward(sim, MOST_ROUNDS, look=True)
    outcome = result(sim)
    for spec, work, state in zip(sim.jobs, outcome.jobs.work_gpu_s, outcome.jobs.state, strict=True):
        assert state != "finished" or work == spec.duration_s * spec.gpus


def test_every_way_of_sharing_occurs() -> None:
    seen = set[str]()
    resized = alone = faults = 0
    for seed in range(6):
        sim = crowded(seed)
        for _ in range(MOST_ROUNDS):
            if (view := sim.advance()) is None:
                break
            sim.apply(sim.policy.decide(view))
            seen |= {run.sharing for run in sim.live.values() if run.placement}
            resized += any(run.placement and run.resized for run in sim.live.values())
            alone += any(run.alone for run in sim.live.values())
            faults += sum(run.failures for run in sim.live.values())
    assert seen == {"exclusive", "timeslice", "mps", "mig"}
    assert min(resized, alone, faults) > 0


@pytest.mark.parametrize("seed", [3, 4])
def test_forks_and_saved_runs_go_on_alike(seed: int, tmp_path: Path) -> None:
    faulty = engine(failures=FailureSettings(fault_per_gpu_hour=0.5), restart_overhead_s=5.0, share_mode="mps")
    alone = crowded(seed, faulty)
    forward(alone, MOST_ROUNDS)
    for after in (10, 60, 150):
        sim = crowded(seed, faulty)
        forward(sim, after)
        save(sim, tmp_path / "run.json")
        twins = [sim.fork(), load(tmp_path / "run.json", sim.jobs, HOSTS, Crowd(), faulty, sim.options)]
        for twin in twins:
            assert snapshot(twin) == snapshot(sim)
            forward(twin, MOST_ROUNDS - after, look=True)
            assert result(twin) == result(alone)


def test_a_run_is_saved_after_somebody_tried_to_do_without_a_host(tmp_path: Path) -> None:
    jobs = [job(f"j{i}", workload="resnet50_train", reference_gpu="H200-SXM", duration_s=1e3) for i in range(2)]
    script: dict[float, list[Decision]] = {0: [Place("j0", ((0, 1),)), Place("j1", (), beside="j0", sharing="mps")]}
    sim = simulate(jobs, ONE, Scripted(script), options=MODEL)
    forward(sim, 1)
    with sim.state.what_if() as state:
        state.release(sim.live["j0"].spec)
    save(sim, tmp_path / "run.json")
    twin = load(tmp_path / "run.json", jobs, ONE, Scripted(script), EVERY_EVENT, MODEL)
    assert snapshot(twin) == snapshot(sim)
    assert isinstance(sim.physics, FullPhysics)
    assert isinstance(twin.physics, FullPhysics)
    assert twin.physics.tenants(0) == sim.physics.tenants(0) == (("j0", "j1"),)


# who pays ------------------------------------------------------------------------------------------------------------


def pair(workloads: tuple[str, str], mode: str, percent: float = 100.0) -> Simulation:
    """Two jobs on one GPU, each with so many of its threads."""
    jobs = [job(f"j{i}", workload=name, reference_gpu="H200-SXM", duration_s=1e6) for i, name in enumerate(workloads)]
    decisions: list[Decision] = [
        Place("j0", ((0, 1),), sharing=mode, thread_percent=percent),
        Place("j1", (), beside="j0", sharing=mode, thread_percent=percent),
    ]
    sim = simulate(jobs, ONE, Scripted({0: decisions}), options=MODEL)
    forward(sim, 1)
    assert sim.executor.refusals == []
    return sim


def rates(sim: Simulation) -> list[float]:
    return [run._truth.rate for run in sim.live.values()]


def test_time_slices_halve_two_busy_jobs_and_hardly_touch_a_light_one() -> None:
    busy = rates(pair(("resnet50_train", "resnet50_train"), "timeslice"))
    assert busy[0] == busy[1] < 0.6
    light, heavy = rates(pair(("rl_small", "resnet50_train"), "timeslice"))
    assert min(light, heavy) > 0.6


def test_long_kernels_starve_short_ones_and_a_limit_of_threads_helps() -> None:
    prefill, decode = rates(pair(("llm_prefill", "llm_decode"), "mps"))
    assert prefill > 2 * decode
    free = rates(pair(("llm_decode", "llm_prefill"), "mps"))
    limited = rates(pair(("llm_decode", "llm_prefill"), "mps", percent=50))
    assert limited[0] > free[0]
    assert limited[1] < free[1]
    one = pair(("llm_prefill", "resnet50_train"), "mps").fork()
    one.live["j0"].thread_percent = 25.0
    one.physics.reset(one.live["j0"])
    before = one.live["j0"]._truth.rate
    one.follow()
    assert one.live["j0"]._truth.rate < before


def test_up_to_seven_stand_beside_one() -> None:
    jobs = [job(f"j{i}", workload="rl_small", reference_gpu="H200-SXM", duration_s=1e6) for i in range(9)]
    places: list[Decision] = [Place("j0", ((0, 1),))]
    places += [Place(f"j{i}", (), beside="j0", sharing="mps") for i in range(1, 9)]
    sim = simulate(jobs, ONE, Scripted({0: places}), options=MODEL)
    forward(sim, 1)
    assert sum(bool(run.placement) for run in sim.live.values()) == 8
    assert "8 jobs share a GPU" in sim.executor.refusals[0].reason
    assert_shared_well(sim)


def test_what_neighbours_cost_is_told_and_ends_with_them() -> None:
    jobs = [job(f"j{i}", workload="resnet50_train", reference_gpu="H200-SXM", duration_s=1e6) for i in range(2)]
    script: dict[float, list[Decision]] = {
        0: [Place("j0", ((0, 1),))],
        100: [Place("j1", (), beside="j0", sharing="timeslice")],
        300: [Preempt("j1")],
    }
    sim = simulate(jobs, ONE, Scripted(script), options=RunOptions(physics="full", truth="model", horizon_s=400))
    forward(sim, 2)
    slow = sim.live["j0"]._truth.slow
    assert slow.interference > 1.5
    assert slow.slow_clock == pytest.approx(1.0, abs=0.05)
    assert 1.0 / sim.live["j0"]._truth.rate == pytest.approx(slow.slow_clock * slow.interference * slow.communication)
    sim.run()
    lost = sim.live["j0"]._truth.lost.parts
    assert lost["interference"] == pytest.approx(200 * (1 - 1 / slow.interference), rel=0.02)
    assert lost["queue"] == lost["communication"] == 0.0


@pytest.mark.parametrize("clock_mhz", [600.0, 1200.0])
def test_a_slow_clock_is_told_apart(clock_mhz: float) -> None:
    spec = job(workload="resnet50_train", reference_gpu="H200-SXM", duration_s=1e6)
    sim = simulate([spec], ONE, Scripted({0: [Place("a", ((0, 1),), clock_mhz=clock_mhz)]}), options=MODEL)
    forward(sim, 1)
    run = sim.live["a"]
    assert run._truth.slow.slow_clock == pytest.approx(1 / run._truth.rate)
    assert run._truth.slow.slow_clock > 1.1
    assert (run._truth.slow.interference, run._truth.slow.communication) == (1.0, 1.0)


def test_a_gang_that_is_badly_placed_loses_to_communication() -> None:
    on = cluster(Nodes(4, gpus=2, kind="H200"), Nodes(1, gpus=8, kind="H200"))
    spec = job(gpus=8, workload="llm_70b_serving", reference_gpu="H200-SXM", duration_s=1e6)
    slow = []
    for nodes in (((4, 8),), tuple((i, 2) for i in range(4))):
        sim = simulate([spec], on, Scripted({0: [Place("a", nodes)]}), options=MODEL)
        forward(sim, 1)
        slow.append(sim.live["a"]._truth.slow)
        assert_shared_well(sim)
    assert slow[0].communication == 1.0
    assert slow[1].communication > 1.1
    assert slow[1].interference == 1.0


def test_gangs_that_share_their_gpus_share_the_watts() -> None:
    on = cluster(Nodes(2, gpus=2, kind="H200"))
    jobs = [job(f"j{i}", gpus=4, workload="gpt2_pretrain", reference_gpu="H200-SXM", duration_s=1e6) for i in range(2)]
    places = [Place("j0", ((0, 2), (1, 2))), Place("j1", (), beside="j0", sharing="mps")]
    sim = simulate(jobs, on, Scripted({0: places}), options=MODEL)
    forward(sim, 1)
    assert_shared_well(sim)
    first, second = (run._truth.power_w for run in sim.live.values())
    assert first == pytest.approx(second, rel=1e-6)
