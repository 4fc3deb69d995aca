"""A saved run with services goes on to the same bits; what its file tells is made of nothing but plain data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.errors import InputError
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.records.outputs import write_run
from goodwatt.simulator.run import finish, result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.services import service_run
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.services_state import Services
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.settings.serving_settings import Resolution, ServingSettings
from goodwatt.simulator.simulation import Simulation
from goodwatt.traces.requests.generate import class_source
from tests.scenario import step
from tests.simulator.services.test_service_run import CHAT
from tests.simulator.test_whole_state import COMPUTED, FACTS
from tests.simulator.whole_state import differences

CLUSTER = load_cluster("generated:gpus=16,gpu=H100-SXM,per_node=8")
BUSY = replace(CHAT, requests=class_source("chat", mean_per_s=20.0, seed=2, peak_to_trough=1.0))
LEAN = replace(BUSY, memory_share=0.4)
SPLIT = replace(BUSY, name="split", separate=True, min_prefill=1, max_prefill=1, routing="round_robin")
SEEN = {"Blocks._last": "the block asked for last", "ProfileSource._last": "the block asked for last"}
FOUND = {"Seen._known", "Seen._typical", "Pool._by_size"}
"""Computed again when asked for."""
KNOWN = {*FACTS, *COMPUTED, *SEEN, *FOUND}


@dataclass(frozen=True)
class Inputs:
    """Of a run with services."""

    services: tuple[Service, ...]
    resolution: Resolution = "ticks"
    policy: str = "fixed"
    sizes: tuple[int, ...] = (1, 2, 4, 8, 1, 2)
    budget_w: float | None = None

    @property
    def jobs(self) -> list[Job]:
        return [
            Job(job_id=f"j{i}", submit_s=5.0 * i, num_gpus=size, duration_s=100.0 + 30.0 * i)
            for i, size in enumerate(self.sizes)
        ]

    @property
    def options(self) -> RunOptions:
        serving = ServingSettings(resolution=self.resolution)
        return RunOptions(
            seed=1, physics="full", start_s=0.0, horizon_s=400.0, services=self.services, serving=serving, draw=True,
            budget_w=self.budget_w, budget_steps=() if self.budget_w is None else ((150.0, 7_000.0),),
        )  # fmt: skip

    def made(self) -> Policy:
        power = "default" if self.budget_w is None else "budget"
        return with_power(with_services(make_policy("fifo"), self.policy), power)

    def simulation(self) -> Simulation:
        return Simulation(self.jobs, CLUSTER, self.made(), None, self.options)

    def loaded(self, path: Path) -> Simulation:
        return load(path, self.jobs, CLUSTER, self.made(), None, self.options)


RUNS = {
    "ticks": Inputs((BUSY,)),
    "requests": Inputs((BUSY,), "requests"),
    "two services, one of them in pools, ticks": Inputs((CHAT, SPLIT)),
    "two services, one of them in pools, requests": Inputs((CHAT, SPLIT), "requests"),
    "a policy that remembers": Inputs((BUSY,), policy="reactive+follow"),
    "jobs beside instances": Inputs((LEAN,), policy="fixed+harvest:least=0", sizes=(1,) * 24),
    "a budget that falls": Inputs((BUSY,), budget_w=9_000.0),
}


def services_of(sim: Simulation) -> Services:
    assert sim.services is not None
    return sim.services


def forward(sim: Simulation, until_s: float) -> None:
    """To about this time, wherever that is between decisions and events."""
    while sim.now_s < until_s and not sim.stopped:
        step(sim)


def written(sim: Simulation, folder: Path) -> list[bytes]:
    assert finish(sim) or sim.stopped
    write_run(folder, result(sim), {})
    return [file.read_bytes() for file in sorted(folder.iterdir())]


@pytest.mark.parametrize("name", RUNS)
def test_a_saved_run_ends_in_the_same_bytes(name: str, tmp_path: Path) -> None:
    of, path = RUNS[name], tmp_path / "run.json"
    sim = of.simulation()
    beside = False
    for until_s in (0.0, 33.0, 201.5):
        forward(sim, until_s)
        beside = beside or any(service_run.shares(sim, one.run) for one in services_of(sim).instances.values())
        save(sim, path)
        again = of.loaded(path)
        assert not differences(sim, again, KNOWN)
        save(again, tmp_path / "twice.json")
        assert path.read_bytes() == (tmp_path / "twice.json").read_bytes()
    assert beside == ("beside" in name)
    if sim.deciding:
        for one in (sim, again):
            one.apply(one.policy.decide(one.view))
    assert written(again, tmp_path / "again") == written(sim, tmp_path / "alone")
    books = [services_of(one).fleet.books for one in (sim, again)]
    for one, other in zip(*books, strict=True):
        assert one.arrived_in_all > 100
        assert np.array_equal(one.counts, other.counts)
        assert (one.output_tokens, one.on_time_output_tokens) == (other.output_tokens, other.on_time_output_tokens)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    sim = RUNS["ticks"].simulation()
    forward(sim, 100.0)
    save(sim, tmp_path / "run.json")
    return tmp_path / "run.json"


OTHERS = [
    replace(BUSY, promise=replace(BUSY.promise, ttft_s=2.0)),
    replace(BUSY, requests=class_source("chat", mean_per_s=20.0, seed=3, peak_to_trough=1.0)),
    replace(BUSY, requests=class_source("chat", mean_per_s=21.0, seed=2, peak_to_trough=1.0)),
    replace(BUSY, max_replicas=4),
]


@pytest.mark.parametrize("other", OTHERS)
def test_other_services_are_named(other: Service, saved: Path) -> None:
    with pytest.raises(InputError, match="saved with another services"):
        Inputs((other,)).loaded(saved)


def entries(state: dict[str, Any], kind: str) -> list[Any]:
    return [entry for entry in state["services"]["objects"] if entry[0] == kind]


def rename(state: dict[str, Any], path: str) -> None:
    entries(state, "object")[0][1] = path


def shorten(state: dict[str, Any]) -> None:
    next(entry for entry in entries(state, "array") if entry[2] != [0])[2][0] += 1


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no services": lambda state: state.pop("services"),
    "no objects": lambda state: state["services"].pop("objects"),
    "a class of somebody else": lambda state: rename(state, "os:system"),
    "a class that is not there": lambda state: rename(state, "goodwatt.simulator.services.board:Boat"),
    "a module that is not there": lambda state: rename(state, "goodwatt.simulator.services.boat:Boat"),
    "a function for a class": lambda state: rename(state, "goodwatt.simulator.services.fleet:new_fleet"),
    "what a module has from elsewhere": lambda state: rename(state, "goodwatt.simulator.services.board:Cost"),
    "an array of another size": shorten,
    "a fact that is not there": lambda state: entries(state, "fact")[0].__setitem__(1, "servings.9"),
    "a kind of entry that is not there": lambda state: entries(state, "fact")[0].__setitem__(0, "code"),
    "objects cut off": lambda state: state["services"]["objects"].__delitem__(slice(5, None)),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_services_are_wrong_input(name: str, saved: Path) -> None:
    content = json.loads(saved.read_text(encoding="utf-8"))
    DAMAGES[name](content["state"])
    saved.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        RUNS["ticks"].loaded(saved)
