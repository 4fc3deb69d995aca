"""Telemetry for policies: what is shown of whom, when, and what is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from goodwatt.power.telemetry.counters import Counters
from goodwatt.power.telemetry.sensors import NOISE, counters_at
from goodwatt.simulator.decisions import Decision, Place, Preempt, SetClock, WaitUntil
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import View
from tests.scenario import Calls, Nodes, Scripted, cluster, job, simulate, until
from tests.simulator.physics.full_physics_runs import FULL, LSTM, MODELS, NET, V100, demand, point


@dataclass
class Seen(Calls):
    """What has been shown: (when, job, kind, counters)."""

    shown: list[tuple[float, str, str, Counters]] = field(default_factory=list)

    def job_observed(self, run: JobRun, kind: str, seen: Counters, now_s: float) -> None:
        self.shown.append((now_s, run.spec.job_id, kind, seen))

    def copy(self) -> Self:
        twin = super().copy()
        twin.shown = self.shown[:]
        return twin


@dataclass(frozen=True)
class Watcher(Scripted):
    """Says what is written down, and watches jobs a minute after they start."""

    observe_s: float | None = 60.0

    def new_memory(self) -> Seen:
        return Seen()


ON = cluster(Nodes(2, 2, "V100"))


def watched(script: dict[float, Any], *jobs: Any, options: RunOptions = FULL, on: Any = ON) -> Simulation:
    sim = simulate(jobs, on, Watcher(script), options=options)
    sim.run()
    return sim


def times(sim: Simulation) -> list[tuple[float, str]]:
    memory = sim.view.memory
    assert isinstance(memory, Seen)
    return [(round(time_s, 1), job_id) for time_s, job_id, _, _ in memory.shown]


LONG = job("a", duration_s=1000.0, workload=NET)


def test_a_job_is_seen_once_it_has_run_for_a_while_and_again_after_each_setting() -> None:
    script: dict[float, Any] = {0.0: [Place("a", ((0, 1),))], 200.0: [SetClock("a", 900.0)]}
    assert times(watched(script, LONG)) == [(60.0, "a"), (260.0, "a")]


def test_nobody_sees_a_job_before_the_sensors_show_it() -> None:
    sim = simulate([LONG], ON, Watcher({0.0: [Place("a", ((0, 1),))]}, observe_s=0.0), options=FULL)
    sim.run()
    assert times(sim) == [(1.0, "a")]


@pytest.mark.parametrize(
    ("duration_s", "more"),
    [(59.0, {}), (1000.0, {30.0: [Preempt("a"), WaitUntil(2000.0)]})],
)
def test_who_has_gone_by_then_is_not_seen(duration_s: float, more: dict[float, Any]) -> None:
    one = job("a", duration_s=duration_s, workload=NET)
    assert times(watched({0.0: [Place("a", ((0, 1),))], **more}, one)) == []


def test_who_starts_again_is_seen_a_minute_after_that() -> None:
    script = {0.0: [Place("a", ((0, 1),))], 30.0: [Preempt("a")], 50.0: [Place("a", ((0, 1),))]}
    assert times(watched(script, LONG)) == [(110.0, "a")]


def test_jobs_that_share_gpus_cannot_be_told_apart() -> None:
    jobs = [LONG, job("b", duration_s=100.0, workload=NET), job("c", duration_s=100.0, workload=NET)]
    script = {
        0.0: [
            Place("a", ((0, 1),)),
            Place("b", (), beside="a", sharing="mps"),
            Place("c", ((1, 1),)),
        ]
    }
    assert times(watched(script, *jobs)) == [(60.0, "c")]


def test_nobody_is_seen_under_ideal_physics_nor_jobs_without_gpus_nor_on_unknown_kinds() -> None:
    script = {0.0: [Place("a", ((0, 1),))]}
    assert times(watched(script, LONG, options=RunOptions())) == []
    assert times(watched({0.0: [Place("a", ((0, 0),))]}, job("a", 0, duration_s=500.0))) == []
    assert times(watched(script, LONG, on=cluster(Nodes(1, 2, "small")))) == []


def test_counters_are_those_of_its_first_gpu_and_off_by_the_noise_of_sensors() -> None:
    sim = watched({0.0: [Place("a", ((0, 1),), clock_mhz=900.0)]}, LONG)
    assert isinstance(sim.view.memory, Seen)
    ((_, _, kind, seen),) = sim.view.memory.shown
    there = point(clock_mhz=900.0)
    exact = counters_at(MODELS[V100], demand(), there.clock_mhz, there.watts)
    assert (kind, seen.clock_mhz, seen.memory_mib) == (V100, exact.clock_mhz, exact.memory_mib)
    assert seen.power_w is not None
    assert exact.power_w is not None
    assert seen.power_w == pytest.approx(exact.power_w, rel=5 * NOISE)
    assert seen.power_w != exact.power_w
    assert seen.dram_bw == pytest.approx(exact.dram_bw, rel=5 * NOISE)


def test_a_gang_is_seen_with_what_its_gpus_draw_while_they_wait() -> None:
    spread = job("a", 2, duration_s=1000.0, workload=LSTM)
    sim = watched({0.0: [Place("a", ((0, 1), (1, 1)))]}, spread)
    near = watched({0.0: [Place("a", ((0, 2),))]}, spread)
    watts = []
    for one in (sim, near):
        assert isinstance(one.view.memory, Seen)
        watts.append(one.view.memory.shown[0][3].power_w or 0.0)
    assert watts[0] < watts[1]


def test_seeing_opens_a_decision() -> None:
    @dataclass(frozen=True)
    class Slows(Watcher):
        """Sets the clock when it has seen the job."""

        def decide(self, view: View) -> list[Decision]:
            memory = view.memory
            assert isinstance(memory, Seen)
            if len(memory.shown) == 1 and view.run("a").clock_mhz is None:
                return [SetClock("a", 900.0)]
            return list(super().decide(view))

    sim = simulate([LONG], ON, Slows({0.0: [Place("a", ((0, 1),))]}), options=FULL)
    assert until(sim, 61.0).live["a"].clock_mhz == 900.0


def test_the_same_run_sees_the_same() -> None:
    script = {0.0: [Place("a", ((0, 1),))]}
    first, second = (watched(script, LONG).view.memory for _ in range(2))
    assert isinstance(first, Seen)
    assert isinstance(second, Seen)
    assert first.shown == second.shown
    other = watched(script, LONG, options=RunOptions(physics="full", truth="model", seed=1)).view.memory
    assert isinstance(other, Seen)
    assert other.shown != first.shown
