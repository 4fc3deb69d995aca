"""Idle nodes sleep once it pays, and are awake when jobs need them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from goodwatt.cluster.host_power import NODE_TYPES, SLEEPS, HostPower
from goodwatt.errors import InputError
from goodwatt.policies.idle_nodes import pays_after_s
from goodwatt.policies.power_registry import make_power
from goodwatt.power.facility.node_sleep import break_even_s
from goodwatt.simulator.decisions import Sleep, Wake
from goodwatt.simulator.nodes import ASLEEP
from goodwatt.simulator.run import result
from goodwatt.simulator.simulation import Simulation
from tests.policies.power.powered_runs import decisions_of, powered
from tests.scenario import Nodes, cluster, job

FOUR = cluster(Nodes(4, kind="V100"), power=HostPower(1.2, 400.0, 1100.0, sleep=SLEEPS["off"]))
PAYS_S = pays_after_s(FOUR, 0)
WAKE_S = SLEEPS["off"].wake_s


def asleep(sim: Simulation) -> int:
    return sum(how == ASLEEP for how in sim.asleep.values())


def test_nodes_sleep_after_the_break_even_time_but_for_the_reserve() -> None:
    sim = powered([job(duration_s=50_000.0, workload="resnet50_imagenet")], "sleep:reserve=1", FOUR)
    made = decisions_of(sim, 10_000.0)
    slept = [(time_s, d.node) for time_s, d in made if isinstance(d, Sleep)]
    assert slept == [(PAYS_S, 3), (PAYS_S, 2)]
    assert asleep(sim) == 2


@pytest.mark.parametrize(("gpus", "woken"), [(8, 0), (16, 1), (24, 2), (32, 3)])
def test_as_many_wake_as_the_queue_needs(gpus: int, woken: int) -> None:
    late = job("b", gpus=gpus, submit_s=20_000.0, duration_s=100.0)
    sim = powered([job(duration_s=100.0), late], "sleep:reserve=1", FOUR)
    made = decisions_of(sim)
    wakes = [time_s for time_s, d in made if isinstance(d, Wake)]
    assert wakes[: max(woken, 0)] == [20_000.0] * woken
    outcome = result(sim)
    start_s = outcome.jobs.start_s[outcome.jobs.job_id.index("b")]
    assert start_s == pytest.approx(20_000.0 + (WAKE_S if woken else 0.0))
    assert sim.executor.refusals == []


def test_jobs_that_fit_on_waking_nodes_wake_no_more() -> None:
    late = [job(f"b{i}", gpus=4, submit_s=20_000.0 + i, duration_s=100.0) for i in range(4)]
    sim = powered([job(duration_s=100.0), *late], "sleep:reserve=0", FOUR)
    made = decisions_of(sim)
    assert sum(isinstance(d, Wake) for _, d in made) == 2
    assert sim.recorder.totals.ended == 5


def test_the_reserve_is_filled_up_again() -> None:
    late = job("b", gpus=8, submit_s=20_000.0, duration_s=9000.0)
    sim = powered([job(duration_s=100.0), late], "sleep:reserve=1", FOUR)
    made = decisions_of(sim)
    # the node in reserve takes the job, and another wakes in its place as soon as that shows
    assert sum(isinstance(d, Wake) for _, d in made) == 0 or min(t for t, d in made if isinstance(d, Wake)) >= 20_000.0


def test_sleep_saves_energy_and_loses_no_work() -> None:
    jobs = [job(f"j{i}", gpus=8, submit_s=i * 30_000.0, duration_s=2000.0) for i in range(4)]
    sims = [powered(jobs, power, FOUR, horizon_s=130_000.0) for power in ("default", "sleep")]
    awake, sleeping = (result(_run(sim)) for sim in sims)
    assert sleeping.summary["it_energy_j"] < 0.7 * awake.summary["it_energy_j"]
    assert sleeping.summary["work_gpu_s"] == awake.summary["work_gpu_s"]


def test_what_an_idle_node_saves_is_what_its_meter_shows() -> None:
    parts = HostPower(1.0, 400.0, 1100.0, node=NODE_TYPES["v100-8"], sleep=SLEEPS["off"])
    sim = powered([], "default", cluster(Nodes(1, kind="V100"), power=parts))
    shown_w = sum(sim.physics.power())
    assert pays_after_s(sim.cluster, 0) == pytest.approx(break_even_s(SLEEPS["off"], shown_w), rel=1e-6)


def test_where_sleep_never_pays_nobody_sleeps() -> None:
    warm = HostPower(1.0, 400.0, 1100.0, sleep=replace(SLEEPS["suspend"], asleep_w=1e4))
    sim = powered(
        [job(duration_s=90_000.0, workload="resnet50_imagenet")], "sleep", cluster(Nodes(2, kind="V100"), power=warm)
    )
    assert pays_after_s(sim.cluster, 0) == math.inf
    assert not [d for _, d in decisions_of(sim) if isinstance(d, Sleep)]


@pytest.mark.parametrize("spec", ["reserve=-1", "patience=-1", "depth=0"])
def test_settings_that_make_no_sense(spec: str) -> None:
    with pytest.raises(InputError, match="expected reserve"):
        make_power(f"sleep:{spec}")


def _run(sim: Simulation) -> Simulation:
    sim.run()
    return sim
