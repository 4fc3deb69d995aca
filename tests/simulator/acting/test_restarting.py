"""What the GPUs of a job draw, and its neighbours do, while it holds them and does not compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.workloads.catalogue import workload_class
from goodwatt.simulator.decisions import Decision, Place, Preempt, Resize
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.settings.checkpointing import CheckpointStore, write_s
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import snapshot
from tests.scenario import KINDS, Nodes, Scripted, cluster, engine, job, simulate, until
from tests.simulator.physics.full_physics_runs import FULL

ONE = cluster(Nodes(1, gpus=2, kind="H200"))
H200 = gpu_model(KINDS["H200"])
HELD_W = H200.context_w
OVERHEAD_S = 40.0
RULES = engine(restart_overhead_s=OVERHEAD_S)
JOB: dict[str, Any] = {"workload": "bert_squad", "reference_gpu": "H200-SXM", "duration_s": 1e3}

Script = Mapping[float, Sequence[Decision]]
ALONE: Script = {0.0: [Place("a", ((0, 1),))]}
AGAIN: Script = {**ALONE, 100.0: [Preempt("a"), Place("a", ((0, 1),))]}
BESIDE: Script = {
    0.0: [Place("a", ((0, 1),)), Place("b", (), beside="a", sharing="mps")],
    100.0: [Preempt("b"), Place("b", (), beside="a", sharing="mps")],
}
LARGER: Script = {**ALONE, 100.0: [Resize("a", ((0, 2),))]}


def made(script: Script, *others: str, options: RunOptions = FULL) -> Simulation:
    jobs = [job(name, min_gpus=1, max_gpus=2, **JOB) for name in ("a", *others)]
    return simulate(jobs, ONE, Scripted(script), RULES, options)


def truth(run: JobRun) -> list[float]:
    """[rate, watts], watts without the rounding of the meter."""
    assert run._truth.power_w is not None
    return [run._truth.rate, round(run._truth.power_w, 4)]


def test_a_job_that_starts_again_holds_a_context_until_it_computes() -> None:
    sim = made(AGAIN)
    before = truth(until(sim, 99.0).live["a"])
    assert before[0] == 1.0
    assert before[1] > HELD_W + 20.0
    assert truth(until(sim, 100.0).live["a"]) == [0.0, round(HELD_W, 4)]
    assert truth(until(sim, 139.9).live["a"]) == [0.0, round(HELD_W, 4)]
    assert truth(until(sim, 140.0).live["a"]) == before
    sim.run()
    assert result(sim).jobs.end_s == [pytest.approx(1_000.0 + OVERHEAD_S)]
    assert list(result(sim).jobs.lost_s["restart"]) == [pytest.approx(OVERHEAD_S)]
    assert result(sim).jobs.energy_j == [pytest.approx(1_000.0 * before[1] + OVERHEAD_S * HELD_W)]


def test_under_ideal_physics_only_the_time_counts() -> None:
    sim = made(AGAIN, options=RunOptions())
    before = truth(until(sim, 99.0).live["a"])
    assert truth(until(sim, 100.0).live["a"]) == before
    sim.run()
    assert result(sim).jobs.end_s == [1_000.0 + OVERHEAD_S]


def test_its_neighbour_goes_on_as_if_alone_meanwhile() -> None:
    sim = made(BESIDE, "b")
    shared = truth(until(sim, 99.0).live["a"])
    waiting = truth(until(sim, 101.0).live["a"])
    assert shared[0] < waiting[0] == 1.0
    assert truth(sim.live["b"]) == [0.0, round(HELD_W / 2, 4)]
    there = sim.physics.power()
    assert there.gpu_w == pytest.approx(waiting[1] + HELD_W / 2 + H200.idle_w, abs=1e-3)
    assert truth(until(sim, 141.0).live["a"]) == shared


def test_a_gang_that_grows_pauses_and_does_not_end_when_it_would_have() -> None:
    sim = made(LARGER)
    until(sim, 101.0)
    assert truth(sim.live["a"]) == [0.0, round(2 * HELD_W, 4)]
    assert until(sim, 200.0).live["a"]._truth.rate > 1.0
    short = simulate(
        [job("a", min_gpus=1, max_gpus=2, **{**JOB, "duration_s": 105.0})], ONE, Scripted(LARGER), RULES, FULL
    )
    short.run()
    (end_s,) = result(short).jobs.end_s
    assert end_s is not None
    assert end_s > 100.0 + 30.0


def test_stopped_while_it_is_held_up_it_pays_the_rest_and_the_new_overhead() -> None:
    sim = made({**AGAIN, 110.0: [Preempt("a")], 120.0: [Place("a", ((0, 1),))]})
    sim.run()
    assert list(result(sim).jobs.lost_s["restart"]) == [pytest.approx(2 * OVERHEAD_S)]
    assert result(sim).jobs.end_s == [pytest.approx(1_000.0 + 10.0 + 2 * OVERHEAD_S)]


@pytest.mark.parametrize("options", [FULL, RunOptions()], ids=["full", "ideal"])
@pytest.mark.parametrize(
    "change", [[Preempt("a"), Place("a", ((0, 1),))], [Resize("a", ((1, 1),))]], ids=["stop", "move"]
)
def test_stopped_twice_in_one_instant_it_pays_both_overheads(change: list[Decision], options: RunOptions) -> None:
    two = cluster(Nodes(2, gpus=1, kind="H200"))
    script = Scripted({**ALONE, 100.0: [Preempt("a"), Place("a", ((0, 1),)), *change]})
    sim = simulate([job("a", min_gpus=1, max_gpus=2, **JOB)], two, script, RULES, options)
    sim.run()
    assert list(result(sim).jobs.lost_s["restart"]) == [pytest.approx(2 * OVERHEAD_S)]


@pytest.mark.parametrize("script", [AGAIN, BESIDE, LARGER], ids=["again", "beside", "larger"])
def test_forked_and_saved_while_it_is_held_up(script: Script, tmp_path: Path) -> None:
    sim = until(made(script, *("b" if script is BESIDE else "")), 115.0)
    fork = sim.fork()
    save(sim, tmp_path / "run.json")
    loaded = load(tmp_path / "run.json", sim.jobs, ONE, sim.policy, RULES, FULL)
    assert sim.physics.power() == fork.physics.power() == loaded.physics.power()
    ends = []
    for one in (sim, fork, loaded):
        one.run()
        ends.append(snapshot(one))
    assert ends[0] == ends[1] == ends[2]


def test_checkpoints_are_written_by_gpus_that_wait() -> None:
    script, every_s = Scripted(ALONE), 30.0
    busy = simulate([job("a", **JOB)], ONE, script, RULES, FULL)
    saving = simulate([job("a", checkpoint_interval_s=every_s, **JOB)], ONE, script, RULES, FULL)
    cost_s = write_s(workload_class("bert_squad").checkpoint_mib, 1, CheckpointStore())
    working_w = truth(until(busy, 0.0).live["a"])[1] - HELD_W
    share = every_s / (every_s + cost_s)
    rate, watts = truth(until(saving, 0.0).live["a"])
    assert rate == pytest.approx(share)
    assert watts == pytest.approx(HELD_W + share * working_w, abs=1e-3)
    assert saving.physics.counters(saving.live["a"]) == busy.physics.counters(busy.live["a"])
