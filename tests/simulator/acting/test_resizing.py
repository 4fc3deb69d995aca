"""Elastic jobs in a run: they shrink and grow as decided, pause for it, and their work is conserved."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Quotas
from goodwatt.simulator.decisions import Decision, Place, Preempt, Resize
from goodwatt.simulator.jobs.elastic import IN_PLACE_S, doubling
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import Nodes, Scripted, check, cluster, engine, finished, job, simulate

TWO = cluster(Nodes(2))
RESTART = engine(restart_overhead_s=100.0, checkpoint_interval_s=30)

Script = Mapping[float, Sequence[Decision]]


def reasons(simulation: Simulation) -> list[str]:
    return [refusal.reason for refusal in simulation.executor.refusals]


def test_a_gang_shrinks_in_place_and_makes_room() -> None:
    # 100 s at full speed, a pause of 30 s, the other 100 s of work on half the GPUs.
    half = doubling(8)(4)
    simulation = check(
        f"""
        job  gpus  time  min | start                      end  nodes
        a       8   200    2 |     0  {130 + 100 / half!r}     n0
        b       4   100    - |   100                      200     n0
        """,
        TWO,
        Scripted({0: [Place("a", ((0, 8),))], 100: [Resize("a", ((0, 4),)), Place("b", ((0, 4),))]}),
        RESTART,
    )
    assert not reasons(simulation)


def test_a_gang_grows_onto_another_node() -> None:
    double = doubling(8)(16)
    check(
        f"""
        job  gpus  time  max | start                        end  nodes  stops
        a       8   200   16 |     0  {130 + 100 / double!r}  n0+n1      0
        """,
        TWO,
        Scripted({0: [Place("a", ((0, 8),))], 100: [Resize("a", ((0, 8), (1, 8)))]}),
        RESTART,
    )


def test_whoever_leaves_all_its_gpus_restarts_from_its_checkpoint() -> None:
    # 90 of 100 s are saved; a restart of 100 s, then 110 s of work on half the GPUs.
    half = doubling(8)(4)
    check(
        f"""
        job  gpus  time  min | start                      end  nodes  lost
        a       8   200    4 |     0  {200 + 110 / half!r}     n1    80
        """,
        TWO,
        Scripted({0: [Place("a", ((0, 8),))], 100: [Resize("a", ((1, 4),))]}),
        RESTART,
    )


def test_the_gpus_that_stay_are_its_own() -> None:
    simulation = simulate(
        [job("first", gpus=2, duration_s=50), job(gpus=4, min_gpus=1, max_gpus=6)],
        TWO,
        Scripted({0: [Place("first", ((0, 2),)), Place("a", ((0, 4),))], 60: [Resize("a", ((0, 2),))], 70: [
            Resize("a", ((0, 5),))
        ]}),
    )  # fmt: skip
    masks = []
    while (view := simulation.advance()) is not None:
        simulation.apply(simulation.policy.decide(view))
        if "a" in simulation.live and simulation.live["a"].placement:
            masks.append(simulation.live["a"].placement[0][1])
    assert {0b111100, 0b001100} <= set(masks)
    assert (masks[-1] & 0b001100, masks[-1].bit_count()) == (0b001100, 5)


def test_an_elastic_job_may_start_smaller_or_larger() -> None:
    for gpus in (2, 8):
        simulation = simulate([job(gpus=4, min_gpus=2, max_gpus=8)], TWO, Scripted({0: [Place("a", ((0, gpus),))]}))
        outcome = finished(simulation)
        assert outcome.jobs.end_s == [pytest.approx(100 / doubling(4)(gpus))]
        assert outcome.jobs.work_gpu_s == [400.0]


def test_a_job_that_is_stopped_waits_for_the_gpus_that_it_asked_for() -> None:
    script: Script = {0: [Place("a", ((0, 2),))], 10: [Preempt("a")], 20: [Place("a", ((0, 4),))]}
    simulation = simulate([job(gpus=4, min_gpus=2)], TWO, Scripted(script))
    outcome = finished(simulation)
    assert not reasons(simulation)
    assert outcome.jobs.end_s == [pytest.approx(20 + 100 - 10 * doubling(4)(2))]


def test_time_on_fewer_gpus_is_time_served() -> None:
    script: Script = {0: [Place("a", ((0, 8),))], 10: [Resize("a", ((0, 2),))]}
    options = RunOptions(horizon_s=30.0, draw=True)
    simulation = simulate([job(gpus=8, min_gpus=2)], TWO, Scripted(script), options=options)
    simulation.run()
    assert simulation.live["a"].attained(30.0) == 8 * 10 + 2 * 20
    assert simulation.recorder.totals.busy_gpu_s == 8 * 10 + 2 * 20


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (Resize("nobody", ((0, 2),)), "not running"),
        (Resize("waits", ((0, 2),)), "not running"),
        (Resize("a", ((0, 1),)), "runs on 2 to 8 GPUs, got 1"),
        (Resize("a", ((0, 8), (1, 8))), "runs on 2 to 8 GPUs, got 16"),
        (Resize("stiff", ((0, 2),)), "runs on 1 to 1 GPUs"),
        (Resize("a", ((0, 6),)), "6 GPUs wanted"),
        (Resize("a", ((0, 2), (0, 2))), "names a node twice"),
        (Resize("a", ((7, 4),)), "node 7"),
        (Resize("a", ((0, 4), (1, 0))), "names a node twice"),
        (Resize("packed", ((1, 1),)), "shares its GPUs"),
    ],
)
def test_what_is_refused_changes_nothing(decision: Resize, reason: str) -> None:
    jobs = [
        job("a", gpus=4, min_gpus=2, max_gpus=8),
        job("stiff"),
        job("three", gpus=3),
        job("packed", gpus=2, min_gpus=1),
        job("guest", gpus=2),
        job("waits", gpus=4, min_gpus=1),
    ]
    script: Script = {
        0: [
            Place("a", ((0, 4),)),
            Place("stiff", ((0, 1),)),
            Place("three", ((0, 3),)),
            Place("packed", ((1, 2),)),
            Place("guest", (), beside="packed", sharing="mps"),
        ],
        10: [decision],
    }
    simulation = simulate(jobs, TWO, Scripted(script), options=RunOptions(horizon_s=20.0))
    simulation.run()
    (got,) = reasons(simulation)
    assert reason in got
    assert simulation.live["a"].placement == ((0, 0b1111),)


def test_quotas_hold_for_sizes() -> None:
    on = cluster(Nodes(2), quotas=Quotas(users={"ann": 6}))
    script: Script = {
        0: [Place("a", ((0, 4),))],
        10: [Resize("a", ((0, 8),)), Resize("a", ((0, 6),)), Resize("a", ((0, 2),))],
        20: [Place("b", ((0, 4),))],
    }
    jobs = [job("a", gpus=4, min_gpus=2, max_gpus=8, user="ann"), job("b", gpus=4, user="ann")]
    simulation = simulate(jobs, on, Scripted(script))
    assert finished(simulation).jobs.state == ["finished"] * 2
    (got,) = reasons(simulation)
    assert "quota of user ann" in got


def test_pauses_are_those_of_a_resize() -> None:
    simulation = simulate(
        [job(gpus=4, max_gpus=8, duration_s=1000)],
        TWO,
        Scripted({0: [Place("a", ((0, 4),))], 100: [Resize("a", ((0, 8),))], 200: [Resize("a", ((0, 4),))]}),
        RESTART,
    )
    finished(simulation)
    assert list(result(simulation).jobs.lost_s["restart"]) == [2 * IN_PLACE_S]


# full physics --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workload", ["gpt2_pretrain", "llm_70b_serving", "rl_small"])
def test_speeds_of_sizes_come_from_the_steps_of_the_class(workload: str) -> None:
    on = cluster(Nodes(2, gpus=8, kind="H200"))
    rates = []
    for gpus in (1, 2, 4, 8):
        spec = job(gpus=4, min_gpus=1, max_gpus=8, workload=workload, reference_gpu="H200-SXM", duration_s=1e5)
        script: Script = {0: [Place("a", ((0, 4),))], 10: [Resize("a", ((0, gpus),))] if gpus != 4 else []}
        options = RunOptions(physics="full", truth="model", horizon_s=100.0)
        simulation = simulate([spec], on, Scripted(script), options=options)
        simulation.run()
        assert not reasons(simulation)
        rates.append(simulation.live["a"]._truth.rate)
    assert rates[2] == 1.0
    assert rates == sorted(rates)
    for gpus, rate in zip((1, 2, 4, 8), rates, strict=True):
        assert 0.4 * gpus / 4 < rate < max(2.0 * gpus / 4, 1.01)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(1, 50), st.sampled_from([1, 2, 3, 4, 8, 12])), min_size=1, max_size=6))
def test_work_is_conserved_over_sizes(changes: list[tuple[float, int]]) -> None:
    """The integral of the rates over the time not paused is the duration."""
    script: dict[float, Sequence[Decision]] = {0.0: [Place("a", ((0, 8),))]}
    time_s = 0.0
    for after_s, gpus in changes:
        time_s += after_s
        script[time_s] = [Resize("a", ((0, min(gpus, 8)), (1, gpus - 8)) if gpus > 8 else ((0, gpus),))]
    spec = job(gpus=8, min_gpus=1, max_gpus=12, duration_s=100)
    simulation = simulate([spec], TWO, Scripted(script), engine(restart_overhead_s=5.0))
    finished(simulation)
    end_s, work, now, pause = simulation.recorder.end_s[0], 0.0, 8, 0.0
    times = [*(t for t in script if t < end_s), end_s]
    for start_s, stop_s in itertools.pairwise(times):
        wanted = next(iter(script[start_s]))
        assert isinstance(wanted, Place | Resize)
        now = sum(count for _, count in wanted.nodes)
        pause += 5.0 if isinstance(wanted, Resize) else 0.0
        ran_s = max(stop_s - start_s - pause, 0.0)
        pause = max(pause - (stop_s - start_s), 0.0)
        work += ran_s * doubling(8)(now)
    assert work == pytest.approx(100.0, rel=1e-9)
