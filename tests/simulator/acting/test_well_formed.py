"""Whatever a policy returns, a run goes on: what is no decision is refused with a reason, and nothing of it is done."""

# mypy: disable-error-code="arg-type"
# What is tested here is what the type checker would not let through.

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.bitset import first
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.host_power import SLEEPS
from goodwatt.cluster.job import Job
from goodwatt.cluster.state import ClusterState, DoesNotFitError
from goodwatt.policies.power_registry import with_power
from goodwatt.simulator.decisions import (
    Group,
    Hold,
    Malformed,
    Migrate,
    Partition,
    Place,
    Preempt,
    Resize,
    SetCap,
    SetClock,
    Sleep,
    WaitUntil,
    Wake,
)
from goodwatt.simulator.records.outputs import write_refusals
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import View
from tests.made_runs import clusters, engines, frail_engines, jobs, options
from tests.scenario import DRAWN, MadeUp, Nodes, Scripted, cluster, engine, job, simulate
from tests.state_content import assert_sound, content

TWO = cluster(Nodes(2))
JOBS = (job("a", gpus=8), job("b", gpus=4), replace(job("c", gpus=2), min_gpus=1, max_gpus=4))

NONSENSE: list[tuple[str, Any, str]] = [
    (
        "a count of 1.0",
        Place("b", ((1, 4.0),)),
        r"nodes: expected pairs of whole numbers \(node, GPUs\), got \(\(1, 4.0\),\)",
    ),
    ("a node of 1.0", Place("b", ((1.0, 4),)), "nodes: expected pairs"),
    ("a numpy integer", Place("b", ((np.int64(1), np.int64(4)),)), "nodes: expected pairs"),
    ("a truth value", Place("b", ((True, 4),)), "nodes: expected pairs"),
    ("a node and nothing else", Place("b", ((1,),)), "nodes: expected pairs"),
    ("nodes without counts", Place("b", (1,)), "nodes: expected pairs"),
    ("no nodes", Place("b", None), "nodes: expected pairs"),
    ("nodes by name", Place("b", (("n1", 4),)), "nodes: expected pairs"),
    ("a node after the last", Place("b", ((2, 4),)), "there is no node 2: the cluster has 2"),
    ("a node before the first", Place("b", ((-1, 4),)), "there is no node -1"),
    ("a node beyond all memory", Place("b", ((10**15, 4),)), "there is no node 1000000000000000"),
    ("fewer GPUs than none", Place("b", ((0, -4),)), "4 GPUs wanted"),
    ("a node twice", Place("b", ((1, 2), (1, 2))), "names a node twice"),
    ("nowhere", Place("b", ()), "4 GPUs wanted"),
    ("GPUs as floats", Place("b", ((1, 4),), gpus=(15.0,)), "gpus: expected None or whole numbers"),
    ("GPUs of no node", Place("b", ((1, 4),), gpus=(15, 15)), "2 GPU masks for 1 nodes"),
    ("other GPUs than so many", Place("b", ((1, 4),), gpus=(7,)), "is not 4 free GPUs"),
    ("GPUs below none", Place("b", ((1, 4),), gpus=(-1,)), "is not 4 free GPUs"),
    ("a job by number", Place(7, ((1, 4),)), "job_id: expected the id of a job, got 7"),
    ("a job as a list", Place(["b"], ((1, 4),)), "job_id: expected"),
    ("an unknown way to share", Place("b", ((1, 4),), sharing="telepathy"), "expected sharing by"),
    ("a way to share that is no text", Place("b", ((1, 4),), sharing=3), "sharing: expected"),
    ("an unknown profile", Place("b", ((1, 4),), sharing="mig", profile="9z.1gb"), "only a job of one whole GPU"),
    ("a profile for no instance", Place("b", ((1, 4),), profile="1g.10gb"), "a MIG profile goes with"),
    ("a clock as text", Place("b", ((1, 4),), clock_mhz="fast"), "clock_mhz: expected None or a Python number of MHz"),
    (
        "a cap of numpy's own",
        Place("b", ((1, 4),), cap_w=np.float32(300.0)),
        "expected None or a Python number of watts",
    ),
    ("no clock at all", Place("b", ((1, 4),), clock_mhz=float("nan")), "expected a clock above 0 MHz"),
    (
        "a cap beyond all floats",
        Place("b", ((1, 4),), cap_w=10**400),
        "cap_w: expected None or a Python number of watts",
    ),
    ("threads as text", Place("b", ((1, 4),), thread_percent="50"), "thread_percent: expected a Python number"),
    ("moved to a count of 1.0", Migrate("a", ((1, 8.0),)), "nodes: expected pairs"),
    ("moved beyond the last", Migrate("a", ((5, 8),)), "there is no node 5"),
    (
        "moved with a word for a cap",
        Migrate("a", ((1, 8),), cap_w="low"),
        "cap_w: expected None, a Python number or 'kept'",
    ),
    ("resized to floats", Resize("c", ((1, 3.0),)), "nodes: expected pairs"),
    ("resized beyond the last", Resize("c", ((1, 1), (4, 2))), "there is no node 4"),
    ("resized with a node twice", Resize("c", ((1, 1), (1, 2))), "names a node twice"),
    ("resized below none", Resize("c", ((0, 4), (1, -1))), "3 GPUs wanted|expected|GPUs"),
    ("a node asleep that is none", Sleep(9), "there is no node 9"),
    ("a node asleep by name", Sleep("n0"), "node: expected the number of a node"),
    ("woken by a float", Wake(0.0), "node: expected the number of a node"),
    ("a cut of nothing", Partition(0, 0, None), "profiles: expected MIG profiles"),
    ("a cut far away", Partition(10**12, 0, ()), "there is no node"),
    ("a time as text", WaitUntil("soon"), "time_s: expected a Python number of seconds"),
    ("a group of what cannot be grouped", Group((WaitUntil(9.0),)), "a group holds Place, Preempt"),
    ("a group of none", Group(None), "decisions: expected decisions, got None"),
    (
        "a group that also waits",
        Group((WaitUntil(9.0), Place("b", ((1, 4),)))),
        "a group holds Place, Preempt, Migrate",
    ),
    (
        "a group that also holds",
        Group((Hold("b", "so"), Place("b", ((1, 4),)))),
        "a group holds Place, Preempt, Migrate",
    ),
    ("a group of groups", Group((Group(()),)), "a group holds"),
    ("a group with a count of 1.0", Group((Preempt("a"), Place("b", ((0, 4.0),)))), "Place in a group: nodes"),
    ("a group with a node too many", Group((Preempt("a"), Place("b", ((8, 4),)))), "there is no node 8"),
    ("nobody held", Hold("nobody", "so"), "the job is not waiting"),
    ("a running job held", Hold("a", "so"), "the job is not waiting"),
    ("nobody started", Place("nobody", ((1, 4),)), "the job is not waiting"),
    ("nobody started in a group", Group((Preempt("a"), Place("nobody", ((0, 8),)))), "no such job is waiting"),
    ("a running job started", Place("a", ((1, 8),)), "the job is not waiting"),
    ("nobody moved", Migrate("nobody", ((1, 8),)), "no such job is waiting or running"),
    ("nobody resized", Resize("nobody", ((1, 8),)), "not running"),
    ("nobody stopped", Preempt("nobody"), "no such job is waiting or running"),
    ("beside nobody", Place("b", (), beside="nobody", sharing="mps"), "nobody, beside which it should run"),
    ("a reason that is none", Preempt("a", reason=None), "reason: expected text"),
    ("nothing", None, "expected a decision such as Place, got None"),
    ("text", "fifo", "expected a decision such as Place"),
    ("a decision's class", Place, "expected a decision"),
    ("an object", object(), "expected a decision such as Place, got <object object>"),
]


POWERS = [None, "budget", "uniform-clock+shift+sleep", "static+least-energy"]
WATTS = cluster(Nodes(2, kind="H200"))
"""Kinds of the catalogue: for power policies."""


@dataclass
class Says(MadeUp):
    """Answers what a test puts there."""

    answer: Any = ()

    def decide(self, view: View) -> Any:
        return self.answer


def answered(sim: Simulation, by: Says, answer: Any) -> None:
    """Apply what comes of an answer."""
    by.answer = answer
    sim.apply(sim.policy.decide(sim.view))


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("choice", ["kubelet", "policy"])
@pytest.mark.parametrize(("why", "nonsense", "reason"), NONSENSE, ids=[row[0] for row in NONSENSE])
def test_nonsense_is_refused_with_a_reason_and_changes_nothing(
    why: str, nonsense: Any, reason: str, choice: str, power: str | None, tmp_path: Path
) -> None:
    if choice == "kubelet" and getattr(nonsense, "gpus", None) in {(7,), (-1,), (15, 15)}:
        pytest.skip("the node chooses the GPUs: nobody looks at the masks")
    if power is not None and why == "no clock at all":
        pytest.skip("the power policy gives it one")
    on, options = (TWO, DRAWN) if power is None else (WATTS, replace(DRAWN, physics="full", budget_w=20_000.0))
    by, how = Says(), engine(gpu_choice=choice)
    policy = by if power is None else with_power(by, power)
    sim = simulate(JOBS, on, policy, how, options)
    assert sim.advance() is not None
    answered(sim, by, [Place("a", ((0, 8),)), Place("c", ((1, 2),))])
    before = content(sim.state)
    answered(sim, by, [nonsense])
    assert content(sim.state) == before, why
    assert len(sim.executor.refusals) == 1
    assert re.search(reason, sim.executor.refusals[0].reason), sim.executor.refusals[0].reason
    answered(sim, by, [Place("b", ((1, 4),))])
    assert set(sim.state.placements) == {"a", "b", "c"}
    save(sim, tmp_path / "run")
    again = load(tmp_path / "run", JOBS, on, policy, how, options)
    assert [r.reason for r in again.executor.refusals] == [r.reason for r in sim.executor.refusals]
    write_refusals(tmp_path / "refusals.csv", sim.executor.refusals)


def test_a_state_holds_whole_numbers_only() -> None:
    state = ClusterState(TWO)
    for nodes, gpus in ((((0, 1.0),), None), (((0.0, 1),), None), (((0, 1),), (1.0,)), (((np.int64(0), 1),), None)):
        with pytest.raises(DoesNotFitError, match="whole number"):
            state.allocate(job("a"), nodes, gpus)


@pytest.mark.parametrize("power", [None, "uniform-clock", "uniform-clock+sleep"])
@pytest.mark.parametrize("answer", [None, "fifo", b"fifo", 7, {"a": 1}, WaitUntil(5.0)], ids=str)
def test_what_is_no_list_is_one_refusal(answer: Any, power: str | None) -> None:
    by = Says()
    sim = simulate(JOBS, TWO, by if power is None else with_power(by, power))
    assert sim.advance() is not None
    answered(sim, by, answer)
    assert [(r.decision, r.reason) for r in sim.executor.refusals] == [
        (Malformed(repr(answer)), f"expected a list of decisions, got {answer!r}")
    ]


@pytest.mark.parametrize("power", [None, "uniform-clock"])
def test_decisions_may_come_one_by_one(power: str | None) -> None:
    by = Says()
    sim = simulate(JOBS, TWO, by if power is None else with_power(by, power))
    assert sim.advance() is not None
    answered(sim, by, (Place(job_id, nodes) for job_id, nodes in [("a", ((0, 8),)), ("b", ((1, 4),))]))
    assert set(sim.state.placements) == {"a", "b"}
    assert not sim.executor.refusals


def test_numbers_that_build_on_floats_are_taken() -> None:
    sim = simulate(JOBS, TWO, Scripted({}))
    assert sim.advance() is not None
    sim.apply([Place("a", ((0, 8),), thread_percent=np.float64(100.0)), WaitUntil(np.float64(5.0))])
    assert not sim.executor.refusals


# anything at all -----------------------------------------------------------------------------------------------------

ids = st.sampled_from([*(f"j{i}" for i in range(14)), "nobody"])
anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just(np.int64(1)), st.just([]),
    st.just(object()),
)  # fmt: skip
counts = st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 9)), max_size=3).map(tuple)
masks = st.none() | st.lists(st.integers(-1, 300), max_size=3).map(tuple)
clocks = st.sampled_from([None, 1.0, 900.0, 5000.0, float("nan"), -1.0])
caps = st.sampled_from([None, 1.0, 120.0, 250.0, 5000.0, float("inf")])
whys = st.just("")
moves = {"clock_mhz": clocks | st.just("kept"), "cap_w": caps | st.just("kept"), "reason": whys}
FIELDS: dict[type, dict[str, st.SearchStrategy[Any]]] = {
    Place: {
        "job_id": ids, "nodes": counts, "gpus": masks, "beside": st.none() | ids, "clock_mhz": clocks, "cap_w": caps,
        "sharing": st.sampled_from([None, None, "mps", "timeslice", "mig", "exclusive", "telepathy"]),
        "thread_percent": st.sampled_from([100.0, 30.0, 0, float("nan")]),
        "profile": st.sampled_from([None, None, "1g.18gb", "7g.141gb", "none"]),
    },
    Preempt: {"job_id": ids, "reason": whys},
    Migrate: {"job_id": ids, "nodes": counts, "gpus": masks, **moves},
    Resize: {"job_id": ids, "nodes": counts, "gpus": masks, "reason": whys},
    Partition: {
        "node": st.integers(-1, 6), "gpu": st.integers(-1, 8),
        "profiles": st.lists(st.sampled_from(["1g.18gb", "3g.71gb", "7g.141gb", "none"]), max_size=3).map(tuple),
    },
    SetClock: {"job_id": ids, "clock_mhz": clocks},
    SetCap: {"job_id": ids, "cap_w": caps},
    Sleep: {"node": st.integers(-1, 6)},
    Wake: {"node": st.integers(-1, 6)},
    Hold: {"job_id": ids, "reason": st.just("because")},
    WaitUntil: {"time_s": st.floats(-5, 200) | st.sampled_from([float("nan"), float("inf")])},
}  # fmt: skip


def of_kind(kind: type) -> st.SearchStrategy[Any]:
    """Mostly as the fields should be, now and then with one that is anything."""
    fields = FIELDS[kind]
    spoilt = st.sampled_from(sorted(fields)).flatmap(lambda name: st.builds(kind, **{**fields, name: anything}))
    return st.one_of(st.builds(kind, **fields), st.builds(kind, **fields), st.builds(kind, **fields), spoilt)


good = st.one_of(
    st.builds(Place, ids, st.just(())),
    st.builds(Place, ids, st.just(()), clock_mhz=st.just(900.0), cap_w=st.sampled_from([None, 250.0])),
    st.builds(Place, ids, st.just(()), beside=ids, sharing=st.just("mps")),
    st.builds(Place, ids, st.just(()), sharing=st.just("mig"), profile=st.just("1g.18gb")),
    st.builds(Resize, ids, counts),
    st.builds(Migrate, ids, st.just(())),
    st.builds(SetCap, ids, st.just(250.0)),
    st.builds(SetClock, ids, st.just(900.0)),
)
"""As a policy means it, with a little luck."""
single = st.one_of(good, good, st.sampled_from(list(FIELDS)).flatmap(of_kind))
steps = st.one_of(
    st.builds(Place, ids, st.just(())),
    st.builds(Preempt, ids),
    st.sampled_from([Place, Preempt, Migrate]).flatmap(of_kind),
)
groups = st.builds(Group, st.lists(st.one_of(steps, steps, steps, single | anything), max_size=4).map(tuple))
rounds = st.lists(
    st.lists(st.one_of(single, single, groups, anything), min_size=2, max_size=8), min_size=4, max_size=14
)


@dataclass
class Reckless(Says):
    """Has budgets and ramps kept, if they are given."""

    enforces_budget: bool = False
    ramp_w_per_s: float | None = None


def elastic(trace: Sequence[Job]) -> tuple[Job, ...]:
    """Every third job may grow and shrink."""
    return tuple(
        replace(one, min_gpus=1, max_gpus=one.num_gpus + 3) if i % 3 == 0 and one.num_gpus and one.gpu_milli == 1000
        else one
        for i, one in enumerate(trace)
    )  # fmt: skip


def aimed(sim: Simulation, decision: Any) -> Any:
    """The same about jobs that are there, and where it names no nodes at such that would do: some must succeed."""
    if isinstance(decision, Group):
        return replace(decision, decisions=tuple(aimed(sim, step) for step in decision.decisions))
    there, known = list(sim.live), {f"j{i}": i for i in range(14)}
    for name in ("job_id", "beside"):
        number = known.get(str(getattr(decision, name, None)))
        if number is not None and there:
            decision = replace(decision, **{name: there[number % len(there)]})
    run = sim.live.get(str(getattr(decision, "job_id", None)))
    if run is not None and isinstance(decision, Place) and decision.beside is not None:
        alike = (i for i, other in sim.live.items() if other.placement and other.spec.num_gpus == run.spec.num_gpus)
        return replace(decision, beside=next(alike, decision.beside))
    nowhere = isinstance(nodes := getattr(decision, "nodes", None), tuple) and not nodes
    if run is not None and nowhere:
        fitting = next((nodes for _, nodes in sim.state.single_node(run.base) if nodes), 0)
        decision = replace(decision, nodes=((first(fitting), run.base.num_gpus),) if fitting else ())
    return decision


reckless = st.builds(Reckless, st.just(()), st.booleans(), st.sampled_from([None, None, 50.0]))
powers = st.sampled_from([None, None, "budget", "budget", *POWERS, "budget+ramp+sleep"])


@given(clusters, jobs, engines | frail_engines, options, reckless, powers, rounds)
def test_no_answer_takes_a_run_down(
    on: Cluster, trace: tuple[Job, ...], settings: Engine, how: RunOptions, by: Reckless, power: str | None,
    answers: list[list[Any]],
) -> None:  # fmt: skip
    on = replace(on, power=replace(on.power, sleep=SLEEPS["suspend"]))
    sim = Simulation(elastic(trace), on, by if power is None else with_power(by, power), settings, how)
    for answer in answers:
        if sim.advance() is None:
            break
        done = len(sim.executor.refusals)
        answered(sim, by, [*(aimed(sim, decision) for decision in answer), WaitUntil(sim.now_s + 3.0)])
        if not any(sim.state.packed):  # what shares GPUs, shares them: nothing that can be added up
            assert_sound(sim.state, {job_id: run.spec for job_id, run in sim.live.items()})
        assert all(refusal.reason for refusal in sim.executor.refusals[done:])
        for job_id, run in sim.live.items():
            assert run.placement == sim.state.placements.get(job_id, ())
    result(sim)
