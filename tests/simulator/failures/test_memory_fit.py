"""Device memory of jobs that share a GPU, and whom a fatal fault takes along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from goodwatt.simulator.decisions import Decision, Place
from goodwatt.simulator.failures.memory_fit import ALLOCATES_AFTER_S
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.settings.failure_rates import FailureSettings
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import EVERY_EVENT, Nodes, Scripted, check, cluster, engine, job, simulate

ONE = cluster(Nodes(1, gpus=2, kind="H200"))
MODEL = RunOptions(physics="full", truth="model", draw=True)
AFTER = ALLOCATES_AFTER_S

Script = Mapping[float, Sequence[Decision]]


def beside(job_id: str, host: str, mode: str = "mps") -> Place:
    return Place(job_id, (), beside=host, sharing=mode)


def known(job_id: str, memory_mib: int, **others: Any) -> Any:
    """A long job with so much memory."""
    wishes = {"workload": "rl_small", "reference_gpu": "H200-SXM", "duration_s": 1e4, **others}
    return job(job_id, gpu_memory_mib=memory_mib, **wishes)


def run_until(script: Script, jobs: Sequence[Any], time_s: float, settings: Engine = EVERY_EVENT) -> Simulation:
    options = RunOptions(physics="full", truth="model", draw=True, horizon_s=time_s)
    simulation = simulate(jobs, ONE, Scripted(script), settings, options)
    simulation.run()
    return simulation


def running(simulation: Simulation) -> set[str]:
    return set(simulation.state.placements)


# memory --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["mps", "timeslice"])
def test_who_comes_and_finds_no_memory_fails_alone(mode: str) -> None:
    jobs = [known("a", 70_000), known("b", 60_000), known("c", 20_000)]
    script: Script = {0: [Place("a", ((0, 1),))], 10: [beside("b", "a", mode)], 20: [beside("c", "a", mode)]}
    simulation = run_until(script, jobs, 100.0)
    assert running(simulation) == {"a", "b"}
    failed = simulation.live["c"]
    assert (failed.failures, failed.preemptions, failed.alone) == (1, 0, True)
    assert failed._truth.work_gpu_s == pytest.approx(0.0, abs=1e-9)
    assert 0.0 < failed._truth.lost_gpu_s <= AFTER
    stay = next(stay for stay in result(simulation).occupancy if stay.job == 2)
    assert (stay.start_s, stay.end_s) == (20.0, 20.0 + AFTER)


def test_it_is_given_a_gpu_of_its_own_from_then_on() -> None:
    jobs = [known("a", 140_000), known("b", 60_000)]
    script: Script = {
        0: [Place("a", ((0, 1),))],
        10: [beside("b", "a")],
        50: [beside("b", "a"), Place("b", ((0, 1),), sharing="mig", profile="7g.141gb")],
        60: [Place("b", ((0, 1),))],
    }
    simulation = run_until(script, jobs, 100.0)
    assert running(simulation) == {"a", "b"}
    assert [refusal.reason for refusal in simulation.executor.refusals] == [
        "the job did not find the memory that it needs when it shared a GPU"
    ] * 2


def test_shares_that_do_not_fit_get_whole_gpus() -> None:
    jobs = [known(f"s{i}", 60_000, gpu_milli=300, duration_s=1000.0) for i in range(3)]
    simulation = simulate(jobs, ONE, "fifo", options=MODEL)
    simulation.run()
    outcome = result(simulation)
    assert outcome.jobs.state == ["finished"] * 3
    assert max(outcome.jobs.failures) == 1
    assert outcome.jobs.work_gpu_s == [300.0] * 3
    failed = outcome.jobs.failures.index(1)
    again = next(stay for stay in outcome.occupancy if stay.job == failed and stay.start_s > 0.0)
    assert [stay.job for stay in outcome.occupancy if stay.gpus == again.gpus] == [failed]


def test_room_that_is_made_in_time_is_enough() -> None:
    jobs = [known("a", 140_000, duration_s=15.0), known("b", 60_000)]
    script: Script = {0: [Place("a", ((0, 1),))], 10: [beside("b", "a")]}
    assert running(run_until(script, jobs, 100.0)) == {"b"}


def test_whoever_is_there_keeps_its_memory_when_others_leave() -> None:
    # b does not fit beside a, c does; a leaves before b allocates, so that b fits and c, who comes after it, does not.
    jobs = [known("a", 70_000, duration_s=22.0), known("b", 80_000), known("c", 65_000)]
    script: Script = {0: [Place("a", ((0, 1),))], 10: [beside("b", "a")], 15: [beside("c", "b")]}
    assert running(run_until(script, jobs, 100.0)) == {"b"}


def test_an_instance_that_is_too_small_fails_the_job_that_was_put_there() -> None:
    jobs = [known("a", 0, workload="llama7b_train"), known("b", 0, mig_profile="1g.18gb", workload="llama7b_train")]
    small = [Place(name, ((0, 1),), sharing="mig", profile="1g.18gb") for name in ("a", "b")]
    simulation = run_until({0: small}, jobs, 100.0)
    assert running(simulation) == {"b"}  # who asks for a profile knows its memory
    assert simulation.live["a"].alone


def test_ideal_physics_knows_no_memory() -> None:
    check(
        """
        job  gpus  gpu_memory  time | start  end
        a       1      140000   100 |     0  100
        b       1      140000   100 |     0  100
        """,
        ONE,
        Scripted({0: [Place("a", ((0, 1),)), beside("b", "a")]}),
    )


# faults --------------------------------------------------------------------------------------------------------------


def faulty(mode: str, others: Script, jobs: Sequence[Any]) -> Simulation:
    """a has a fault before long, and nobody else."""
    settings = engine(failures=FailureSettings(fault_per_gpu_hour=1e-9))
    options = RunOptions(physics="full", truth="model", horizon_s=300.0, draw=True)
    simulation = simulate(jobs, ONE, Scripted(others), settings, options)
    while simulation.now_s < 60.0:
        view = simulation.advance()
        assert view is not None, mode
        simulation.apply(simulation.policy.decide(view))
    timer = simulation.timers.waiting[simulation.live["a"]._truth.fault]
    simulation.timers.waiting[simulation.live["a"]._truth.fault] = timer._replace(time_s=100.0)
    simulation.clock.call(100.0, 2, simulation.timers._fire, simulation.live["a"]._truth.fault)  # type: ignore[arg-type]
    simulation.run()
    return simulation


@pytest.mark.parametrize(("mode", "dead"), [("mps", {"a", "b"}), ("timeslice", {"a"})])
def test_a_fault_takes_every_client_of_mps_along(mode: str, dead: set[str]) -> None:
    jobs = [known("a", 8_000), known("b", 8_000), known("c", 8_000)]
    script: Script = {0: [Place("a", ((0, 1),)), beside("b", "a", mode), Place("c", ((0, 1),))], 60: []}
    simulation = faulty(mode, script, jobs)
    assert {name for name, run in simulation.live.items() if run.failures} == dead
    assert running(simulation) == {"a", "b", "c"} - dead
    assert all(simulation.live[name]._truth.lost_gpu_s > 0 for name in dead)


def test_who_dies_of_a_fault_goes_by_how_the_gpu_is_shared_now() -> None:
    jobs = [known("a", 8_000), known("b", 8_000), known("c", 8_000)]
    script: Script = {0: [Place("a", ((0, 1),)), beside("b", "a", "mps"), beside("c", "a", "timeslice")], 60: []}
    assert running(faulty("timeslice", script, jobs)) == {"b", "c"}, "the latest to come shares by time slices"
    shares = [known("a", 8_000, gpu_milli=500), known("b", 8_000, gpu_milli=500)]
    script = {0: [Place(name, ((0, 1),), sharing="mps") for name in "ab"], 60: []}
    assert running(faulty("mps", script, shares)) == set(), "what a decision says counts before the engine's mode"


def test_a_fault_stays_in_its_instance() -> None:
    jobs = [known("a", 8_000, mig_profile="1g.18gb"), known("b", 8_000, mig_profile="1g.18gb")]
    script: Script = {0: [Place("a", ((0, 1),)), Place("b", ((0, 1),))], 60: []}
    simulation = faulty("mig", script, jobs)
    assert running(simulation) == {"b"}


def test_faults_come_as_often_as_they_should() -> None:
    jobs = [job(f"j{i}", gpus=2, submit_s=i * 3600.0, duration_s=3600.0) for i in range(300)]
    settings = engine(failures=FailureSettings(fault_per_gpu_hour=0.25))
    simulation = simulate(jobs, cluster(Nodes(40, gpus=2)), settings=settings)
    simulation.run()
    outcome = result(simulation)
    held_h = sum((stay.end_s - stay.start_s) * stay.gpus.bit_count() for stay in outcome.occupancy) / 3600.0
    assert sum(outcome.jobs.failures) == pytest.approx(0.25 * held_h, rel=0.2)
