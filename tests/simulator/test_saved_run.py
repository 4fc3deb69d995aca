"""A saved run goes on to the same result; a file that is damaged or belongs elsewhere is wrong input."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goodwatt.errors import InputError
from goodwatt.simulator.records.outputs import write_run
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import MOST_DECISIONS, ROUGH, TWO_NODES, Made, busy_trace, made, policy_of, snapshot
from tests.scenario import DRAWN, Nodes, cluster, engine

SPECS = ["fifo", "sjf", "srtf", "tiresias:threshold_gpu_s=100", "las", "qssf", "easy-backfill", "chaos"]
FILES = ("jobs.csv", "timeline.csv", "summary.json")


def forward(sim: Simulation, decisions: int) -> None:
    for _ in range(decisions):
        if (view := sim.advance()) is None:
            return
        sim.apply(sim.policy.decide(view))


def ended(sim: Simulation, decisions: int = MOST_DECISIONS) -> RunResult:
    forward(sim, decisions)
    return result(sim)


def reloaded(sim: Simulation, of: Made, path: Path) -> Simulation:
    save(sim, path)
    return load(path, of.jobs, of.on, policy_of(of.policy), of.settings, of.options)


def written(outcome: RunResult, folder: Path) -> list[bytes]:
    write_run(folder, outcome, {})
    return [(folder / name).read_bytes() for name in FILES]


@pytest.mark.parametrize("at_a_view", [False, True])
@pytest.mark.parametrize("spec", SPECS)
def test_a_saved_run_ends_in_the_same_bytes(spec: str, at_a_view: bool, tmp_path: Path) -> None:
    of = Made(TWO_NODES, busy_trace(5), ROUGH, spec, DRAWN)
    alone = ended(of.simulation())
    for after in (0, 50):
        sim = of.simulation()
        forward(sim, after)
        if at_a_view:
            sim.advance()
        again = reloaded(sim, of, tmp_path / "run.json")
        assert snapshot(again) == snapshot(sim)
        outcome = ended(again, MOST_DECISIONS - after)
        assert outcome == alone
        assert written(outcome, tmp_path / "again") == written(alone, tmp_path / "alone")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(made, st.integers(0, 30))
def test_anything_can_be_saved(tmp_path: Path, of: Made, after: int) -> None:
    sim = of.simulation()
    forward(sim, after)
    again = reloaded(sim, of, tmp_path / "run.json")
    assert snapshot(again) == snapshot(sim)
    assert ended(again) == ended(sim)


def test_saving_changes_nothing_and_replaces_the_file(tmp_path: Path) -> None:
    of = Made(TWO_NODES, busy_trace(5), ROUGH, "fifo", DRAWN)
    sim, path = of.simulation(), tmp_path / "run.json"
    forward(sim, 10)
    before = snapshot(sim)
    save(sim, path)
    first = path.read_bytes()
    assert snapshot(sim) == before
    save(sim, path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


# what is wrong -------------------------------------------------------------------------------------------------------

OF = Made(TWO_NODES, busy_trace(5), ROUGH, "tiresias:threshold_gpu_s=100", DRAWN)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    sim = OF.simulation()
    forward(sim, 30)
    save(sim, tmp_path / "run.json")
    return tmp_path / "run.json"


OTHERS: list[tuple[str, Made]] = [
    ("cluster", replace(OF, on=cluster(Nodes(3)))),
    ("policy", replace(OF, policy="tiresias:threshold_gpu_s=200")),
    ("engine", replace(OF, settings=engine(decision_interval_s=10))),
    ("options", replace(OF, options=replace(DRAWN, seed=1))),
    ("trace", replace(OF, jobs=OF.jobs[:-1])),
    ("trace", replace(OF, jobs=(replace(OF.jobs[0], user="zoe"), *OF.jobs[1:]))),
    ("trace", replace(OF, jobs=(*OF.jobs[:-1], replace(OF.jobs[-1], checkpoint_interval_s=1.0)))),
    ("trace", replace(OF, jobs=(*OF.jobs[:-1], replace(OF.jobs[-1], duration_s=1.0)))),
    ("trace", replace(OF, jobs=(*OF.jobs[:-1], replace(OF.jobs[-1], gpu_milli=500, num_gpus=1)))),
]


@pytest.mark.parametrize(("what", "other"), OTHERS)
def test_other_inputs_are_named(what: str, other: Made, saved: Path) -> None:
    with pytest.raises(InputError, match=f"saved with another {what}"):
        load(saved, other.jobs, other.on, policy_of(other.policy), other.settings, other.options)


def load_own(path: Path) -> Simulation:
    return load(path, OF.jobs, OF.on, policy_of(OF.policy), OF.settings, OF.options)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such saved run"):
        load_own(tmp_path / "none.json")


BROKEN: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("no JSON", b"job_id,submit_s\n"),
    ("no text", b"\xff\xfe\x00"),
    ("a list", b"[]"),
    ("another format", b'{"format": "goodwatt run 99", "inputs": {}, "state": {}}'),
    ("no state", b'{"format": "goodwatt run 4", "inputs": {}}'),
    ("a state that is no object", b'{"format": "goodwatt run 4", "inputs": {}, "state": 3}'),
    ("inputs that are no object", b'{"format": "goodwatt run 4", "inputs": [], "state": {}}'),
]


@pytest.mark.parametrize(("why", "bytes_"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_broken_file_is_wrong_input(why: str, bytes_: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(bytes_)
    with pytest.raises(InputError, match=r"run\.json"):
        load_own(path)
    assert why


def test_a_file_that_was_cut_off_is_wrong_input(saved: Path) -> None:
    whole = saved.read_bytes()
    for share in (0.1, 0.5, 0.99):
        saved.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InputError, match=r"run\.json"):
            load_own(saved)


def placed(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [run for run in state["runs"] if run["placement"]]


def give_gpus_twice(state: dict[str, Any]) -> None:
    for run in placed(state):
        run["placement"] = [[0, 255]]


Damage = Callable[[dict[str, Any]], Any]


def without(name: str) -> Damage:
    return lambda state: state.pop(name)


DAMAGES: dict[str, Damage] = {
    "a job that does not exist": lambda state: state["runs"][0].update(index=10_000),
    "a job placed that is not there": lambda state: state["placed"].append("nobody"),
    "GPUs given twice": give_gpus_twice,
    "a node that does not exist": lambda state: placed(state)[0].update(placement=[[99, 1]]),
    "a decision that does not exist": lambda state: state.update(refusals=[[0, {"is": "Explode"}, ""]]),
    "random numbers of another kind": lambda state: state.update(random=[3, [1, 2], None]),
    "text for a number": lambda state: state.update(now_s="soon"),
    "a column cut off": lambda state: state["recorder"]["start_s"].update(words="AAAAA"),
    "a column too short": lambda state: state["recorder"]["start_s"].update(words=""),
    "a column missing": lambda state: state["recorder"].pop("energy_j"),
    "an unknown field of a job": lambda state: state["runs"][0].update(colour="red"),
    **{f"no {name}": without(name) for name in ("runs", "random", "memory", "wake_s", "recorder", "up")},
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_content_is_wrong_input(name: str, saved: Path) -> None:
    content = json.loads(saved.read_text(encoding="utf-8"))
    DAMAGES[name](content["state"])
    saved.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        load_own(saved)
