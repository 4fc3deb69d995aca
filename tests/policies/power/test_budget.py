"""The budget policy: nothing is ever above a limit, and what there is goes where it buys the most."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.job import Job
from goodwatt.errors import InputError
from goodwatt.policies.power_registry import make_power, with_power
from goodwatt.policies.powered import Powered
from goodwatt.policies.registry import make_policy
from goodwatt.power.budgets.division import WAYS
from goodwatt.simulator.decisions import Decision, Migrate, Place, SetCap, WaitUntil
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.policy import NoMemory, Policy
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.settings.failure_rates import ComponentRates, FailureSettings
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import View
from tests.scenario import EVERY_EVENT, engine, job, step

FULL = RunOptions(physics="full", truth="model", draw=True)


def hall(rack_w: float | None = None, kind: str = "H100-SXM", per_node: int = 8, row_w: float | None = None) -> Cluster:
    """Two racks of two nodes in a row."""
    rack = {} if rack_w is None else {"power_limit_w": rack_w}
    row = {} if row_w is None else {"power_limit_w": row_w}
    return build_cluster(
        {
            "nodes": [{"gpu": kind, "gpus": per_node, "count": 4, "nodes_per_rack": 2}],
            "racks": [{"name": "rack-*", "row": "a", "feeds": 2, **rack}],
            "rows": [{"name": "a", **row}],
            "power": {"node": "dgx-h100"},
        }
    )


def policy(power: str = "budget", order: str = "fifo") -> Policy:
    return with_power(make_policy(order), power)


def training(job_id: str, gpus: int = 8, submit_s: float = 0.0, duration_s: float = 1_000.0, **more: Any) -> Job:
    """685 W on each H100 unless something else is said."""
    return job(job_id, gpus, submit_s, duration_s, **{"workload": "bert_squad", "reference_gpu": "H100-SXM", **more})


def run_of(
    jobs: list[Job], on: Cluster, power: str, budget_w: float | None, how: Engine = EVERY_EVENT, **more: Any
) -> Simulation:
    return Simulation(jobs, on, policy(power), how, replace(FULL, budget_w=budget_w, **more))


def watched(sim: Simulation) -> RunResult:
    """Run to the end; at every event nothing is above what was granted, and nothing granted above a limit."""
    while not sim.stopped and (sim.deciding or sim.clock.peek() < float("inf")):
        step(sim)
        check(sim)
    return result(sim)


def check(sim: Simulation) -> None:
    book, meter = sim.book, sim.racks.meter
    assert book is not None
    assert meter is not None
    drawn = [0] * len(book.names)
    for node, path in enumerate(book.path):
        for level in path:
            drawn[level] += meter.wall_uw[node]
    for level, name in enumerate(book.names):
        assert drawn[level] <= book.granted_uw[level], name
        assert book.granted_uw[level] <= book.limit_uw[level] or name in book.over


def in_force(sim: Simulation) -> Mapping[str, float | None]:
    return {job_id: run.cap_w for job_id, run in sim.live.items() if run.placement}


def until(sim: Simulation, time_s: float) -> Simulation:
    while not sim.stopped and (sim.deciding or sim.clock.peek() <= time_s):
        step(sim)
        check(sim)
    return sim


def test_without_limits_it_is_the_default() -> None:
    jobs = [training("a", 16), training("b", 4), training("c", 12, 50.0)]
    alone = Simulation(jobs, hall(), make_policy("fifo"), EVERY_EVENT, FULL)
    alone.run()
    capped = run_of(jobs, hall(), "budget", None)
    capped.run()
    assert result(capped).jobs.end_s == result(alone).jobs.end_s


def test_with_power_enough_nobody_is_slowed() -> None:
    jobs = [training("a", 16), training("b", 8)]
    alone = Simulation(jobs, hall(), make_policy("fifo"), EVERY_EVENT, FULL)
    alone.run()
    assert watched(run_of(jobs, hall(), "budget", 40_000.0)).jobs.end_s == result(alone).jobs.end_s


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_tight_budget_is_used_and_kept(way: str) -> None:
    """Four nodes would draw 30 kW; with 22 kW all run, under caps, at nearly all of it."""
    sim = run_of([training(f"j{i}", 8) for i in range(4)], hall(), f"budget:division={way}", 22_000.0)
    until(sim, 200.0)
    assert len(in_force(sim)) == 4
    assert 20_500 < sum(sim.physics.power()) <= 22_000
    outcome = watched(sim)
    assert max(outcome.timeline.power_w) <= 22_000
    assert outcome.summary["over_budget_s"] == 0.0
    assert outcome.jobs.state == ["finished"] * 4


def test_default_would_have_gone_over() -> None:
    sim = Simulation([training(f"j{i}", 8) for i in range(4)], hall(), make_policy("fifo"), EVERY_EVENT,
                     replace(FULL, budget_w=22_000.0))  # fmt: skip
    sim.run()
    assert result(sim).summary["over_budget_s"] > 900


def test_racks_have_limits_of_their_own() -> None:
    """Two jobs in one rack of 13 kW are capped, the one in the other is not."""
    jobs = [training(f"j{i}", 8) for i in range(3)]
    sim = until(run_of(jobs, hall(13_000.0), "budget:division=capacity", None), 700.0)
    assert [cap is not None and cap < 600 for cap in in_force(sim).values()] == [True, True, False]


def test_rows_have_limits_of_their_own() -> None:
    sim = until(run_of([training(f"j{i}", 8) for i in range(4)], hall(row_w=22_000.0), "budget", None), 700.0)
    assert 20_500 < sum(sim.physics.power()) <= 22_000


def test_a_gang_over_racks_has_one_cap() -> None:
    """It shares one rack with another job and has the other to itself, but goes at what the first leaves it."""
    jobs = [training("a", 8), training("gang", 24)]
    sim = until(run_of(jobs, hall(12_000.0), "budget:division=capacity", None), 700.0)
    assert [len(run.placement) for run in sim.live.values()] == [1, 3]
    caps = list(in_force(sim).values())
    assert caps[0] == caps[1] is not None
    assert sim.racks.load_uw("rack-002") < 12_000 * MICRO


def test_watts_go_where_they_buy_the_most() -> None:
    """A memory-bound job gains little from its last watts, one that computes gains a lot."""
    jobs = [training("slow", 8, workload="llm_decode"), training("fast", 8, workload="llm_prefill")]
    caps = {}
    for way in ("goodput", "capacity"):
        sim = until(run_of(jobs, hall(), f"budget:division={way}", 13_500.0), 700.0)
        assert sum(sim.physics.power()) <= 13_500
        caps[way] = {job_id: run._truth.rate for job_id, run in sim.live.items()}
    assert sum(caps["goodput"].values()) > sum(caps["capacity"].values())


def test_by_priority_the_highest_has_all_it_wants() -> None:
    jobs = [training("low", 8), training("high", 8, priority=5), training("middle", 8, priority=2)]
    sim = until(run_of(jobs, hall(), "budget:division=priority", 17_500.0), 700.0)
    caps = {job_id: 700.0 if cap is None else cap for job_id, cap in in_force(sim).items()}
    assert caps["high"] > 600 > caps["middle"] >= caps["low"]


def test_a_job_waits_for_its_floor_and_others_come_down_for_it() -> None:
    """The second finds too little power: the first is lowered, then it starts."""
    jobs = [training("a", 16), training("b", 8, 100.0)]
    sim = until(run_of(jobs, hall(), "budget", 17_500.0), 100.0)
    assert set(in_force(sim)) == {"a"}
    until(sim, 102.0)
    assert set(in_force(sim)) == {"a", "b"}
    start_s = sim.live["b"].start_s
    assert start_s is not None
    assert 100.0 < start_s < 101.0


def test_a_job_for_which_there_is_no_floor_waits_for_an_end() -> None:
    jobs = [training("a", 8), training("b", 8, 10.0), training("tiny", 1, 20.0)]
    sim = run_of(jobs, hall(), "budget:floor_share=0.9", 12_000.0)
    outcome = watched(sim)
    start_s, end_s = outcome.jobs.start_s, outcome.jobs.end_s
    assert start_s[1] == end_s[0]
    assert (start_s[2] or 0.0) >= (start_s[1] or 0.0), "it is not overtaken"


def test_when_a_limit_falls_below_the_floors_the_youngest_is_stopped() -> None:
    sim = until(run_of([training("a", 8), training("b", 8, 50.0)], hall(18_000.0), "budget", None), 400.0)
    assert sim.book is not None
    level = sim.book.names.index("rack-001")
    sim.book.limit_uw[level] = 6_500 * MICRO
    sim.change_all()
    until(sim, 402.0)
    assert list(in_force(sim)) == ["a"]
    assert sim.live["b"].preemptions == 1
    assert sim.book.over == ()


def test_a_raise_waits_until_another_cap_has_come_down() -> None:
    """The room that a lower gives is there when it has settled, not before."""

    class Script:
        name, oracle, preemptive, head_only, enforces_budget = "script", False, False, False, True

        def new_memory(self) -> Any:
            return make_policy("fifo").new_memory()

        def queue_key(self, run: Any, view: Any) -> float:
            return 0.0

        def decide(self, view: Any) -> list[Any]:
            if view.now_s == 0.0:
                return [Place("a", ((0, 8),), cap_w=300.0), Place("b", ((1, 8),), cap_w=600.0)]
            return []

    jobs = [training("a"), training("b")]
    sim = Simulation(jobs, hall(), Script(), EVERY_EVENT, replace(FULL, budget_w=15_000.0))
    until(sim, 5.0)
    assert sim.book is not None
    sim.executor.apply([SetCap("a", 500.0), SetCap("b", 300.0)])
    assert list(sim.book.wishes) == ["a"]
    settles_s = sim.timers.waiting[sim.live["b"].command].time_s
    until(sim, settles_s)
    assert in_force(sim) == {"a": 300.0, "b": 300.0}
    assert not sim.book.wishes
    until(sim, settles_s + 2.0)
    assert in_force(sim) == {"a": 500.0, "b": 300.0}
    sim.executor.apply([SetCap("b", 690.0)])
    assert list(sim.book.wishes) == ["b"]
    until(sim, 900.0)
    assert in_force(sim)["b"] == 300.0


def test_a_placement_for_which_there_is_no_power_is_refused() -> None:
    capped = run_of([training("a")], hall(), "budget", 8_000.0)
    capped.advance()
    capped.apply([Place("a", ((0, 8),))])
    assert "site may draw 8,000 W" in capped.executor.refusals[0].reason
    assert capped.live["a"].placement == ()


NAMES = ["bert_squad", "llm_decode", "llm_prefill", "resnet50_train", "rl_small", "mobilenet_train", "dlrm"]
OFTEN = ComponentRates(per_hour=2.0, repair_median_s=120.0, repair_spread=0.5)
FRAIL = FailureSettings(gpu=OFTEN, node=OFTEN, feed=OFTEN)


def traffic(dice: random.Random, most: int) -> list[Job]:
    """Jobs of all sizes, some of which share GPUs."""
    jobs = [
        job(
            f"j{i}",
            gpus := dice.choice([1, 1, 2, 4, 8, most, 2 * most]),
            dice.uniform(0, 600),
            dice.uniform(5, 400),
            workload=dice.choice(NAMES),
            reference_gpu="A100-SXM4-80GB",
            gpu_milli=dice.choice([300, 500, 1000]) if gpus == 1 else 1000,
            priority=dice.randrange(3),
            user=dice.choice(["ann", "bob"]),
            name=f"n{dice.randrange(3)}",
            checkpoint_interval_s=30.0,
        )
        for i in range(16)
    ]
    return sorted(jobs, key=lambda j: j.submit_s)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["H100-SXM", "V100-SXM2", "A100-SXM4-80GB"]),
    per_node=st.sampled_from([4, 8]),
    tight=st.floats(0.05, 1.0),
    rack=st.sampled_from([None, 0.6, 0.9]),
    way=st.sampled_from(sorted(WAYS)),
    frail=st.booleans(),
    truth=st.sampled_from(["model", "residual"]),
    mode=st.sampled_from(["timeslice", "mps"]),
)
def test_the_budget_is_never_exceeded(
    seed: int, kind: str, per_node: int, tight: float, rack: float | None, way: str, frail: bool, truth: str, mode: str
) -> None:
    """Random jobs, faults, feeds and limits; a budget between what idles and what everything could draw."""
    on = hall(kind=kind, per_node=per_node)
    most_w = per_node * (on.kinds[kind].max_w or 0.0) + 2_500.0
    idle_w = sum(Simulation([], on, make_policy("fifo"), EVERY_EVENT, FULL).physics.power())
    budget_w = 1.01 * idle_w + tight * (4 * most_w - idle_w)
    on = hall(None if rack is None else 2 * rack * most_w, kind, per_node)
    how = engine(failures=FRAIL if frail else None, share_mode=mode)
    jobs = traffic(random.Random(seed), per_node)
    sim = run_of(jobs, on, f"budget:division={way}", budget_w, how, truth=truth, seed=seed, horizon_s=3_000.0)
    outcome = watched(sim)
    assert max(outcome.timeline.power_w, default=0.0) <= budget_w
    assert outcome.summary["over_budget_s"] == 0.0


@pytest.mark.parametrize("at_s", [0.0, 100.0, 133.3, 250.0])
def test_forks_and_saved_runs_go_on_alike(at_s: float, tmp_path: Any) -> None:
    jobs, how = traffic(random.Random(3), 8), engine(failures=FRAIL)

    def made() -> Simulation:
        return run_of(jobs, hall(12_000.0), "budget", 20_000.0, how, horizon_s=2_000.0)

    alone = watched(made())
    sim = until(made(), at_s)
    fork = sim.fork()
    save(sim, tmp_path / "run.json")
    loaded = load(tmp_path / "run.json", jobs, hall(12_000.0), policy(), how, sim.options)
    assert loaded.book is not None
    assert fork.book is not None
    assert sim.book is not None
    assert loaded.book.to_plain() == fork.book.to_plain() == sim.book.to_plain()
    assert loaded.book.granted_uw == fork.book.granted_uw == sim.book.granted_uw
    for one in (fork, loaded, sim):
        assert watched(one) == alone


def test_bad_parameters_are_said() -> None:
    for spec in ("budget:floor_share=2", "budget:division=luck", "budget:margin=-1", "budget:watts=3"):
        with pytest.raises(InputError):
            policy(spec)


def test_power_above_budget_never_lasts() -> None:
    """The rows of the timeline, one by one, with jobs that come and go every few seconds."""
    jobs = [training(f"j{i}", [1, 2, 4, 8][i % 4], 3.0 * i, 40.0 + i) for i in range(60)]
    outcome = watched(run_of(jobs, hall(), "budget", 16_000.0))
    rows = itertools.pairwise(outcome.timeline.t_s)
    over = [(a, b) for (a, b), w in zip(rows, outcome.timeline.power_w, strict=False) if w > 16_000.0 and b > a]
    assert over == []
    assert outcome.jobs.state == ["finished"] * 60


@dataclass(frozen=True)
class Moves:
    """The jobs `a` and `b` on the first nodes; `a` is moved at `time_s`."""

    time_s: float
    to: int
    name: ClassVar[str] = "moves"
    oracle: ClassVar[bool] = False
    preemptive: ClassVar[bool] = True
    head_only: ClassVar[bool] = False

    def new_memory(self) -> Any:
        return NoMemory()

    def queue_key(self, run: JobRun, view: View) -> Any:
        return run.spec.submit_s

    def decide(self, view: View) -> Sequence[Decision]:
        queue = (run.spec.job_id for _, _, run in view.pools[0].queue)
        starts: list[Decision] = [Place(job_id, (("ab".index(job_id), 8),)) for job_id in queue]
        if view.now_s < self.time_s:
            return [*starts, WaitUntil(self.time_s)]
        here = [node for node, _ in view.run("a").placement] if view.now_s == self.time_s else [self.to]
        return [Migrate("a", ((self.to, 8),))] if here != [self.to] else []


@pytest.mark.parametrize("same_kind", [True, False])
def test_a_moved_job_is_capped_there_too_and_no_limit_is_exceeded(same_kind: bool) -> None:
    on = hall(rack_w=2 * 5_000.0)
    if not same_kind:
        nodes = [{"gpu": "H100-SXM", "gpus": 8, "count": 2}, {"gpu": "A100-SXM4-80GB", "gpus": 8, "count": 2}]
        on = build_cluster({"nodes": nodes, "power": {"node": "dgx-h100", "site_limit_w": 18_000.0}})
    moves = Powered(Moves(400.0, 3), make_power("budget"), "budget")
    sim = Simulation([training("a", workload="resnet50_imagenet"), training("b")], on, moves, EVERY_EVENT, FULL)
    caps: list[tuple[float, int, float | None]] = []
    while (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
        assert sim.book is not None
        assert sim.book.over == ()
        if (run := sim.live.get("a")) is not None and run.placement:
            caps.append((view.now_s, run.placement[0][0], run.cap_w))
    assert sim.executor.refusals == []
    assert {node for _, node, _ in caps} == {0, 3}
    rated_w = 700.0 if same_kind else 400.0
    assert all(cap_w is None or 0.4 * rated_w <= cap_w < rated_w for _, node, cap_w in caps if node == 3)
