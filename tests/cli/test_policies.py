"""`goodwatt policies`: which there are and what they do."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from goodwatt.policies import power_registry, service_registry
from goodwatt.policies.registry import names
from tests.cli.command import Command
from tests.third_party import install, installed


def test_the_list_names_every_policy(goodwatt: Command) -> None:
    outcome = goodwatt("policies", "list")
    assert (outcome.status, outcome.err) == (0, "")
    listed = {line.split()[0] for line in outcome.out.splitlines() if line[:1].strip()}
    assert names().keys() | power_registry.names().keys() | service_registry.names().keys() <= listed
    assert "sjf+fgd" in outcome.out
    assert max(map(len, outcome.out.splitlines())) > 100, "lines are whole where no terminal breaks them"


def test_the_list_as_json(goodwatt: Command) -> None:
    entries = {entry["name"]: entry for entry in goodwatt("policies", "list", "--json").json()}
    assert entries.keys() == names().keys() | power_registry.names().keys() | service_registry.names().keys()
    assert (entries["fifo"]["is"], entries["best-fit"]["is"]) == ("order", "placement")
    assert {name for name, entry in entries.items() if entry["is"] == "power policy"} == power_registry.names().keys()
    services = {name for name, entry in entries.items() if entry["is"] == "service policy"}
    assert services == service_registry.names().keys() >= {"fixed", "reactive", "predictive", "follow"}
    assert {name for name, entry in entries.items() if entry["oracle"]} >= {"sjf", "srtf"}
    assert {name for name, entry in entries.items() if entry["preemptive"]} >= {"srtf", "las", "tiresias"}
    assert entries["easy-backfill"]["parameters"] == {"estimate": "requested", "depth": 500}
    assert all(entry["summary"].endswith(".") and "\n" not in entry["summary"] for entry in entries.values())


@pytest.mark.parametrize("name", names())
def test_each_is_explained_with_source_and_parameters(goodwatt: Command, name: str) -> None:
    outcome = goodwatt("policies", "show", name)
    assert (outcome.status, outcome.err) == (0, "")
    facts = goodwatt("policies", "show", name, "--json").json()
    assert outcome.out.startswith(f"{name} ({facts['is']}")
    text = inspect.getdoc(names()[name])
    assert text is not None
    assert text in outcome.out
    assert "Source: " in " ".join(outcome.out.split())
    for key, default in facts["parameters"].items():
        assert f"{name}:{key}={default}" in outcome.out


def test_a_power_policy_is_explained(goodwatt: Command) -> None:
    outcome = goodwatt("policies", "show", "uniform-cap")
    assert outcome.out.startswith("uniform-cap (power policy)\n\nEvery job's GPUs capped")
    assert "uniform-cap:share=0.7" in outcome.out
    assert "'uniform-cap'" in goodwatt("policies", "show", "uniform-kap").message


def test_one_that_is_not_there(goodwatt: Command) -> None:
    assert goodwatt("policies", "show", "tiresia").message == "unknown policy 'tiresia': did you mean 'tiresias'?\n"
    assert goodwatt("policies", "show", "fifo:depth=3").message.startswith("unknown policy 'fifo:depth=3'")


def test_those_of_others_are_listed_too(goodwatt: Command, tmp_path: Path) -> None:
    outcome = goodwatt.outside("policies", "show", "lifo", path=install(tmp_path / "site", {"lifo": "Lifo"}))
    assert outcome.out.startswith("lifo (order)\n\nLast in, first out. Source: plates.")
    assert "lifo:after_s=0.0" in outcome.out
    with installed(tmp_path / "again", {"one-at-a-time": "OneAtATime"}):
        outcome = goodwatt("policies", "show", "one-at-a-time")
    assert outcome.out.startswith("one-at-a-time (policy)")


def test_one_of_others_that_cannot_be_loaded_is_named(goodwatt: Command, tmp_path: Path) -> None:
    with installed(tmp_path / "site", {"broken": "Gone"}):
        assert goodwatt("policies", "list").message.startswith("policy 'broken': somebody_else:Gone cannot be loaded")
        assert goodwatt("policies", "show", "fifo").status == 0
