"""Gangs under full physics: wires, the slowest GPU, neighbours and others on the same links."""

from __future__ import annotations

import pytest

from goodwatt.power.workloads.catalogue import workload_class
from goodwatt.simulator.decisions import Place, SetClock
from tests.scenario import (
    Nodes,
    Scripted,
    cluster,
    job,
    simulate,
    until,
)
from tests.simulator.physics.full_physics_runs import (
    FULL,
    LSTM,
    SPREAD,
    V100,
    point,
    run,
    step_of,
    together,
)


def test_a_gang_over_two_nodes_takes_as_much_longer_as_its_steps() -> None:
    on = cluster(Nodes(2, 2, "V100"))
    longer = step_of(SPREAD, on) / step_of(((0, 3),), on)
    assert longer > 1.1
    run(
        f"""
        job  gpus  time  class   | start  end
        a       2   100  {LSTM}  |     0  {{end}}
        """,
        (0.0, Place("a", SPREAD)),
        on=on,
        end=100.0 * longer,
    )
    run(
        f"""
        job  gpus  time  class   | start  end
        a       2   100  {LSTM}  |     0  100
        """,
        (0.0, Place("a", ((0, 2),))),
        on=on,
    )


def test_slow_clocks_hide_some_of_the_exchange() -> None:
    """The step is compute plus what does not hide behind it, so it stretches less than the computation does."""
    on = cluster(Nodes(2, 2, "V100"))
    slower = 1.0 / point(clock_mhz=600.0, workload=LSTM).speeds[0]
    longer = step_of(SPREAD, on, slower) / step_of(((0, 3),), on)
    assert longer < slower * step_of(SPREAD, on) / step_of(((0, 3),), on)
    run(
        f"""
        job  gpus  time  class   | start  end
        a       2   100  {LSTM}  |     0  {{end}}
        """,
        (0.0, Place("a", SPREAD, clock_mhz=600.0)),
        on=on,
        end=100.0 * longer,
    )


def test_a_gang_goes_at_its_slowest_gpu() -> None:
    """Over a V100 and an H200 at the speed of V100; all of its clocks are set together."""
    both = cluster(Nodes(1, 2, "V100"), Nodes(1, 1, "H200"))
    gang = job("a", 2, duration_s=100.0, workload=LSTM, reference_gpu=V100)
    best_s = workload_class(LSTM).step.compute_s
    sim = until(simulate([gang], both, Scripted({0.0: [Place("a", SPREAD)]}), options=FULL), 0.0)
    assert sim.live["a"]._truth.rate == pytest.approx(best_s / step_of(SPREAD, both))
    on = cluster(Nodes(2, 2, "V100"))
    clocks = {0.0: [Place("a", SPREAD)], 10.0: [SetClock("a", 900.0)]}
    sim = until(simulate([gang], on, Scripted(clocks), options=FULL), 11.0)  # type: ignore[arg-type]
    slower = 1.0 / point(clock_mhz=900.0, workload=LSTM).speeds[0]
    assert sim.live["a"]._truth.rate == pytest.approx(best_s / step_of(SPREAD, on, slower))


def test_a_gang_beside_another_goes_at_what_sharing_leaves_it() -> None:
    on = cluster(Nodes(2, 2, "V100"))
    jobs = [job("a", 2, workload=LSTM), job("b", 2, workload="gnn_train", reference_gpu=V100)]
    script = Scripted({0.0: [Place("a", SPREAD), Place("b", (), beside="a", sharing="timeslice")]})
    sim = until(simulate(jobs, on, script, options=FULL), 0.0)
    load = sim.physics._jobs.loads.load("a")  # type: ignore[attr-defined]
    slower = 1.0 / together("timeslice", LSTM, "gnn_train").speeds[0]
    step_time_s = step_of(SPREAD, on, slower, load)
    assert sim.live["a"]._truth.rate == pytest.approx(workload_class(LSTM).step.compute_s / step_time_s)


def test_gangs_that_share_links_slow_each_other_down_while_both_run() -> None:
    on = cluster(Nodes(2, 2, "V100"))
    placed = [(0.0, Place("a", SPREAD)), (0.0, Place("b", SPREAD))]
    jobs = [job("a", 2, duration_s=1000.0, workload=LSTM), job("b", 2, duration_s=100.0, workload=LSTM)]
    alone = until(simulate(jobs[:1], on, Scripted({0.0: [placed[0][1]]}), options=FULL), 0.0)
    sim = until(simulate(jobs, on, Scripted({0.0: [place for _, place in placed]}), options=FULL), 0.0)
    load = sim.physics._jobs.loads.load("a")  # type: ignore[attr-defined]
    assert load > 1.0
    assert sim.live["a"]._truth.rate == pytest.approx(step_of(((0, 3),), on) / step_of(SPREAD, on, load=load))
    assert sim.live["a"]._truth.rate < alone.live["a"]._truth.rate
    until(sim, 999.0)
    assert "b" not in sim.live
    assert sim.live["a"]._truth.rate == alone.live["a"]._truth.rate
