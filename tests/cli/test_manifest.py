"""What made a result."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import replace

import orjson
import pytest

from goodwatt import __version__
from goodwatt.cli.manifest import command_line, cost, manifest
from goodwatt.simulator.settings.engine import load_engine
from goodwatt.traces.trace import Trace
from tests.scenario import Nodes, cluster, engine

TRACE = Trace(name="t", jobs=(), format="job-table", sha256="0" * 64, synthetic=("user",))
ONE, TWO = cluster(Nodes(1)), cluster(Nodes(2))
DEFAULT = load_engine("default")


def test_the_command_can_be_typed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["/somewhere/bin/goodwatt", "replay", "my jobs.csv", "--policy", "qssf:history_days=3", "--out", "it's"]
    monkeypatch.setattr(sys, "argv", typed)
    assert command_line().startswith("goodwatt replay 'my jobs.csv' --policy ")
    assert shlex.split(command_line())[1:] == typed[1:]


def test_what_it_says() -> None:
    facts = manifest(TRACE, ONE, DEFAULT, policy="fifo", seed=3)
    assert (facts["version"], facts["policy"], facts["seed"]) == (__version__, "fifo", 3)
    assert facts["inputs"]["trace_sha256"] == TRACE.sha256
    assert orjson.loads(orjson.dumps(facts)) == facts
    assert "user" in str(facts["inputs"]["trace_synthetic"])


def test_equal_inputs_have_equal_hashes_and_others_do_not() -> None:
    def inputs(trace: Trace = TRACE, on: object = ONE, settings: object = DEFAULT) -> dict[str, str]:
        found: dict[str, str] = manifest(trace, on, settings)["inputs"]  # type: ignore[arg-type]
        return found

    same = inputs()
    assert inputs() == inputs(on=cluster(Nodes(1)), settings=load_engine("default")) == same
    assert inputs(trace=replace(TRACE, sha256="1" * 64))["trace_sha256"] != same["trace_sha256"]
    assert inputs(on=TWO)["cluster_sha256"] != same["cluster_sha256"]
    hashes = {
        inputs(settings=settings)["engine_sha256"]
        for settings in (DEFAULT, load_engine("lucid"), engine(), engine(warm_up_s=1.0), engine(completion_lag_s=1.0))
    }
    assert len(hashes) == 5


def test_costs_only_grow() -> None:
    before = cost()
    deadline = time.process_time() + 0.02
    while time.process_time() < deadline:
        pass
    after = cost()
    assert before.keys() == after.keys() == {"cpu_s", "wall_s"}
    assert after["cpu_s"] > before["cpu_s"]
    assert after["wall_s"] >= before["wall_s"]
