"""Every service policy that ships keeps the contract: its name, its memory, forks, the same run twice, no refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import is_dataclass

import pytest

from goodwatt.errors import InputError, UnknownNameError
from goodwatt.policies.memories import Memories
from goodwatt.policies.service_memory import ServiceMemory
from goodwatt.policies.service_registry import find, make_services, names
from goodwatt.simulator.run import result
from goodwatt.simulator.simulation import Simulation
from tests.policies.services.service_runs import chat, serving

SPECS = [*names(), "reactive:down_s=40+follow", "predictive:down_s=20+follow:margin=0.2"]
LOAD = chat((0.0, 20.0), (100.0, 34.0), (200.0, 6.0))
POOLS = chat((0.0, 12.0), (120.0, 24.0), min_replicas=2, max_replicas=8, separate=True, min_prefill=1, max_prefill=4)


def end(sim: Simulation) -> object:
    sim.run()
    assert sim.services is not None
    book = sim.services.fleet.books[0]
    return result(sim).summary["it_energy_j"], book.attainment, book.output_tokens, sim.executor.refusals


def forward(sim: Simulation, until_s: float) -> None:
    while sim.now_s < until_s and (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))


def memories(memory: object) -> Iterator[ServiceMemory]:
    """Those of service policies."""
    if isinstance(memory, ServiceMemory):
        yield memory
    for part in memory.parts if isinstance(memory, Memories) else ():
        yield from memories(part)


@pytest.mark.parametrize("name", names())
def test_a_policy_is_a_dataclass_named_as_its_file(name: str) -> None:
    part = find(name)
    assert is_dataclass(part)
    assert part.__module__.endswith(name.replace("-", "_"))
    assert (part.__doc__ or "").split("\n")[0]
    assert make_services(name).new_memory() is not None


@pytest.mark.parametrize("service", [LOAD, POOLS], ids=["one pool", "pools"])
@pytest.mark.parametrize("spec", SPECS)
def test_a_run_ends_the_same_forked_and_again(spec: str, service: object) -> None:
    first, again = (serving(spec, service, until_s=300.0) for _ in range(2))  # type: ignore[arg-type]
    whole = end(first)
    assert first.executor.refusals == []
    forward(again, 150.0)
    fork = again.fork()
    assert end(fork) == whole
    assert end(again) == whole


@pytest.mark.parametrize("spec", SPECS)
def test_a_memory_is_restored_from_plain_data(spec: str) -> None:
    sim = serving(spec, LOAD, until_s=200.0)
    forward(sim, 190.0)
    for memory in memories(sim.view.memory):
        plain = json.loads(json.dumps(memory.to_plain()))
        twin = type(memory)()
        twin.load_plain(plain)
        assert twin.to_plain() == memory.to_plain()


def test_who_decides_how_many_instances_there_are_need_not_be_said() -> None:
    assert [part.name for part in make_services("follow").parts] == ["fixed", "follow"]  # type: ignore[attr-defined]
    assert [part.name for part in make_services("reactive+follow").parts] == ["reactive", "follow"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("reactiv", UnknownNameError),
        ("reactive:goal=1", UnknownNameError),
        ("reactive:target=0", InputError),
        ("predictive:target=1.1", InputError),
        ("predictive:ahead_s=-1", InputError),
        ("follow:margin=1", InputError),
        ("follow:hold_s=-1", InputError),
        ("fixed:replicas=-1", InputError),
    ],
)
def test_specifications_that_make_no_sense(spec: str, error: type[InputError]) -> None:
    with pytest.raises(error):
        make_services(spec)
