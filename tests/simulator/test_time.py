"""When things happen: decision intervals, lags, horizons, warm-up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from goodwatt.cluster.cluster import Cluster
from goodwatt.errors import InputError
from goodwatt.simulator.decisions import Decision, Place, Preempt
from goodwatt.simulator.events.clock import Clock, Kind
from goodwatt.simulator.settings.engine import EngineSettings
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import (
    DRAWN,
    Nodes,
    Scripted,
    check,
    cluster,
    engine,
    fates,
    finished,
    job,
    simulate,
    table,
)

ONE_NODE = cluster(Nodes(1))
TWO_NODES = cluster(Nodes(2))


# the clock -----------------------------------------------------------------------------------------------------------


def test_events_order_by_time_then_kind_then_who_was_first() -> None:
    clock, seen = Clock(0.0), list[str]()

    def note(time_s: float, kind: Kind, text: str) -> None:
        clock.call(time_s, kind, lambda event: seen.append(event._value), text)

    note(5.0, Kind.HORIZON, "5 horizon")
    note(5.0, Kind.DECIDE, "5 decide")
    note(5.0, Kind.WAKE, "5 wake")
    note(5.0, Kind.ARRIVAL, "5 arrival")
    note(5.0, Kind.NODE, "5 node")
    note(5.0, Kind.END, "5 first end")
    note(5.0, Kind.END, "5 second end")
    note(1.0, Kind.HORIZON, "1 horizon")
    clock.run()
    expected = ["1 horizon", "5 first end", "5 second end", "5 node", "5 arrival", "5 wake", "5 decide", "5 horizon"]
    assert seen == expected


def test_times_are_exact() -> None:
    clock, seen = Clock(0.1), list[float]()
    for time_s in (0.1 + 0.2, 0.7, 1e9 + 0.1):
        clock.call(time_s, Kind.END, lambda _: seen.append(clock.now), None)
    clock.run()
    assert seen == [0.1 + 0.2, 0.7, 1e9 + 0.1]


# decision intervals and lags -----------------------------------------------------------------------------------------


def test_decisions_fall_on_multiples_of_the_interval() -> None:
    check(
        """
        job  submit  gpus  time | start  end
        a         0     8    50 |     0   50
        b         1     4    60 |    60  120
        c        61     4    10 |   120  130
        d       120     4     5 |   120  125
        """,
        ONE_NODE,
        settings=engine(decision_interval_s=60),
    )


@pytest.mark.parametrize("interval_s", [0.1, 0.3, 7.0, 60.0, 1e-3])
@pytest.mark.parametrize("policy", ["tiresias", "fifo"])
def test_time_never_goes_back_whatever_the_interval(interval_s: float, policy: str) -> None:
    jobs = [job(f"j{i}", submit_s=i * 0.7, duration_s=3 + 1.7 * (i % 5), gpus=1 + i % 8) for i in range(60)]
    jobs += [job("just after", submit_s=math.nextafter(70 * interval_s, math.inf)) for _ in range(1)]
    jobs.sort(key=lambda j: j.submit_s)
    simulation = simulate(jobs, ONE_NODE, policy, engine(decision_interval_s=interval_s))
    last = -math.inf
    while (view := simulation.advance()) is not None:
        assert view.now_s >= last
        last = view.now_s
        simulation.apply(simulation.policy.decide(view))
    assert not simulation.live


def test_a_decision_is_never_before_what_it_answers() -> None:
    """0.1 times 3 is more than 0.3, and there are numbers n whose (n / 0.1) * 0.1 is less than n."""
    before = [
        time_s
        for k in range(1, 3000)
        for time_s in (math.nextafter(k * 0.1, math.inf),)
        if math.ceil(time_s / 0.1) * 0.1 < time_s
    ]
    assert before
    for time_s in before[:5]:
        simulation = simulate([job(submit_s=time_s)], ONE_NODE, settings=engine(decision_interval_s=0.1))
        view = simulation.advance()
        assert view is not None
        assert view.now_s >= time_s


def test_a_job_holds_its_gpus_for_the_lag() -> None:
    check(
        """
        job  submit  gpus  time | start  end
        a         0     8    50 |     0   51
        b         0     8     0 |    51   52
        """,
        ONE_NODE,
        settings=engine(completion_lag_s=1),
    )


# horizon, warm-up, beginning -----------------------------------------------------------------------------------------

THREE = """
job    submit  gpus  time | start  end     state
done        0     8    50 |     0   50  finished
cut        10     8   100 |    50    -   running
waits      20     8   100 |     -    -   waiting
later     200     8    10 |     -    -   unsubmitted
"""


def test_a_run_stops_at_the_horizon() -> None:
    simulation = check(THREE, ONE_NODE, options=RunOptions(horizon_s=120))
    assert simulation.now_s == 120
    assert fates(finished(simulation.fork()))["cut"]["start"] == 50


def test_a_run_that_drains_goes_on_and_counts_up_to_the_horizon() -> None:
    text = """
    job    submit  gpus  time | start  end     state
    done        0     8    50 |     0   50  finished
    cut        10     8   100 |    50  150  finished
    """
    simulation = check(text, ONE_NODE, options=RunOptions(horizon_s=120, drain=True))
    summary = finished(simulation.fork()).summary
    assert (summary["horizon_s"], summary["finished"], summary["unfinished"]) == (120, 2, 1)
    assert summary["work_gpu_s"] == 8 * 120
    assert summary["gpu_energy_j"] == 8 * 250 * 120


def test_what_ends_at_the_horizon_is_done() -> None:
    text = """
    job  submit  gpus  time | start  end     state
    a         0     8   120 |     0  120  finished
    """
    check(text, ONE_NODE, options=RunOptions(horizon_s=120))


@pytest.mark.parametrize("drain", [False, True])
def test_idle_nodes_draw_power_up_to_the_horizon(drain: bool) -> None:
    options = RunOptions(horizon_s=1000, drain=drain)
    summary = finished(simulate([job(gpus=8, duration_s=100)], ONE_NODE, options=options)).summary
    assert (summary["horizon_s"], summary["span_s"]) == (1000, 1000)
    assert summary["gpu_energy_j"] == 8 * 250 * 100 + 8 * 50 * 900
    assert summary["utilisation"] == 0.1


def test_an_empty_trace_draws_power_up_to_the_horizon() -> None:
    summary = finished(simulate([], ONE_NODE, options=RunOptions(horizon_s=100))).summary
    assert summary["gpu_energy_j"] == 8 * 50 * 100


def test_what_happens_during_the_warm_up_does_not_count() -> None:
    jobs = table("job submit gpus time\n early 0 8 50\n late 60 8 50").jobs
    summary = finished(simulate(jobs, ONE_NODE, settings=engine(warm_up_s=40))).summary
    assert (summary["jobs"], summary["warm_up_jobs"]) == (1, 1)
    assert (summary["span_s"], summary["work_gpu_s"]) == (70, 8 * 60)
    assert summary["gpu_energy_j"] == 8 * 250 * 60 + 8 * 50 * 10
    assert summary["mean_jct_s"] == 50


@pytest.mark.parametrize(("horizon_s", "warm_up_s"), [(100, 500), (-1, 0)])
def test_a_horizon_before_counting_begins_is_wrong_input(horizon_s: float, warm_up_s: float) -> None:
    settings, options = engine(warm_up_s=warm_up_s), RunOptions(horizon_s=horizon_s)
    with pytest.raises(InputError, match="when counting begins"):
        simulate([job()], ONE_NODE, settings=settings, options=options)


def test_a_run_may_begin_before_the_first_job() -> None:
    outcome = finished(simulate([job(submit_s=50, gpus=8)], ONE_NODE, options=RunOptions(start_s=0)))
    assert outcome.summary["span_s"] == 150
    assert outcome.timeline.t_s[0] == 0


def test_jobs_submitted_before_the_run_wait_when_it_begins() -> None:
    jobs = table("job submit gpus time\n old 0 8 50\n new 120 8 50").jobs
    outcome = finished(simulate(jobs, ONE_NODE, options=RunOptions(start_s=100)))
    assert {i: (f["start"], f["end"]) for i, f in fates(outcome).items()} == {"old": (100, 150), "new": (150, 200)}
    assert outcome.summary["span_s"] == 100
    assert outcome.summary["gpu_energy_j"] == 8 * 250 * 100


def test_overheads_by_size() -> None:
    settings = EngineSettings(restart_overhead_s=((8, 40.0), (math.inf, 60.0)))
    assert [settings.restart_s(gpus) for gpus in (0, 1, 8, 9, 512)] == [40, 40, 40, 60, 60]


# rates ---------------------------------------------------------------------------------------------------------------


def paced(on: Cluster, rates: Sequence[tuple[float, float]], lag_s: float = 0.0, work_s: float = 100.0) -> Simulation:
    """One job whose rate changes at these times, run to its end."""
    script: dict[float, list[Decision]] = {time_s: [] for time_s, _ in rates}
    settings = engine(completion_lag_s=lag_s)
    simulation = simulate([job(duration_s=work_s)], on, Greedy(script), settings, DRAWN)
    change = dict(rates)
    while (view := simulation.advance()) is not None:
        simulation.apply(simulation.policy.decide(view))
        if view.now_s in change and "a" in simulation.live:
            simulation.straggle(simulation.live["a"], 1.0 / change.pop(view.now_s))
    return simulation


class Greedy(Scripted):
    """Places the one job, and asks to be asked at the times of its script."""

    def decide(self, view: Any) -> Sequence[Decision]:
        waiting = [entry[2].spec.job_id for entry in view.pools[0].queue]
        return [*(Place(job_id, ((0, 1),)) for job_id in waiting), *super().decide(view)]


RATES: list[tuple[str, list[tuple[float, float]], float, float]] = [
    ("as traced", [], 0.0, 100.0),
    ("half speed from the middle", [(50, 0.5)], 0.0, 150.0),
    ("faster", [(0, 2.0)], 0.0, 50.0),
    ("slower, then as before: the slow end in the queue is stale", [(10, 0.1), (20, 1.0)], 0.0, 109.0),
    ("faster, then slower: the early end in the queue is stale", [(10, 9.0), (15, 0.5)], 0.0, 105.0),
    ("often", [(float(t), 0.5 if t % 2 else 1.5) for t in range(10, 90)], 0.0, 110.0),
    ("with a lag", [(50, 0.5)], 2.0, 152.0),
    ("changed during the lag: the lag does not begin anew", [(101, 0.5)], 2.0, 102.0),
]


@pytest.mark.parametrize(("why", "rates", "lag_s", "end_s"), RATES, ids=[row[0] for row in RATES])
def test_rates(why: str, rates: list[tuple[float, float]], lag_s: float, end_s: float) -> None:
    simulation = paced(ONE_NODE, rates, lag_s)
    fate = finished(simulation).jobs
    assert fate.end_s == [pytest.approx(end_s, abs=1e-9)], why
    assert fate.work_gpu_s == [100.0]


def test_what_remains_in_truth_counts_overhead_at_rate_one() -> None:
    """Half of 100 s done, 40 s of overhead to pay, then the rest at double speed."""
    script: dict[float, list[Decision]] = {
        0: [Place("a", ((0, 1),))],
        50: [Preempt("a"), Place("a", ((0, 1),))],
        60: [],
        100: [],
    }
    oracle = Scripted(script, oracle=True)
    simulation = simulate([job(duration_s=100)], ONE_NODE, oracle, engine(restart_overhead_s=40))
    remaining = {}
    while (view := simulation.advance()) is not None:
        remaining[view.now_s] = view.true_remaining_s(simulation.live["a"]) if simulation.live else 0.0
        simulation.apply(simulation.policy.decide(view))
        if view.now_s == 50 and simulation.live["a"].running:
            simulation.straggle(simulation.live["a"], 0.5)
    assert remaining == {0: 100, 50: 90, 60: 80, 100: 30}
    assert simulation.now_s == 115
