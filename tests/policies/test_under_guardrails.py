"""Policies know what guardrails refuse, and do not ask for it again and again."""

from __future__ import annotations

from typing import Any

import pytest

from goodwatt.cluster.job import Job
from goodwatt.policies.power_registry import names as power_names
from goodwatt.policies.registry import find, names, role_of
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import busy_trace
from tests.policies.power.powered_runs import V100, decisions_of, powered
from tests.policies.test_pack import HEAVY, LIGHT, known_then, who
from tests.scenario import Nodes, cluster, job

JOBS = busy_trace(7)
SPARED = Guardrails(protected=frozenset({"ann"}))
ORDERS = [name for name in names() if role_of(find(name)) == "order"]
PLACEMENTS = [f"fifo+{name}" for name in names() if role_of(find(name)) == "placement"]
PACKED = ["tiresias:threshold_gpu_s=100+pack:guess=true,least_speed=0.3"]
BUDGET_W = 5_000.0
ONE = cluster(Nodes(1, gpus=1, kind="H200"))


def run_of(policy: str, power: str, jobs: tuple[Job, ...] = JOBS, **limits: Any) -> Simulation:
    guardrails = Guardrails(**limits) if limits else SPARED
    sim = powered(jobs, power, V100, policy, guardrails=guardrails, budget_w=BUDGET_W)
    sim.run()
    return sim


@pytest.mark.parametrize("policy", [*ORDERS, *PLACEMENTS, *PACKED])
def test_no_scheduling_policy_asks_for_what_is_refused(policy: str) -> None:
    sim = run_of(policy, "default")
    assert [refusal.reason for refusal in sim.executor.refusals] == []
    assert set(result(sim).jobs.state) == {"finished"}


@pytest.mark.parametrize("power", [*power_names(), "static:slowdown=0.05+budget", "uniform-cap+sleep:reserve=0"])
@pytest.mark.parametrize("policy", ["qssf", *PACKED])
def test_no_power_policy_asks_for_what_is_refused(policy: str, power: str) -> None:
    sim = run_of(policy, power)
    assert [refusal.reason for refusal in sim.executor.refusals] == []
    assert set(result(sim).jobs.state) == {"finished"}


def test_who_has_waited_too_long_is_not_stopped_again() -> None:
    sim = run_of("tiresias:threshold_gpu_s=100", "default", max_wait_s=200.0)
    assert [refusal.reason for refusal in sim.executor.refusals] == []


# power ---------------------------------------------------------------------------------------------------------------


def test_who_may_not_be_slowed_has_its_whole_power_under_a_budget_or_waits_for_it() -> None:
    """Both without caps may draw 3.7 kW: who may be slowed gives."""
    jobs = [job(name, 4, float(i), 500.0, user=name) for i, name in enumerate(("ann", "bob"))]
    sim = powered(jobs, "budget", V100, guardrails=SPARED, budget_w=3_300.0)
    seen = []
    while (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
        seen.append({job_id: run.cap_w for job_id, run in sim.live.items() if run.placement})
    assert {caps["ann"] for caps in seen if "ann" in caps} == {None}
    assert any(caps.get("bob") for caps in seen), "it is the other one that gives"
    assert sim.executor.refusals == []
    assert sim.recorder.totals.over_budget_s == 0.0


def test_others_come_down_for_who_may_not_be_slowed() -> None:
    jobs = [job("bob", 4, 0.0, 5_000.0, user="bob"), job("ann", 4, 10.0, 500.0, user="ann")]
    sim = powered(jobs, "budget", V100, guardrails=SPARED, budget_w=3_300.0)
    sim.run()
    columns = result(sim).jobs
    assert columns.start_s[1] is not None
    assert columns.start_s[1] < 20.0, "as soon as the first has settled"
    assert columns.waited_for[1].startswith("power: site may draw 3,300 W")


def test_who_runs_longest_is_not_stopped_where_the_youngest_may_not_be() -> None:
    jobs = [job("bob", 4, 0.0, 5_000.0, user="bob"), job("ann", 4, 10.0, 500.0, user="ann")]
    sim = powered(jobs, "budget", V100, guardrails=SPARED, budget_w=6_000.0)
    while sim.now_s <= 20.0 and (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
    assert sim.book is not None
    sim.book.limit_uw[0] = 1_900 * 1_000_000
    sim.change_all()
    while (view := sim.advance()) is not None and view.now_s < 100.0:
        sim.apply(sim.policy.decide(view))
    assert sim.live["ann"].placement
    assert sim.live["bob"].preemptions == 1


# packing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guardrails", "beside"),
    [
        (Guardrails(), True),
        (Guardrails(protected=frozenset({"light"})), False),
        (Guardrails(protected=frozenset({"heavy"})), False),
        (Guardrails(protected=frozenset({"heavy"}), protected_from=frozenset({"preemption"})), True),
    ],
)
def test_who_is_protected_from_sharing_is_nobodys_neighbour(guardrails: Guardrails, beside: bool) -> None:
    jobs = known_then(who("heavy", HEAVY, 1000.0), who("light", LIGHT, 1200.0))
    sim = powered(jobs, "default", ONE, "fifo+pack", guardrails=guardrails)
    made = [d for _, d in decisions_of(sim) if isinstance(d, Place) and d.beside]
    assert bool(made) is beside
    assert sim.executor.refusals == []


def threads(there: str, here: str, guardrails: Guardrails) -> list[float]:
    """With what share of the SMs a job of one class is placed beside one of another, both known."""
    jobs = [who("here", here, 0.0, 100.0), who("there", there, 200.0, 100.0)]
    jobs += [who("there", there, 1000.0), who("here", here, 1200.0)]
    sim = powered(jobs, "default", ONE, "fifo+pack:least_speed=0.3,gain=1", guardrails=guardrails)
    made = [d.thread_percent for _, d in decisions_of(sim) if isinstance(d, Place) and d.beside]
    assert sim.executor.refusals == []
    return made


@pytest.mark.parametrize(
    ("there", "here", "best", "max_slowdown"),
    [
        ("rl_small", "dlrm", 70.0, 1.3),
        ("bert_train", "dlrm", 50.0, 1.5),
        ("gpt2_pretrain", "dlrm", 50.0, 1.9),
    ],
)
def test_no_thread_limit_that_may_slow_more_than_is_allowed(
    there: str, here: str, best: float, max_slowdown: float
) -> None:
    assert threads(there, here, Guardrails()) == [best]
    placed = threads(there, here, Guardrails(max_slowdown=max_slowdown))
    assert len(placed) == 1
    assert best < 100.0 / max_slowdown <= placed[0]
