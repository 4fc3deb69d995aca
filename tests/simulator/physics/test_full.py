"""Full physics as tables: how long jobs take under clocks, caps, neighbours, wires and on other kinds, and what for."""

from __future__ import annotations

import pytest

from goodwatt.power.workloads.catalogue import all_classes, speed_on, workload_class
from goodwatt.power.workloads.demand import Setting
from goodwatt.simulator.decisions import Place, SetCap, SetClock
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
    H200,
    MODELS,
    NET,
    V100,
    demand,
    point,
    run,
    together,
)

# alone ----------------------------------------------------------------------------------------------------------------


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


# clocks that change ---------------------------------------------------------------------------------------------------


def test_a_clock_counts_once_it_has_settled_and_what_was_done_stays_done() -> None:
    script = Scripted({0.0: [Place("a", ((0, 1),))], 40.0: [SetClock("a", 900.0)]})
    sim = until(simulate([job("a", workload=NET)], cluster(Nodes(1, 1, "V100")), script, options=FULL), 40.0)
    assert (sim.live["a"].clock_mhz, sim.live["a"]._truth.rate) == (None, 1.0)
    (settled_s,) = (timer.time_s for timer in sim.timers.waiting.values())
    assert 40.010 < settled_s < 40.5
    until(sim, settled_s)
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
    sim = until(
        simulate([job("a", duration_s=95.0, workload=NET)], cluster(Nodes(1, 1, "V100")), script, options=FULL), 50.0
    )
    assert sim.live["a"].clock_mhz == 1200.0
    assert not sim.timers.waiting
    outcome = finished(sim)
    assert outcome.jobs.end_s[0] == pytest.approx(40.0 + 55.0 * MODELS[V100].slowdown(demand(), 1200.0), rel=1e-2)
    assert not sim.timers.waiting


# neighbours -----------------------------------------------------------------------------------------------------------


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
