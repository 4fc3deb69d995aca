"""A scheduling policy and a power policy as one: who sees what, who decides what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest

from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.policies.memories import Memories
from goodwatt.policies.power_combined import CombinedPower
from goodwatt.policies.power_policy import SteadyPower
from goodwatt.policies.power_registry import make_power
from goodwatt.policies.powered import Powered
from goodwatt.policies.registry import make_policy
from goodwatt.power.telemetry.counters import Counters
from goodwatt.simulator.decisions import Decision, Group, Hold, Migrate, Place, Preempt, SetCap, SetClock, WaitUntil
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.run import result
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import View
from tests.policies.power.powered_runs import powered
from tests.scenario import Calls, Nodes, Scripted, calls, cluster, job, simulate, until
from tests.simulator.physics.full_physics_runs import FULL, NET

ON = cluster(Nodes(2, 2, "V100"))
JOBS = [job(name, workload=NET, submit_s=float(i)) for i, name in enumerate("abc")]


@dataclass(frozen=True)
class Slow(SteadyPower):
    """Every job at a clock; jobs named in `late` are put off, those in `never` held back at their start."""

    name: ClassVar[str] = "slow"
    clock_mhz: float = 900.0
    late: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    more: Sequence[Decision] = ()

    def new_memory(self) -> Calls:
        return Calls()

    def holds(self, view: View) -> frozenset[str]:
        assert isinstance(view.memory, Calls), "its own"
        return self.late

    def start(self, place: Place, run: JobRun, view: View) -> Place | Hold:
        calls(view).ended.append((run.spec.job_id, view.now_s))
        return Hold(place.job_id, "never") if place.job_id in self.never else replace(place, clock_mhz=self.clock_mhz)

    def decide(self, view: View) -> Sequence[Decision]:
        calls(view).ask(view.now_s)
        return self.more


@dataclass(frozen=True)
class Restless(Slow):
    """Asked at every event: who holds jobs back has to be, or nobody asks about those behind them."""

    restless: ClassVar[bool] = True


def together(scheduling: Policy, power: Any) -> Powered:
    return Powered(scheduling, power, "slow")


def run(power: Any, script: dict[float, Sequence[Decision]] | None = None) -> Simulation:
    return simulate(JOBS, ON, together(Scripted(script) if script else make_policy("fifo"), power), options=FULL)


def test_placements_get_their_clocks() -> None:
    sim = until(run(Slow()), 5.0)
    assert {run.spec.job_id: run.clock_mhz for run in sim.live.values()} == {"a": 900.0, "b": 900.0, "c": 900.0}


def test_who_is_put_off_is_passed_over_by_the_scheduling_policy() -> None:
    sim = until(run(Restless(late=frozenset({"a"}))), 5.0)
    assert [run.spec.job_id for run in sim.live.values() if run.placement] == ["b", "c"]
    assert sim.view.held == frozenset(), "only while it is asked"


def test_who_is_held_back_at_its_start_does_not_start() -> None:
    sim = until(run(Restless(never=frozenset({"b"}))), 5.0)
    assert [run.spec.job_id for run in sim.live.values() if run.placement] == ["a", "c"]
    assert not sim.executor.refusals
    assert {run.spec.job_id: run.waits_for for run in sim.live.values()} == {"a": "", "b": "never", "c": ""}


def test_a_group_starts_with_its_clocks_or_not_at_all() -> None:
    steps = (Place("a", ((0, 1),)), Place("b", ((0, 1),)))
    script = {1.0: [Group(steps)]}
    sim = until(run(Slow(), script), 1.0)  # type: ignore[arg-type]
    assert {run.clock_mhz for run in sim.live.values() if run.placement} == {900.0}
    sim = until(run(Slow(never=frozenset({"b"})), script), 1.0)  # type: ignore[arg-type]
    assert not [run for run in sim.live.values() if run.placement]


def test_other_decisions_pass() -> None:
    script: dict[float, Sequence[Decision]] = {0.0: [Place("a", ((0, 1),))], 5.0: [Preempt("a")], 6.0: []}
    sim = until(run(Slow(), script), 5.0)
    assert not sim.live["a"].placement
    assert sim.live["a"].preemptions == 1


MOVE = {0.0: [Place("a", ((0, 1),), clock_mhz=1100.0, cap_w=200.0)], 5.0: [Migrate("a", ((1, 1),))], 6.0: []}
TO_ANOTHER_KIND = cluster(Nodes(1, 2, "V100"), Nodes(1, 2, "H200"))


def moved(power: Any, script: Any = MOVE, on: Any = ON) -> JobRun:
    sim = until(simulate(JOBS, on, together(Scripted(script), power), options=FULL), 6.0)
    assert sim.live["a"].placement[0][0] == 1
    return sim.live["a"]


def test_the_setting_of_a_moved_job_goes_along_where_the_power_policy_has_nothing_to_say() -> None:
    sim = simulate(JOBS, ON, Scripted(MOVE), options=FULL)  # type: ignore[arg-type]
    alone = until(sim, 6.0).live["a"]
    assert (alone.clock_mhz, alone.cap_w) == (1100.0, 200.0)
    beside = moved(SteadyPower())
    assert (beside.clock_mhz, beside.cap_w) == (1100.0, 200.0)


def test_a_moved_job_gets_the_setting_that_it_would_get_if_it_started_there() -> None:
    run = moved(make_power("uniform-clock:share=0.5"), on=TO_ANOTHER_KIND)
    assert (run.clock_mhz, run.cap_w) == (0.5 * 1980.0, 200.0)
    run = moved(make_power("uniform-cap:share=0.5"), on=TO_ANOTHER_KIND)
    assert (run.clock_mhz, run.cap_w) == (1100.0, 350.0)


def test_a_moved_job_gets_the_setting_that_it_is_moved_with() -> None:
    script = {**MOVE, 5.0: [Migrate("a", ((1, 1),), clock_mhz=None, cap_w=150.0)]}
    run = moved(SteadyPower(), script)
    assert (run.clock_mhz, run.cap_w) == (None, 150.0)


def test_a_job_that_nobody_has_seen_on_other_boards_runs_there_as_they_like() -> None:
    script = {0.0: [Place("a", ((0, 1),), clock_mhz=1100.0)], 5.0: [Migrate("a", ((1, 1),))], 6.0: []}
    assert moved(make_power("static"), script, TO_ANOTHER_KIND).clock_mhz is None


@dataclass(frozen=True)
class Stays(Slow):
    """No running job is moved."""

    def start(self, place: Place, run: JobRun, view: View) -> Place | Hold:
        return Hold(place.job_id, "it stays") if run.running else place


def test_who_is_held_back_from_moving_stays_and_so_does_a_group() -> None:
    swap = Group((Migrate("a", ((1, 1),)), Place("b", ((0, 1),))))
    for move in (Migrate("a", ((1, 1),)), swap):
        script = {0.0: [Place("a", ((0, 1),))], 5.0: [move], 6.0: []}
        sim = until(run(Stays(), script), 6.0)  # type: ignore[arg-type]
        assert [r.spec.job_id for r in sim.live.values() if r.placement] == ["a"]
        assert sim.live["a"].placement[0][0] == 0
        assert not sim.executor.refusals


@pytest.mark.parametrize(("on", "kept"), [(ON, 2), (TO_ANOTHER_KIND, 0)])
def test_settings_that_were_meant_for_the_old_boards_are_dropped(on: Any, kept: int) -> None:
    policy = together(Scripted(MOVE), Slow(more=[SetClock("a", 600.0), SetCap("a", 150.0)]))  # type: ignore[arg-type]
    sim = until(simulate(JOBS, on, policy, options=FULL), 4.0)
    sim.view.now_s = 5.0
    assert sum(isinstance(decision, SetClock | SetCap) for decision in policy.decide(sim.view)) == kept


def test_moving_a_job_that_waits_is_left_to_be_refused() -> None:
    power = Slow(never=frozenset({"a"}))
    sim = until(run(power, {0.0: [], 5.0: [Migrate("a", ((1, 1),))], 6.0: []}), 6.0)
    assert [refusal.reason for refusal in sim.executor.refusals] == ["Migrate a: the job is not running"]


def test_who_is_stopped_in_the_same_breath_gets_no_setting() -> None:
    more = [SetClock("a", 600.0), SetCap("a", 150.0), WaitUntil(50.0)]
    policy = together(Scripted({0.0: [], 5.0: [Preempt("a")]}), Slow(more=more))  # type: ignore[arg-type]
    sim = simulate(JOBS, ON, policy, options=FULL)
    sim.advance()
    sim.view.now_s = 5.0
    assert list(policy.decide(sim.view)) == [Preempt("a"), WaitUntil(50.0)]


def test_each_has_a_memory_of_its_own() -> None:
    sim = run(Slow())
    sim.run()
    memory = sim.view.memory
    assert isinstance(memory, Memories)
    _, power = memory.parts
    assert isinstance(power, Calls)
    assert [job_id for job_id, _ in power.ended] == ["a", "b", "c", "a", "b", "c"], "starts, then ends"
    twin = memory.copy()
    twin.job_ended(JOBS[0], 1.0, 2.0)
    assert len(power.ended) == 6
    again = sim.policy.new_memory()
    again.load_plain(memory.to_plain())
    assert again.to_plain() == memory.to_plain()


def test_telemetry_goes_to_those_who_watch() -> None:
    shown: list[str] = []

    class Watches(Calls):
        def job_observed(self, run: JobRun, kind: str, seen: Counters, now_s: float) -> None:
            shown.append(f"{run.spec.job_id} on {kind} at {now_s:g}")

    @dataclass(frozen=True)
    class Watcher(Slow):
        observe_s: ClassVar[float | None] = 60.0

        def new_memory(self) -> Calls:
            return Watches()

    until(run(Watcher()), 61.0)
    assert shown == ["a on V100-PCIE at 60", "b on V100-PCIE at 61"]


@pytest.mark.parametrize(
    ("scheduling", "power", "head_only"),
    [("fifo", Slow(), True), ("easy-backfill", Slow(), False)],
)
def test_when_it_has_to_be_asked(scheduling: str, power: Slow, head_only: bool) -> None:
    assert together(make_policy(scheduling), power).head_only == head_only
    assert not together(make_policy(scheduling), Restless()).head_only


def test_it_is_an_oracle_if_either_is() -> None:
    class Knows(Slow):
        oracle: ClassVar[bool] = True

    assert not together(make_policy("fifo"), Slow()).oracle
    assert together(make_policy("fifo"), Knows()).oracle
    assert together(make_policy("srtf"), Slow()).oracle == make_policy("srtf").oracle


def test_it_has_the_names_of_both_and_preempts_as_the_scheduling_policy_does() -> None:
    both = together(make_policy("tiresias"), Slow())
    assert (both.name, both.preemptive) == ("tiresias / slow", True)
    assert (both.observe_s, both.enforces_budget) == (None, False)


@pytest.mark.parametrize("policy", ["srtf", "tiresias:threshold_gpu_s=600"])
def test_an_order_that_stops_jobs_stops_nobody_for_a_job_without_power(policy: str) -> None:
    """The two once stopped and started the same jobs for ever."""
    on = build_cluster(
        {
            "nodes": [{"gpu": "H200-SXM", "gpus": 8, "count": 1}, {"gpu": "A100-SXM4-80GB", "gpus": 4, "count": 1}],
            "power": {"host_idle_w": 800, "host_max_w": 1800, "site_limit_w": 7_000},
        }
    )
    asked = [("a", 8, 7200.0), ("b", 8, 1000.0), ("c", 4, 500.0), ("d", 4, 500.0), ("e", 2, 100.0), ("f", 8, 100.0)]
    jobs = [job(name, gpus, 100.0 * i, lasts_s) for i, (name, gpus, lasts_s) in enumerate(asked)]
    sim = powered(jobs, "budget", on, policy)
    sim.run()
    summary = result(sim).summary
    assert (summary["finished"], summary["refused_decisions"]) == (6, 0)
    assert summary["preemptions"] < 15


WAIT = WaitUntil(77.0)


def test_who_is_held_back_takes_stops_and_starts_along_but_no_wish_to_be_asked_again() -> None:
    power = Slow(never=frozenset({"b"}))
    script = {0.0: [Place("a", ((0, 1),))], 5.0: [Preempt("a"), Place("b", ((0, 1),)), Place("c", ((1, 1),)), WAIT]}
    policy = together(Scripted(script), power)  # type: ignore[arg-type]
    sim = until(simulate(JOBS, ON, policy, options=FULL), 4.0)
    sim.view.now_s = 5.0
    assert list(policy.decide(sim.view)) == [Hold("b", "never"), WAIT]


def test_a_group_goes_on_whoever_else_is_held_back() -> None:
    group, power = Group((Preempt("a"),)), Slow(never=frozenset({"b"}))
    script: dict[float, Any] = {0.0: [Place("a", ((0, 1),))], 5.0: [group, Place("b", ((0, 1),))]}
    policy = together(Scripted(script), power)
    sim = until(simulate(JOBS, ON, policy, options=FULL), 4.0)
    sim.view.now_s = 5.0
    assert list(policy.decide(sim.view)) == [group, Hold("b", "never")]


def test_who_stops_anyway_is_not_stopped_twice() -> None:
    script: dict[float, Any] = {0.0: [Place("a", ((0, 1),))], 5.0: [Preempt("a")]}
    sim = until(simulate(JOBS, ON, together(Scripted(script), Slow()), options=FULL), 4.0)
    sim.view.now_s = 5.0
    both = together(Scripted(script), Slow(more=[Preempt("a", "power")]))
    assert list(both.decide(sim.view)) == [Preempt("a")]


@dataclass(frozen=True)
class Mad(Slow):
    """Its answers are none."""

    def start(self, place: Place, run: JobRun, view: View) -> Any:
        return None


@pytest.mark.parametrize(
    "decision",
    [Place("b", ((0, 1),)), Migrate("a", ((1, 1),)), Group((Place("b", ((0, 1),)),))],
)
def test_a_power_policy_whose_answer_is_no_placement_is_refused(decision: Decision) -> None:
    for power in (Mad(), CombinedPower("mad", (Mad(), Slow()))):
        policy = together(Scripted({0.0: [], 5.0: [decision]}), power)
        sim = until(simulate(JOBS, ON, policy, options=FULL), 4.0)
        sim.executor.apply([Place("a", ((0, 1),))])
        until(sim, 5.0)
        assert len(sim.executor.refusals) == 1
        assert "got None" in sim.executor.refusals[0].reason
        assert not sim.live["b"].placement


@pytest.mark.parametrize(
    ("more", "count"),
    [
        (None, 1),
        ("caps", 1),
        ([SetCap(["a"], 200.0), SetClock("nobody", 900.0), SetCap("a", "low"), Preempt(3), None], 5),  # type: ignore[arg-type]
    ],
)
def test_what_a_power_policy_adds_and_is_no_decision_is_refused(more: Any, count: int) -> None:
    for power in (Slow(more=more), CombinedPower("both", (Slow(more=more), Slow()))):
        script = {0.0: [Place("a", ((0, 1),))], 4.0: [Preempt("a")]}
        sim = simulate(JOBS, ON, together(Scripted(script), power), options=FULL)  # type: ignore[arg-type]
        while not sim.executor.refusals:
            view = sim.advance()
            assert view is not None
            sim.apply(sim.policy.decide(view))
        assert len(sim.executor.refusals) == count
