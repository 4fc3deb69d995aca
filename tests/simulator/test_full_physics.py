"""Full physics as tables: how long jobs take under clocks, caps, neighbours, wires and on other kinds, and what for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from goodwatt.power.demand import DEFAULT_SETTING, Demand, Setting
from goodwatt.power.gang_step import step_s
from goodwatt.power.gpu_model import gpu_model
from goodwatt.power.gpu_point import GpuPoint, alone_point
from goodwatt.power.network_layout import layout_of
from goodwatt.power.sharing import Resident, shared_point
from goodwatt.power.workload import mean_demand
from goodwatt.power.workload_catalogue import all_classes, phases_on, speed_on, workload_class
from goodwatt.simulator.decisions import Decision, Place, SetCap, SetClock
from goodwatt.simulator.physics import ClusterPower
from goodwatt.simulator.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import EVERY_EVENT, KINDS, Nodes, Scripted, cluster, fates, finished, job, simulate, table

FULL = RunOptions(physics="full", truth="model", draw=True)
V100, H200 = "V100-PCIE", "H200-SXM"
MODELS = {kind.name: gpu_model(kind) for kind in (KINDS["V100"], KINDS["H200"])}
NET = "shufflenetv2_cifar100"
"""A class measured on V100 in one phase, so that its time at a clock is one formula."""


def demand(workload: str = NET, kind: str = V100) -> Demand:
    return mean_demand(phases_on(workload_class(workload), kind))


def point(
    clock_mhz: float | None = None, cap_w: float | None = None, workload: str = NET, kind: str = V100
) -> GpuPoint:
    return alone_point(MODELS[kind], phases_on(workload_class(workload), kind), Setting(clock_mhz, cap_w))


def together(mode: str, *workloads: str, threads: Sequence[float] = (), setting: Setting = DEFAULT_SETTING) -> GpuPoint:
    shares = threads or (1.0,) * len(workloads)
    residents = tuple(Resident(demand(name), share) for name, share in zip(workloads, shares, strict=True))
    return shared_point(MODELS[V100], residents, mode, setting)  # type: ignore[arg-type]


def run(
    text: str, *steps: tuple[float, Decision], on: Any = None, options: RunOptions = FULL, **known: float
) -> Simulation:
    """Run the jobs of a table, in which names stand for figures, under decisions by time or under FIFO."""
    wanted = table(text.format(**{name: repr(value) for name, value in known.items()}))
    times = dict.fromkeys(time_s for time_s, _ in steps)
    script = Scripted({time_s: [d for at, d in steps if at == time_s] for time_s in times})
    sim = simulate(wanted.jobs, on or cluster(Nodes(1, 2, "V100")), script if steps else "fifo", EVERY_EVENT, options)
    got = fates(finished(sim))
    for job_id, row in wanted.expected.items():
        for name, value in row.items():
            assert got[job_id][name] == (value if value is None or isinstance(value, str) else pytest.approx(value)), (
                f"{name} of {job_id}"
            )
    return sim


# alone ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["V100", "H200"])
@pytest.mark.parametrize("workload", list(all_classes()))
def test_a_job_alone_takes_exactly_what_the_trace_says(workload: str, kind: str) -> None:
    one = job("a", 1, 0.0, 123.4, workload=workload)
    sim = simulate([one], cluster(Nodes(1, 2, kind)), options=FULL)
    assert finished(sim).jobs.end_s == [123.4]


def test_a_locked_clock_stretches_it_as_the_model_says() -> None:
    run(
        f"""
        job  time  class | start  end
        a     100  {NET} |     0  {{end}}
        """,
        (0.0, Place("a", ((0, 1),), clock_mhz=900.0)),
        end=100.0 * MODELS[V100].slowdown(demand(), 900.0),
    )


def test_a_cap_that_binds_does_so_too() -> None:
    capped = point(cap_w=120.0)
    assert capped.bound_by == "cap"
    run(
        f"""
        job  time  class | start  end
        a     100  {NET} |     0  {{end}}
        """,
        (0.0, Place("a", ((0, 1),), cap_w=120.0)),
        end=100.0 / capped.speeds[0],
    )


def test_a_cap_that_cannot_be_met_leaves_the_lowest_clock() -> None:
    """V100 boards take 100 W and more; prefill there needs more at its lowest clock only by far, so one is made up."""
    assert point(cap_w=40.0).bound_by == "violated"
    assert point(cap_w=40.0).clock_mhz == 135.0


@pytest.mark.parametrize("workload", ["llm_prefill", "bert_train", NET])
def test_another_kind_runs_it_faster_by_what_the_catalogue_says(workload: str) -> None:
    """Its duration was measured on V100, it runs on H200, and on V100."""
    ratio = speed_on(workload_class(workload), H200) / speed_on(workload_class(workload), V100)
    run(
        f"""
        job  time  class       reference  kind      | start    end
        a     100  {workload}  {V100}     {H200}    |     0    {{end}}
        b     100  {workload}  {V100}     {V100}    |     0    100
        """,
        on=cluster(Nodes(1, 1, "H200"), Nodes(1, 1, "V100")),
        end=100.0 / ratio,
    )


# clocks that change --------------------------------------------------------------------------------------------------


def when(sim: Simulation, time_s: float) -> Simulation:
    """Run on up to a time, decisions included."""
    while sim.deciding or sim.clock.peek() <= time_s:
        if not sim.deciding:
            sim.clock.step()
        elif (view := sim.advance()) is not None:
            sim.apply(sim.policy.decide(view))
    return sim


def test_a_clock_counts_once_it_has_settled_and_what_was_done_stays_done() -> None:
    script = Scripted({0.0: [Place("a", ((0, 1),))], 40.0: [SetClock("a", 900.0)]})
    sim = when(simulate([job("a", workload=NET)], cluster(Nodes(1, 1, "V100")), script, options=FULL), 40.0)
    assert (sim.live["a"].clock_mhz, sim.live["a"]._truth.rate) == (None, 1.0)
    (settled_s,) = (timer.time_s for timer in sim.timers.waiting.values())
    assert 40.010 < settled_s < 40.5
    when(sim, settled_s)
    slower = MODELS[V100].slowdown(demand(), 900.0)
    assert sim.live["a"].clock_mhz == 900.0
    assert sim.live["a"]._truth.rate == pytest.approx(1.0 / slower)
    assert finished(sim).jobs.end_s[0] == pytest.approx(settled_s + (100.0 - settled_s) * slower)


def test_of_two_wishes_only_the_last_settles_and_a_job_that_leaves_takes_its_wish_along() -> None:
    script = Scripted(
        {
            0.0: [Place("a", ((0, 1),))],
            40.0: [SetClock("a", 900.0), SetClock("a", 1200.0)],
            99.999: [SetCap("a", 100.0)],
        }
    )
    sim = when(
        simulate([job("a", duration_s=95.0, workload=NET)], cluster(Nodes(1, 1, "V100")), script, options=FULL), 50.0
    )
    assert sim.live["a"].clock_mhz == 1200.0
    assert not sim.timers.waiting
    outcome = finished(sim)
    assert outcome.jobs.end_s[0] == pytest.approx(40.0 + 55.0 * MODELS[V100].slowdown(demand(), 1200.0), rel=1e-2)
    assert not sim.timers.waiting


# neighbours ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["timeslice", "mps"])
def test_two_jobs_on_a_gpu_take_what_sharing_says_and_the_one_left_speeds_up(mode: str) -> None:
    a, b = together(mode, NET, "gnn_train").speeds
    assert a < 1.0 > b
    run(
        f"""
        job  time  class      reference | start  end
        a     100  {NET}      {V100}    |     0  {{a_ends}}
        b      20  gnn_train  {V100}    |     0  {{b_ends}}
        """,
        (0.0, Place("a", ((0, 1),))),
        (0.0, Place("b", (), beside="a", sharing=mode)),
        b_ends=20.0 / b,
        a_ends=20.0 / b + 100.0 - a * 20.0 / b,
    )


def test_a_limit_of_threads_is_felt_alone_and_beside_others() -> None:
    alone = together("mps", NET, threads=[0.3]).speeds[0]
    a, b = together("mps", NET, NET, threads=[0.3, 0.7]).speeds
    assert a < alone < 1.0
    run(
        f"""
        job  submit  time  class | start  end
        a         0   100  {NET} |     0  {{a_ends}}
        b        10    10  {NET} |    10  {{b_ends}}
        """,
        (0.0, Place("a", ((0, 1),), sharing="mps", thread_percent=30.0)),
        (10.0, Place("b", (), beside="a", sharing="mps", thread_percent=70.0)),
        b_ends=10.0 + 10.0 / b,
        a_ends=10.0 + 10.0 / b + (100.0 - 10.0 * alone - 10.0 * a / b) / alone,
    )


def test_the_lowest_clock_and_the_lowest_cap_of_the_jobs_on_a_gpu_hold_for_all_of_them() -> None:
    a, b = together("mps", NET, NET, setting=Setting(900.0, 150.0)).speeds
    run(
        f"""
        job  time  class | start  end
        a     100  {NET} |     0  {{a_ends}}
        b     100  {NET} |     0  {{b_ends}}
        """,
        (0.0, Place("a", ((0, 1),), clock_mhz=900.0, cap_w=200.0)),
        (0.0, Place("b", (), beside="a", sharing="mps", clock_mhz=1100.0, cap_w=150.0)),
        a_ends=100.0 / a,
        b_ends=100.0 / b,
    )


def test_shares_of_gpus_are_shared_as_the_engine_says() -> None:
    a, b = together("timeslice", NET, NET).speeds
    run(
        f"""
        job  milli  time  class | start  end
        a      500   100  {NET} |     0  {{a_ends}}
        b      500   100  {NET} |     0  {{b_ends}}
        """,
        on=cluster(Nodes(1, 1, "V100")),
        a_ends=100.0 / a,
        b_ends=100.0 / b,
    )


# gangs ---------------------------------------------------------------------------------------------------------------

LSTM = "lstm_wikitext2"
"""Its gangs exchange 112 MB in short steps."""
SPREAD = ((0, 1), (1, 1))


def step_of(placement: tuple[tuple[int, int], ...], on: Any, slowdown: float = 1.0, load: float = 1.0) -> float:
    return step_s(workload_class(LSTM).step, slowdown, layout_of(on, placement), on.network, load).total_s


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
    sim = when(simulate([gang], both, Scripted({0.0: [Place("a", SPREAD)]}), options=FULL), 0.0)
    assert sim.live["a"]._truth.rate == pytest.approx(best_s / step_of(SPREAD, both))
    on = cluster(Nodes(2, 2, "V100"))
    clocks = {0.0: [Place("a", SPREAD)], 10.0: [SetClock("a", 900.0)]}
    sim = when(simulate([gang], on, Scripted(clocks), options=FULL), 11.0)  # type: ignore[arg-type]
    slower = 1.0 / point(clock_mhz=900.0, workload=LSTM).speeds[0]
    assert sim.live["a"]._truth.rate == pytest.approx(best_s / step_of(SPREAD, on, slower))


def test_a_gang_beside_another_goes_at_what_sharing_leaves_it() -> None:
    on = cluster(Nodes(2, 2, "V100"))
    jobs = [job("a", 2, workload=LSTM), job("b", 2, workload="gnn_train", reference_gpu=V100)]
    script = Scripted({0.0: [Place("a", SPREAD), Place("b", (), beside="a", sharing="timeslice")]})
    sim = when(simulate(jobs, on, script, options=FULL), 0.0)
    load = sim.physics._loads.load("a")  # type: ignore[attr-defined]
    slower = 1.0 / together("timeslice", LSTM, "gnn_train").speeds[0]
    step_time_s = step_of(SPREAD, on, slower, load)
    assert sim.live["a"]._truth.rate == pytest.approx(workload_class(LSTM).step.compute_s / step_time_s)


def test_gangs_that_share_links_slow_each_other_down_while_both_run() -> None:
    on = cluster(Nodes(2, 2, "V100"))
    placed = [(0.0, Place("a", SPREAD)), (0.0, Place("b", SPREAD))]
    jobs = [job("a", 2, duration_s=1000.0, workload=LSTM), job("b", 2, duration_s=100.0, workload=LSTM)]
    alone = when(simulate(jobs[:1], on, Scripted({0.0: [placed[0][1]]}), options=FULL), 0.0)
    sim = when(simulate(jobs, on, Scripted({0.0: [place for _, place in placed]}), options=FULL), 0.0)
    load = sim.physics._loads.load("a")  # type: ignore[attr-defined]
    assert load > 1.0
    assert sim.live["a"]._truth.rate == pytest.approx(step_of(((0, 3),), on) / step_of(SPREAD, on, load=load))
    assert sim.live["a"]._truth.rate < alone.live["a"]._truth.rate
    when(sim, 999.0)
    assert "b" not in sim.live
    assert sim.live["a"]._truth.rate == alone.live["a"]._truth.rate


# watts ---------------------------------------------------------------------------------------------------------------


def test_a_cluster_without_jobs_draws_what_idle_gpus_draw() -> None:
    assert simulate([], cluster(Nodes(1, 2, "V100")), options=FULL).physics.power() == ClusterPower(idle_w=52.0)


@pytest.mark.parametrize("setting", [Setting(), Setting(900.0), Setting(None, 120.0)])
def test_a_job_draws_what_its_point_says_and_gives_it_back(setting: Setting) -> None:
    script = Scripted({0.0: [Place("a", ((0, 1),), clock_mhz=setting.clock_mhz, cap_w=setting.cap_w)]})
    sim = when(simulate([job("a", workload=NET)], cluster(Nodes(1, 2, "V100")), script, options=FULL), 0.0)
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
    near = when(simulate([job("a", 2, workload=LSTM)], on, Scripted({0.0: [Place("a", ((0, 2),))]}), options=FULL), 0.0)
    far = when(simulate([job("a", 2, workload=LSTM)], on, Scripted({0.0: [Place("a", SPREAD)]}), options=FULL), 0.0)
    assert near.live["a"]._truth.power_w is not None
    assert far.live["a"]._truth.power_w is not None
    context_w = MODELS[V100].context_w * 2
    assert context_w < far.live["a"]._truth.power_w < near.live["a"]._truth.power_w


def test_kinds_without_a_model_run_at_their_traced_speed_and_draw_nothing_that_is_known() -> None:
    sim = simulate([job("a", workload=NET)], cluster(Nodes(1, 2, "small")), options=FULL)
    outcome = finished(sim)
    assert (outcome.jobs.end_s, outcome.jobs.energy_j) == ([100.0], [None])
    assert sim.physics.gpus_without_energy == 2


# chips ---------------------------------------------------------------------------------------------------------------


def test_chips_of_one_kind_differ_and_their_jobs_with_them_but_not_where_the_model_is_the_truth() -> None:
    jobs = [job(f"j{i}", 1, duration_s=100.0, workload=NET) for i in range(8)]
    places = {0.0: [Place(one.job_id, ((0, 1),), cap_w=120.0) for one in jobs]}
    for truth, different in (("model", 1), ("residual", 8)):
        options = RunOptions(physics="full", truth=truth)
        sim = simulate(jobs, cluster(Nodes(1, 8, "V100")), Scripted(places), options=options)
        assert len(set(finished(sim).jobs.end_s)) == different
