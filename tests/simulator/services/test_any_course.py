"""Services in a run, whatever course it takes: meters, books and requests add up, and copies go on to the same bits.

A course is a list of happenings, of which every decision takes the next few: instances start and drain, get clocks,
caps and guests, among them instances in slices; jobs come and go; nodes go away meanwhile. Nothing here looks for what
is sensible, and much is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.physics.full import FullPhysics
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.services import service_run
from goodwatt.simulator.services.board import SPENT
from goodwatt.simulator.services.fleet import Report
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.tick_fleet import TickFleet
from goodwatt.simulator.settings.engine import Engine, engine_from
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.settings.serving_settings import Resolution, ServingSettings
from goodwatt.simulator.simulation import Simulation
from goodwatt.traces.requests.generate import class_source
from tests.simulator.services.happenings import ALONE, HAPPENS, Happening, drawn
from tests.simulator.services.test_saved_services import KNOWN
from tests.simulator.services.test_service_run import CHAT, services_of
from tests.simulator.whole_state import differences

CLUSTER = load_cluster("generated:gpus=16,gpu=H100-SXM,per_node=4")
NODES = len(CLUSTER.nodes)
AWAY: Engine = engine_from(
    {
        "maintenance": [
            {"node": CLUSTER.nodes[1].name, "from_s": 61.0, "to_s": 90.0},
            {"node": CLUSTER.nodes[2].name, "from_s": 120.0, "to_s": 140.0},
        ]
    }
)
EMPTY = {"SliceIndex.room": "profiles of which there is no room stand there with no node, or not at all"}
A_MOMENT = 3
"""Happenings at one decision."""


# the runs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run is made of, and its course."""

    course: Sequence[Happening] = field(repr=False)
    resolution: Resolution = "ticks"
    gpus: int = 1
    start_s: float = 7.0
    budget_w: float | None = None
    per_s: float = 15.0
    seed: int = 1
    guarded: bool = False
    sliced: bool = True
    horizon_s: float = 200.0

    @property
    def services(self) -> tuple[Service, ...]:
        def asked(per_s: float, seed: int) -> Any:
            return class_source("chat", mean_per_s=per_s, seed=seed, peak_to_trough=1.0)

        chat = replace(
            CHAT, tensor_parallel=self.gpus, memory_share=0.4, min_replicas=1, max_replicas=5, start_s=self.start_s,
            requests=asked(self.per_s, self.seed),
        )  # fmt: skip
        sliced = replace(
            CHAT, name="sliced", mig_profile="3g.40gb", max_replicas=4, memory_share=0.9, start_s=self.start_s,
            requests=asked(4.0, self.seed + 1),
        )  # fmt: skip
        return (chat, sliced) if self.sliced else (chat,)

    @property
    def jobs(self) -> list[Job]:
        classes = ("bert_squad", "llm_decode", "resnet50_train", "ncf_movielens")
        return [
            Job(
                job_id=f"j{i}", submit_s=6.0 * i, num_gpus=(1, 2, 1)[i % 3], duration_s=(20.0, 60.0, 100.0)[i // 2 % 3],
                workload=classes[i % 4],
            )
            for i in range(20)
        ]  # fmt: skip

    @property
    def options(self) -> RunOptions:
        return RunOptions(
            seed=self.seed, physics="full", start_s=0.0, horizon_s=self.horizon_s, services=self.services,
            serving=ServingSettings(resolution=self.resolution), budget_w=self.budget_w,
            guardrails=Guardrails(promises=self.guarded),
        )  # fmt: skip

    def policy(self) -> Policy:
        """Says nothing here, but a budget is enforced under it."""
        served = with_services(make_policy("fifo"), "fixed")
        return with_power(served, "default" if self.budget_w is None else "budget")

    def simulation(self) -> Simulation:
        return Simulation(self.jobs, CLUSTER, self.policy(), AWAY, self.options)

    def loaded(self, path: Path) -> Simulation:
        return load(path, self.jobs, CLUSTER, self.policy(), AWAY, self.options)

    def moment(self, sim: Simulation, number: int) -> list[Decision]:
        """What happens at a decision."""
        now = self.course[number * A_MOMENT : (number + 1) * A_MOMENT]
        return [decision for what, which in now for decision in HAPPENS[what](sim, which)]


runs = st.builds(
    Run,
    course=st.integers(0, 9_999).map(drawn),
    resolution=st.sampled_from(["ticks", "ticks", "requests"]),
    gpus=st.sampled_from([1, 2]),
    start_s=st.sampled_from([0.0, 7.0, 20.0]),
    budget_w=st.sampled_from([None, 8_000.0]),
    seed=st.integers(0, 99),
    guarded=st.booleans(),
)


# what holds at any time ----------------------------------------------------------------------------------------------


def assert_counted(sim: Simulation) -> None:
    """Who does what is what the instances say."""
    services = services_of(sim)
    for number, census in enumerate(services.census):
        states = [instance.state for instance in services.of(number)]
        assert tuple(census) == tuple(states.count(name) for name in ("serving", "starting", "draining"))
    slots = {one.slot: one for one in services.instances.values() if one.slot is not None}
    assert services.at(slots) == list(slots.values())


def assert_no_request_is_lost(sim: Simulation) -> None:
    """Whoever came is done, with an instance, or waits for one: a loss shows as soon as nobody waits."""
    services = services_of(sim)
    for number, book in enumerate(services.fleet.books):
        slots = [one.slot for one in services.of(number) if one.slot is not None]
        inside = sum(services.fleet.outstanding(slot) for slot in slots)
        left = book.arrived_in_all - int(book.done.sum())
        assert inside <= left <= inside + services.fleet.queued(number)


def assert_budget_covers(sim: Simulation) -> None:
    """No node draws more than it has been granted."""
    if sim.book is not None:
        assert isinstance(sim.physics, FullPhysics)
        for node, most_uw in enumerate(sim.book._wall_uw):
            assert sim.physics.meter.wall_uw[node] <= most_uw


def assert_parts_add_up(sim: Simulation) -> None:
    """A node draws what its GPUs draw. A fork is looked at: looking brings its books up to date."""
    physics = sim.fork().physics
    assert isinstance(physics, FullPhysics)
    for node in range(NODES):
        physics._bring(node)
        if physics.mode(node) == "on":
            assert [sum(column) for column in zip(*physics._book.parts[node], strict=True)] == list(
                physics.meter.parts[node][:4]
            )


def traces_of(sim: Simulation) -> dict[str, Any]:
    """What a run leaves, to the last bit."""
    assert isinstance(sim.physics, FullPhysics)
    return {
        "live": list(sim.live),
        "energy_j": [run._truth.energy_j for run in sim.live.values()],
        "meter": sim.physics.meter.totals,
        "totals": sim.recorder.totals,
        "latencies": [book.counts.sum(axis=1).tolist() for book in services_of(sim).fleet.books],
        "refused": sim.executor.refusals,
        "granted": None if sim.book is None else sim.book.granted_uw,
    }


@settings(max_examples=8)
@given(runs, st.lists(st.integers(0, 60), min_size=2, max_size=2), st.integers(0, 60))
@example(Run(course=drawn(1), budget_w=8_000.0), [5, 40], 20)
@example(Run(course=drawn(13), gpus=2, resolution="requests", seed=13), [9, 42], 55)
def test_all_adds_up_and_copies_go_on_to_the_same_bits(of: Run, forked: list[int], saved: int) -> None:
    sim, twins, number = of.simulation(), list[Simulation](), 0
    while sim.advance() is not None:
        for twin in twins:
            assert twin.advance() is not None
            assert twin.now_s == sim.now_s
        assert_counted(sim)
        assert_no_request_is_lost(sim)
        assert_budget_covers(sim)
        if number in forked:
            twins.append(sim.fork())
        if number == saved:
            twins.append(saved_and_loaded(sim, of))
        if number % 10 == 0:
            assert_parts_add_up(sim)
        now = of.moment(sim, number)
        for one in (sim, *twins):
            one.apply(now)
        number += 1
    assert all(twin.advance() is None for twin in twins)
    assert all(traces_of(twin) == traces_of(sim) for twin in twins)


def saved_and_loaded(sim: Simulation, of: Run) -> Simulation:
    with TemporaryDirectory() as folder:
        save(sim, Path(folder) / "run.json")
        again = of.loaded(Path(folder) / "run.json")
    assert not differences(sim, again, {*KNOWN, *EMPTY})
    return again


# what is drawn -------------------------------------------------------------------------------------------------------


@pytest.fixture
def spent_j(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Joules above the context's that iterations took of one GPU of each instance, as the fleet tells them."""
    told: list[float] = []
    report, evict = TickFleet.report, TickFleet.evict

    def reported(fleet: TickFleet) -> Report:
        of_all = report(fleet)
        told.extend(of_all.spent[:, SPENT.index("joules")].tolist())
        return of_all

    def evicted(fleet: TickFleet, slot: int) -> None:
        told.append(fleet.take_spent(slot).joules)
        evict(fleet, slot)

    monkeypatch.setattr(TickFleet, "report", reported)
    monkeypatch.setattr(TickFleet, "evict", evicted)
    return told


@pytest.mark.parametrize("seed", range(4))
def test_instances_alone_draw_what_their_iterations_took_and_their_contexts(seed: int, spent_j: list[float]) -> None:
    """The meter follows by a control, and what is left of an instance that ends is drawn by others in its place."""
    of = Run(course=drawn(seed, ALONE), seed=seed, sliced=False, gpus=1 + seed % 2, horizon_s=900.0)
    sim, number, held_gpu_s, last_s = of.simulation(), 0, 0.0, 0.0
    context_w = services_of(sim).servings[0].model.context_w
    while sim.advance() is not None:
        held_gpu_s += services_of(sim).holding * of.gpus * (sim.now_s - last_s)
        last_s = sim.now_s
        sim.apply(of.moment(sim, number))
        number += 1
    sim.close()
    drawn_j = sum(one.run._truth.energy_j or 0.0 for one in services_of(sim).instances.values())
    assert drawn_j == pytest.approx(of.gpus * sum(spent_j) + context_w * held_gpu_s, rel=0.04)


# the courses themselves ----------------------------------------------------------------------------------------------


EVERYTHING = {
    "starting", "serving", "draining", "a slice", "two slices of a GPU", "a guest", "a clock", "a cap", "a node away",
    "nobody serves", "requests wait",
}  # fmt: skip


def going_on(sim: Simulation) -> set[str]:
    """What there is of all that may happen."""
    services = services_of(sim)
    placed = [one for one in services.instances.values() if one.run.placement]
    whole = [one.run for one in placed if one.run.spec.mig_profile is None]
    found = {
        "a slice": len(whole) < len(placed),
        "two slices of a GPU": any(sum("sliced" in job_id for job_id in on) > 1 for on in gpus_of(sim)),
        "a guest": any(service_run.shares(sim, run) for run in whole),
        "a clock": any(one.run.clock_mhz is not None for one in placed),
        "a cap": any(one.run.cap_w is not None for one in placed),
        "a node away": bool(sim.away),
        "nobody serves": not services.any_serving,
        "requests wait": any(services.fleet.queued(number) for number in (0, 1)),
    }
    return {one.state for one in placed} | {name for name, there in found.items() if there}


def gpus_of(sim: Simulation) -> list[tuple[str, ...]]:
    assert isinstance(sim.physics, FullPhysics)
    return [on for node in range(NODES) for on in sim.physics.tenants(node)]


def test_courses_lead_everywhere() -> None:
    seen = set[str]()
    for seed in (1, 2):
        of, number = Run(course=drawn(seed), seed=seed), 0
        sim = of.simulation()
        while sim.advance() is not None:
            seen |= going_on(sim)
            sim.apply(of.moment(sim, number))
            number += 1
    assert seen == EVERYTHING
