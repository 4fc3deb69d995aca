"""Where the time of the jobs of a run went: each cause by itself, and parts that sum to the wall time in any run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from goodwatt.power.network.gang_step import step_s
from goodwatt.power.network.layout import layout_of
from goodwatt.power.workloads.catalogue import workload_class
from goodwatt.simulator.decisions import Migrate, Place, Preempt
from goodwatt.simulator.failures import breakdowns
from goodwatt.simulator.failures.schedule import Taken
from goodwatt.simulator.jobs.lost_time import LOST, LostTime
from goodwatt.simulator.records.recorder import LOST_WIDTH
from goodwatt.simulator.run import result
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import MOST_DECISIONS, Made, made
from tests.scenario import Nodes, Scripted, cluster, engine, finished, job, simulate, until
from tests.simulator.physics.full_physics_runs import FULL, LSTM, NET, SPREAD, V100, point, together

ON = cluster(Nodes(2, 2, "V100"))
HERE, THERE = ((0, 1),), ((1, 1),)


def parts(sim: Simulation, job_id: str = "a") -> Mapping[str, float]:
    """The seconds of an ended job by where they went, without the parts that are nothing."""
    index = next(i for i, one in enumerate(sim.jobs) if one.job_id == job_id)
    lost = LostTime.from_plain(sim.recorder.lost_s[index * LOST_WIDTH : (index + 1) * LOST_WIDTH].tolist())
    assert math.fsum(lost.parts.values()) == pytest.approx(lost.wall_s, abs=1e-9)
    return {name: seconds for name, seconds in lost.parts.items() if abs(seconds) > 1e-9}


def run(script: Mapping[float, Any], *jobs: Any, fail_s: float | None = None, **settings: Any) -> Simulation:
    """Run jobs under a script; node 0 fails for a second at `fail_s`."""
    sim = simulate(jobs, ON, Scripted(script), engine(**settings), FULL)
    if fail_s is not None:
        until(sim, math.nextafter(fail_s, 0.0))
        sim.clock.run(until=fail_s)
        breakdowns._take(sim, Taken(0, 0b11, fail_s + 1.0, host=True))
    finished(sim)
    return sim


# one cause at a time -------------------------------------------------------------------------------------------------


def test_a_job_alone_is_productive_all_the_time() -> None:
    assert parts(run({0.0: [Place("a", HERE)]}, job(workload=NET))) == {"productive": 100.0}


def test_waiting() -> None:
    assert parts(run({30.0: [Place("a", HERE)]}, job(workload=NET))) == {"queue": 30.0, "productive": 100.0}


def test_restarting_after_a_stop_that_saves_everything() -> None:
    script = {0.0: [Place("a", HERE)], 40.0: [Preempt("a")], 50.0: [Place("a", HERE)]}
    found = parts(run(script, job(workload=NET), restart_overhead_s=7.0))
    assert found == {"queue": 10.0, "restart": 7.0, "productive": 100.0}


def test_moving() -> None:
    script = {0.0: [Place("a", HERE)], 40.0: [Migrate("a", THERE)]}
    assert parts(run(script, job(workload=NET), restart_overhead_s=7.0)) == {"restart": 7.0, "productive": 100.0}


def test_doing_work_again() -> None:
    """Stopped at 47, the last checkpoint was at 40 of its own time."""
    script = {0.0: [Place("a", HERE)], 47.0: [Preempt("a")], 50.0: [Place("a", HERE)]}
    sim = run(script, job(checkpoint_interval_s=20.0, workload="gnn_train", reference_gpu=V100))
    found = parts(sim)
    write_s = workload_class("gnn_train").checkpoint_mib * 2**20 / 1e9
    done = 47.0 * 20.0 / (20.0 + write_s)
    assert found["redone"] == pytest.approx(done - 40.0)
    assert found["productive"] == pytest.approx(100.0)
    assert found["checkpoint"] == pytest.approx((100.0 + found["redone"]) * write_s / 20.0)
    assert found["queue"] == 3.0


def test_a_failure_without_checkpoints_loses_everything_since_the_last_orderly_stop() -> None:
    script = {0.0: [Place("a", HERE)], 40.0: [Preempt("a")], 50.0: [Place("a", HERE)], 75.0: [Place("a", THERE)]}
    sim = run(script, job(workload=NET), fail_s=70.0)
    assert parts(sim) == {"queue": 15.0, "redone": 20.0, "productive": 100.0}
    assert sim.recorder.lost_gpu_s[0] == 20.0
    assert sim.recorder.job_failures[0] == 1


def test_slow_clocks() -> None:
    sim = run({0.0: [Place("a", HERE, clock_mhz=900.0)]}, job(workload=NET))
    slower = 1.0 / point(clock_mhz=900.0).speeds[0]
    assert parts(sim) == {"slow_clock": pytest.approx(100.0 * (slower - 1.0)), "productive": pytest.approx(100.0)}


def test_caps_are_slow_clocks_too() -> None:
    sim = run({0.0: [Place("a", HERE, cap_w=120.0)]}, job(workload=NET))
    slower = 1.0 / point(cap_w=120.0).speeds[0]
    assert parts(sim)["slow_clock"] == pytest.approx(100.0 * (slower - 1.0))


def test_neighbours() -> None:
    script = {0.0: [Place("a", HERE), Place("b", (), beside="a", sharing="timeslice")]}
    b = job("b", duration_s=1000.0, workload="gnn_train", reference_gpu=V100)
    slower = 1.0 / together("timeslice", NET, "gnn_train").speeds[0]
    found = parts(run(script, job(workload=NET), b))
    assert found == {"interference": pytest.approx(100.0 * (slower - 1.0)), "productive": pytest.approx(100.0)}


def test_neighbours_and_a_slow_clock_share_what_they_cost() -> None:
    places = [Place("a", HERE, clock_mhz=900.0), Place("b", (), beside="a", sharing="timeslice")]
    b = job("b", duration_s=1000.0, workload="gnn_train", reference_gpu=V100)
    found = parts(run({0.0: places}, job(workload=NET), b))
    assert set(found) == {"slow_clock", "interference", "productive"}
    assert found["productive"] == pytest.approx(100.0)


def test_wires() -> None:
    sim = run({0.0: [Place("a", SPREAD)]}, job("a", 2, workload=LSTM, reference_gpu=V100))
    step = workload_class(LSTM).step
    longer = step_s(step, 1.0, layout_of(ON, SPREAD), ON.network).total_s / step.compute_s
    assert parts(sim) == {
        "communication": pytest.approx(100.0 * (longer - 1.0)),
        "productive": pytest.approx(100.0),
    }


def test_another_kind_is_no_loss_and_no_gain() -> None:
    """It is productive for as long as its work takes there."""
    jobs = [job("a", workload=NET, reference_gpu="H200-SXM")]
    sim = run({0.0: [Place("a", HERE)]}, *jobs)
    assert parts(sim) == {"productive": pytest.approx(sim.recorder.end_s[0])}
    assert sim.recorder.end_s[0] > 300.0


def test_the_energy_of_work_that_is_done_again_is_known() -> None:
    """All 20 s since the orderly stop at 40 are lost."""
    script = {0.0: [Place("a", HERE)], 40.0: [Preempt("a")], 50.0: [Place("a", HERE)], 75.0: [Place("a", THERE)]}
    sim = run(script, job(workload=NET), fail_s=70.0)
    watts = point().watts
    assert sim.recorder.lost_j[0] == pytest.approx(20.0 * watts, rel=1e-6)
    assert sim.recorder.energy_j[0] == pytest.approx(120.0 * watts, rel=1e-6)


# any run -------------------------------------------------------------------------------------------------------------


@given(made)
def test_the_parts_of_every_job_sum_to_its_wall_time(of: Made) -> None:
    sim = of.simulation()
    for _ in range(MOST_DECISIONS):
        if (view := sim.advance()) is None:
            break
        sim.apply(sim.policy.decide(view))
    outcome = result(sim)
    for i, spec in enumerate(sim.jobs[: sim.next_arrival]):
        if i in sim.refused:
            continue
        lost = LostTime.from_plain(sim.recorder.lost_s[i * LOST_WIDTH : (i + 1) * LOST_WIDTH].tolist())
        end_s = sim.now_s if outcome.jobs.end_s[i] is None else outcome.jobs.end_s[i]
        assert lost.wall_s == pytest.approx(end_s - spec.submit_s, abs=1e-6)  # type: ignore[operator]
        assert math.fsum(lost.parts.values()) == pytest.approx(lost.wall_s, abs=1e-6)
        assert all(lost.parts[name] >= 0.0 for name in LOST)
        assert lost.productive_s >= -1e-6
        energy_j = outcome.jobs.energy_j[i]
        assert energy_j is None or -1e-6 <= sim.recorder.lost_j[i] <= energy_j + 1e-6
