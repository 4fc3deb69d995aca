"""What jobs, idle GPUs and the cluster draw under full physics, and chips that differ."""

from __future__ import annotations

import math

import pytest

from goodwatt.power.workloads.demand import Setting
from goodwatt.simulator.decisions import Place, SetCap, SetClock
from goodwatt.simulator.physics.contract import ClusterPower
from goodwatt.simulator.settings.run_options import RunOptions
from tests.scenario import (
    Nodes,
    Scripted,
    cluster,
    finished,
    job,
    simulate,
    until,
)
from tests.simulator.physics.full_physics_runs import (
    FULL,
    LSTM,
    MODELS,
    NET,
    SPREAD,
    V100,
    point,
)


def test_a_cluster_without_jobs_draws_what_idle_gpus_draw() -> None:
    assert simulate([], cluster(Nodes(1, 2, "V100")), options=FULL).physics.power() == ClusterPower(idle_w=52.0)


@pytest.mark.parametrize("setting", [Setting(), Setting(900.0), Setting(None, 120.0)])
def test_a_job_draws_what_its_point_says_and_gives_it_back(setting: Setting) -> None:
    script = Scripted({0.0: [Place("a", ((0, 1),), clock_mhz=setting.clock_mhz, cap_w=setting.cap_w)]})
    sim = until(simulate([job("a", workload=NET)], cluster(Nodes(1, 2, "V100")), script, options=FULL), 0.0)
    there = point(setting.clock_mhz, setting.cap_w)
    power = sim.physics.power()
    assert sim.live["a"]._truth.power_w == pytest.approx(there.watts, abs=1e-5)
    assert power.gpu_w == pytest.approx(there.watts + 26.0, abs=1e-5)
    assert power.sm_w == pytest.approx(there.sm_w, abs=1e-5)
    assert power.dram_w == pytest.approx(there.dram_w, abs=1e-5)
    assert sim.physics.clocks() == (pytest.approx(there.clock_mhz, abs=1e-3), 1)  # type: ignore[comparison-overlap]
    outcome = finished(sim)
    assert sim.physics.power().gpu_w == 52.0
    assert sim.physics.clocks() == (0.0, 0)
    end_s = outcome.jobs.end_s[0]
    assert end_s is not None
    assert outcome.jobs.energy_j[0] == pytest.approx(there.watts * end_s, rel=1e-6)


@pytest.mark.parametrize("truth", ["model", "residual"])
def test_the_energy_of_jobs_and_of_idle_gpus_is_that_of_the_cluster(truth: str) -> None:
    """Gangs, neighbours, clocks and caps in flight: no joule is lost or counted twice."""
    jobs = [
        job("gang", 3, 0.0, 50.0, workload=LSTM),
        job("net", 1, 0.0, 80.0, workload=NET),
        job("gnn", 1, 5.0, 60.0, workload="gnn_train"),
        job("part", 1, 6.0, 30.0, workload=NET, gpu_milli=400),
    ]
    script = {
        0.0: [Place("gang", ((0, 2), (1, 1))), Place("net", ((1, 1),), cap_w=150.0)],
        5.0: [Place("gnn", (), beside="net", sharing="timeslice")],
        6.0: [Place("part", ((2, 1),)), SetClock("gang", 900.0)],
        20.0: [SetCap("gnn", 120.0)],
    }
    options = RunOptions(physics="full", truth=truth, draw=True)
    sim = simulate(jobs, cluster(Nodes(3, 2, "V100")), Scripted(script), options=options)  # type: ignore[arg-type]
    outcome = finished(sim)
    totals = sim.recorder.totals
    assert None not in outcome.jobs.energy_j
    drawn_j = math.fsum(joules or 0.0 for joules in outcome.jobs.energy_j)
    assert drawn_j == pytest.approx(totals.held_j + totals.sm_j + totals.dram_j, rel=1e-9)
    timeline = outcome.timeline
    ends = [*timeline.t_s[1:], sim.recorder.last_s]
    integral = math.fsum(w * (e - t) for t, e, w in zip(timeline.t_s, ends, timeline.power_w, strict=True))
    assert totals.it_j == pytest.approx(integral, rel=1e-12)


def test_a_gang_that_waits_for_the_network_draws_what_communicating_takes() -> None:
    on = cluster(Nodes(2, 2, "V100"))
    near = until(
        simulate([job("a", 2, workload=LSTM)], on, Scripted({0.0: [Place("a", ((0, 2),))]}), options=FULL), 0.0
    )
    far = until(simulate([job("a", 2, workload=LSTM)], on, Scripted({0.0: [Place("a", SPREAD)]}), options=FULL), 0.0)
    assert near.live["a"]._truth.power_w is not None
    assert far.live["a"]._truth.power_w is not None
    context_w = MODELS[V100].context_w * 2
    assert context_w < far.live["a"]._truth.power_w < near.live["a"]._truth.power_w


def test_kinds_without_a_model_run_at_their_traced_speed_and_draw_nothing_that_is_known() -> None:
    sim = simulate([job("a", workload=NET)], cluster(Nodes(1, 2, "small")), options=FULL)
    outcome = finished(sim)
    assert (outcome.jobs.end_s, outcome.jobs.energy_j) == ([100.0], [None])
    assert sim.physics.gpus_without_energy == 2


# chips ----------------------------------------------------------------------------------------------------------------


def test_chips_of_one_kind_differ_and_their_jobs_with_them_but_not_where_the_model_is_the_truth() -> None:
    jobs = [job(f"j{i}", 1, duration_s=100.0, workload=NET) for i in range(8)]
    places = {0.0: [Place(one.job_id, ((0, 1),), cap_w=120.0) for one in jobs]}
    for truth, different in (("model", 1), ("residual", 8)):
        options = RunOptions(physics="full", truth=truth)
        sim = simulate(jobs, cluster(Nodes(1, 8, "V100")), Scripted(places), options=options)
        assert len(set(finished(sim).jobs.end_s)) == different
