"""A power budget over services and jobs: services get what their load needs, jobs the rest, and nothing is over."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goodwatt.policies.budget_memory import BudgetMemory
from goodwatt.policies.job_budget import ask_of
from goodwatt.policies.memories import Memories
from goodwatt.policies.power_registry import make_power, names
from goodwatt.policies.service_watts import Need, ask_of_need
from goodwatt.power.budgets.budget_tree import BudgetTree, limit_mw
from goodwatt.power.budgets.division import WAYS, Want, divide
from goodwatt.simulator.decisions import Preempt, SetCap
from goodwatt.simulator.run import result
from goodwatt.simulator.simulation import Simulation
from tests.policies.power.served_halls import caps_of, drawn_w, forward, hall, hall_run, kept, training
from tests.policies.services.service_runs import chat

QUIET, BUSY = 4.0, 56.0
"""Requests a second of eight instances: next to nothing, half of what they carry."""


def test_a_feed_is_lost_at_the_peak() -> None:
    """Within one control the rack is below what the other feed carries; training pays, the service does not notice."""
    sim = hall_run(chat((0.0, BUSY)), jobs=training(2), until_s=1_200.0, rack_w=24_000.0, feed_lost_s=400.0)
    forward(sim, 394.0)
    assert drawn_w(sim) > 13_500
    assert caps_of(sim, "t") == [700.0, 700.0]
    forward(sim, 405.0)
    assert drawn_w(sim) <= 12_000
    forward(sim, 1_200.0)
    assert max(caps_of(sim, "t")) < 650
    assert kept(sim, 7, 19) >= 0.99
    assert result(sim).summary["over_budget_s"] == 0.0
    assert sim.racks.trips == 0


def test_a_feed_is_lost_and_there_is_no_power_for_training() -> None:
    """The youngest jobs are stopped, all at the same control, and no more of them than need to be."""
    sim = hall_run(chat((0.0, BUSY + 24)), jobs=training(2), until_s=600.0, rack_w=17_600.0, feed_lost_s=400.0)
    forward(sim, 394.0)
    made = forward(sim, 405.0)
    assert len([decision for decision in made if isinstance(decision, Preempt)]) == 1
    assert drawn_w(sim) <= 8_800
    assert min(caps_of(sim, "chat")) > 400
    forward(sim, 600.0)
    assert kept(sim, 7, 9) == 1.0


def test_not_even_the_service_fits() -> None:
    """Its instances share what there is; the promise at risk does not push the draw over the limit."""
    sim = hall_run(chat((0.0, 88.0)), jobs=training(1), until_s=700.0, rack_w=13_800.0, feed_lost_s=400.0)
    forward(sim, 700.0)
    caps = caps_of(sim, "chat")
    assert caps_of(sim, "t") == []
    assert max(caps) == min(caps) < 600
    assert drawn_w(sim) <= 6_900
    assert sim.book is not None
    assert sim.book.over == ()


def test_at_night_training_gets_the_watts_and_gives_them_back() -> None:
    load = chat((0.0, 76.0), (300.0, QUIET), (1_200.0, 76.0))
    sim = hall_run(load, jobs=training(2), until_s=1_500.0, budget_w=11_000.0)
    caps, watts = [], []
    for time_s in (299.0, 1_199.0, 1_280.0):
        forward(sim, time_s)
        caps.append((sum(caps_of(sim, "chat")) / 8, sum(caps_of(sim, "t"))))
        watts.append(drawn_w(sim))
    (day, by_day), (night, by_night), (again, by_day_again) = caps
    assert night < 0.85 * day
    assert by_night > 1.2 * by_day
    assert again > night
    assert by_day_again < by_night
    assert min(watts) > 9_000
    forward(sim, 1_500.0)
    summary = result(sim).summary
    assert summary["over_budget_s"] == 0.0
    assert kept(sim, 2, 24) > 0.95


def test_load_that_returns_has_its_watts_within_two_controls() -> None:
    sim = hall_run(chat((0.0, QUIET), (800.0, BUSY + 24)), jobs=training(2), until_s=1_000.0, budget_w=11_000.0)
    forward(sim, 800.0)
    before = min(caps_of(sim, "chat"))
    forward(sim, 811.0)
    assert min(caps_of(sim, "chat")) > before
    assert sum(caps_of(sim, "t")) / 2 < 500


def test_power_is_divided_anew_only_for_needs_that_move() -> None:
    """At a steady load there is hardly a command."""
    sim = hall_run(chat((0.0, BUSY)), jobs=training(2), until_s=900.0, budget_w=11_000.0)
    forward(sim, 300.0)
    made = [decision for decision in forward(sim, 900.0) if isinstance(decision, SetCap)]
    assert len(made) <= 4 * 10


def test_an_instance_that_starts_finds_its_power() -> None:
    """Jobs come down for it, and are stopped where that is not enough."""
    load = chat((0.0, QUIET), (300.0, BUSY))
    sim = hall_run(load, jobs=training(3), until_s=900.0, budget_w=10_500.0, spec="predictive")
    forward(sim, 900.0)
    assert len(caps_of(sim, "chat")) >= 4
    assert kept(sim, 8, 14) == 1.0
    assert result(sim).summary["over_budget_s"] == 0.0


def test_of_two_services_the_one_with_more_load_gets_more() -> None:
    loaded, light = chat((0.0, 44.0), max_replicas=4), replace(chat((0.0, 8.0), max_replicas=4), name="chat2")
    sim = hall_run(loaded, light, jobs=training(2), until_s=600.0, budget_w=10_000.0)
    forward(sim, 600.0)
    caps = {name: caps_of(sim, f"{name}/") for name in ("chat", "chat2")}
    assert min(caps["chat"]) > max(caps["chat2"])


def test_services_in_slices_of_one_gpu_have_one_cap_and_the_gpu_is_counted_once() -> None:
    light = chat((0.0, 1.0), max_replicas=1, mig_profile="3g.40gb")
    loaded = replace(chat((0.0, 6.0), max_replicas=1, mig_profile="4g.40gb"), name="other")
    sim = hall_run(light, loaded, jobs=training(2), until_s=400.0, budget_w=6_000.0)
    forward(sim, 400.0)
    assert caps_of(sim, "chat/") == caps_of(sim, "other/")
    needs = memory_of(sim).services
    assert needs is not None
    assert sim.view.book is not None
    groups = needs.groups(sim.view, sim.view.book, 0.4)
    assert [group.share.nodes for group in groups] == [((0, 1),)]
    assert sorted(groups[0].jobs) == ["chat/0", "other/0"]


@pytest.mark.parametrize("way", sorted(WAYS))
def test_services_come_first_whatever_the_way_to_divide(way: str) -> None:
    sim = hall_run(
        chat((0.0, BUSY)), jobs=training(2), until_s=600.0, budget_w=10_000.0, power=f"budget:division={way}"
    )
    forward(sim, 600.0)
    assert kept(sim, 2, 9) == 1.0
    assert result(sim).summary["over_budget_s"] == 0.0


@pytest.mark.parametrize("power", [*names(), "budget+ramp", "static+budget"])
def test_every_power_policy_runs_with_services(power: str) -> None:
    """None stumbles over instances; those that enforce budgets are never over."""
    load = chat((0.0, 30.0), (200.0, QUIET), max_replicas=6)
    sim = hall_run(load, jobs=training(4, gpus=2), until_s=400.0, budget_w=11_000.0, power=power, spec="reactive")
    forward(sim, 400.0)
    summary = result(sim).summary
    if make_power(power).enforces_budget:
        assert summary["over_budget_s"] == 0.0
    assert [refusal.reason for refusal in sim.executor.refusals if "board" in refusal.reason] == []
    assert kept(sim, 2, 6) == 1.0


def memory_of(sim: Simulation) -> BudgetMemory:
    memory = sim.view.memory
    assert isinstance(memory, Memories)
    return next(part for part in memory.parts if isinstance(part, BudgetMemory))


def test_a_fork_and_a_memory_that_was_written_down_go_on_alike() -> None:
    sim = hall_run(chat((0.0, 30.0), (150.0, BUSY)), jobs=training(2), until_s=300.0, budget_w=11_000.0)
    forward(sim, 140.0)
    twin, memory = sim.fork(), memory_of(sim)
    read = BudgetMemory()
    read.load_plain(json.loads(json.dumps(memory.to_plain())))
    assert read.to_plain() == memory.to_plain()
    for one in (sim, twin):
        forward(one, 300.0)
    assert result(sim).summary["it_energy_j"] == result(twin).summary["it_energy_j"]


NEEDS = st.builds(
    lambda least, more, load: Need(least + more, least + more, ((least, 0.3 * load), (least + more, load))),
    st.sampled_from([300.0, 360.0]),
    st.floats(5.0, 300.0),
    st.floats(0.01, 1.0),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(NEEDS, min_size=1, max_size=8), st.integers(1, 8), st.floats(500.0, 12_000.0), st.booleans())
def test_a_division_is_within_the_limit_and_jobs_get_nothing_that_services_need(
    needs: list[Need], jobs: int, limit_w: float, firm: bool
) -> None:
    kind = hall().kinds["H100-SXM"]
    asks = [ask_of_need(need, 300.0, 700.0, firm=firm) for need in needs]
    asks += [ask_of(kind, None, 0.4, 0.1)] * jobs
    leaves = len(asks)
    tree = BudgetTree(
        names=("site", *[""] * leaves),
        parent=(-1, *[0] * leaves),
        limit_mw=(limit_mw(limit_w), *[limit_mw(None)] * leaves),
        leaves=tuple(range(1, leaves + 1)),
    )
    wants = [Want(floor_w=ask.floor_w, most_w=ask.rated_w, capacity_w=ask.rated_w, curve=ask.curve) for ask in asks]
    division = divide(tree, wants)
    assert sum(division.grant_mw) <= limit_mw(limit_w)
    short_of_need = any(g < need.firm_w - 0.1 for need, g in zip(needs, division.grant_w, strict=False))
    job_w = division.grant_w[len(needs) :]
    if short_of_need:
        assert max(job_w) <= asks[-1].floor_w + 0.01


def beside(budget_w: float, *steps: tuple[float, float]) -> Simulation:
    """Eight instances, one large job, and eight small ones that find no GPUs but beside instances."""
    load = chat(*steps, min_replicas=8, max_replicas=8, memory_share=0.6)
    small = [replace(one, job_id=f"g{one.job_id}", submit_s=20.0) for one in training(8, 1, gpu_memory_mib=9000)]
    jobs = [*training(1, 8), *small]
    return hall_run(load, jobs=jobs, until_s=900.0, budget_w=budget_w, spec="harvest", promises=False)


def test_a_job_beside_an_instance_has_its_cap() -> None:
    """With a cap of its own it would take power that nobody gave it, or find none."""
    sim = beside(11_000.0, (0.0, 6.0))
    forward(sim, 300.0)
    assert len(caps_of(sim, "g")) == 8
    assert caps_of(sim, "g") == caps_of(sim, "chat")
    assert max(caps_of(sim, "g")) < 700.0
    assert sim.executor.refusals == []


def test_an_instance_beside_a_job_gets_the_power_of_others_when_load_returns() -> None:
    sim = beside(9_000.0, (0.0, 6.0), (500.0, 95.0))
    forward(sim, 495.0)
    assert caps_of(sim, "g")
    forward(sim, 520.0)
    assert caps_of(sim, "g") == []
    assert len(set(caps_of(sim, "chat"))) == 1
    forward(sim, 900.0)
    assert kept(sim, 9, 14) == 1.0
    assert sim.executor.refusals == []


def test_of_two_instances_that_need_gpus_of_jobs_one_starts_where_there_is_power_for_one() -> None:
    """The other one's jobs run on meanwhile, and their watts are not counted on."""
    load = replace(chat((0.0, QUIET), (300.0, 90.0), max_replicas=3), tensor_parallel=4)
    jobs = [replace(one, submit_s=250.0) for one in (*training(3, 3), *training(6, 1, priority=-1))]
    jobs = [replace(one, job_id=f"t{number}") for number, one in enumerate(jobs)]
    sim = hall_run(load, jobs=jobs, until_s=600.0, budget_w=9_500.0, spec="reactive:down_s=60", promises=False)
    forward(sim, 300.0)
    assert len(caps_of(sim, "chat")) == 1
    forward(sim, 304.0)  # the control at 305
    assert len(caps_of(sim, "chat")) >= 2
    forward(sim, 330.0)
    assert len(caps_of(sim, "chat")) == 3
    assert sim.executor.refusals == []
