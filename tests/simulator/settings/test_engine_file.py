"""Engine settings: presets, files of users, and what is wrong with them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import goodwatt.simulator.settings.engine as module
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.simulator.settings.engine import Engine, EngineSettings, Outage, load_engine, preset_names
from goodwatt.simulator.settings.engine_file import read_engine
from goodwatt.simulator.settings.engine_schema import EngineFile

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "engine-file.md"


def engine_of(tmp_path: Path, text: str) -> Engine:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return load_engine(str(path))


def message(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as error:
        engine_of(tmp_path, text)
    return str(error.value).replace(f"{tmp_path}/", "").replace("mine.yaml, ", "")


# presets -------------------------------------------------------------------------------------------------------------


def test_the_presets() -> None:
    assert preset_names() == ["default", "lucid", "realistic"]
    default, lucid = load_engine("default"), load_engine("lucid")
    assert default.plain == EngineSettings(name="default", restart_overhead_s=((8.0, 40.0), (math.inf, 60.0)))
    assert default.settings(preemptive=False) is default.plain
    for engine in (default, lucid):
        settings = engine.settings(preemptive=True)
        assert settings.decision_interval_s == 60
        assert [settings.restart_s(gpus) for gpus in (0, 1, 8, 9, 1000)] == [40, 40, 40, 60, 60]
    assert (default.preemptive.completion_lag_s, lucid.preemptive.completion_lag_s) == (0, 1)
    assert lucid.plain.decision_interval_s == 0
    assert lucid.plain.unstable_sorts == lucid.preemptive.unstable_sorts == (1007, 0)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_as_a_file_is_the_same(tmp_path: Path, name: str) -> None:
    text = (Path(module.__file__).parent / "engines" / f"{name}.yaml").read_text(encoding="utf-8")
    assert engine_of(tmp_path, text) == load_engine(name)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(UnknownNameError, match="unknown engine 'lucit': did you mean 'lucid'"):
        load_engine("lucit")
    with pytest.raises(InputError, match=r"gone\.yml: no such engine file"):
        load_engine("gone.yml")


# files ---------------------------------------------------------------------------------------------------------------


def test_the_example_of_the_reference(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    engine = engine_of(tmp_path, text)
    assert engine.name == engine.plain.name == engine.preemptive.name == "careful"
    assert (engine.plain.decision_interval_s, engine.preemptive.decision_interval_s) == (10, 60)
    assert engine.preemptive.checkpoint_interval_s == engine.plain.checkpoint_interval_s == 1800
    assert engine.plain.restart_overhead_s == ((8.0, 40.0), (math.inf, 60.0))
    assert engine.plain.outages == (Outage("n3", 86_400, 90_000, "new fans"),)
    assert engine.preemptive.outages == engine.plain.outages


def test_every_field_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert [name for name in EngineFile.model_fields if f"`{name}`" not in text] == []


def test_a_file_without_a_name_is_called_as_the_file(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, "completion_lag_s: 1")
    assert (engine.name, engine.plain.name) == ("mine", "mine")


def test_what_is_not_said_stays_at_its_default(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, "about: nothing special\npreemptive:\n")
    assert engine.plain == engine.preemptive == EngineSettings(name="mine")


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("5", [(math.inf, 5.0)]),
        ("0", [(math.inf, 0.0)]),
        ("1e1", [(math.inf, 10.0)]),
        ("{8: 40, more: 60}", [(8.0, 40.0), (math.inf, 60.0)]),
        ("{more: 60, 8: 40, 2: 10}", [(2.0, 10.0), (8.0, 40.0), (math.inf, 60.0)]),
        ("{8: 40, 2: 10}", [(2.0, 10.0), (8.0, 40.0), (math.inf, 40.0)]),
    ],
)
def test_overheads(tmp_path: Path, text: str, pairs: list[tuple[float, float]]) -> None:
    assert engine_of(tmp_path, f"restart_overhead_s: {text}").plain.restart_overhead_s == tuple(pairs)


def test_policies_that_stop_jobs_override_one_by_one(tmp_path: Path) -> None:
    text = """
    decision_interval_s: 5
    completion_lag_s: 2
    gpu_choice: policy
    warm_up_s: 100
    maintenance: [{node: a, from_s: 1, to_s: 2}]
    preemptive:
      decision_interval_s: 0
      maintenance: [{node: b, from_s: -3, to_s: 4.5}]
    """
    engine = engine_of(tmp_path, text)
    stops = engine.preemptive
    assert (stops.decision_interval_s, stops.completion_lag_s, stops.gpu_choice) == (0, 2, "policy")
    assert (stops.completion_lag_s, stops.warm_up_s) == (2, 100)
    assert stops.outages == (Outage("b", -3, 4.5),)
    assert engine.plain.outages == (Outage("a", 1, 2),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "name: x\ndecision_intervall_s: 60",
            "line 2, key 'decision_intervall_s': unknown key: did you mean 'decision_interval_s'?",
        ),
        ("decision_interval_s: -1", "line 1, key 'decision_interval_s': expected a number of at least 0, got -1"),
        ("decision_interval_s: often", "line 1, key 'decision_interval_s': expected a number, got 'often'"),
        ("gpu_choice: random", "line 1, key 'gpu_choice': expected 'kubelet' or 'policy', got 'random'"),
        ("restart_overhead_s: {}", "line 1, key 'restart_overhead_s': expected at least one entry, got no keys"),
        (
            "restart_overhead_s: soon",
            "line 1, key 'restart_overhead_s': expected seconds, or seconds by gang size "
            "({8: 40, more: 60}), got 'soon'",
        ),
        ("restart_overhead_s: -1", "line 1, key 'restart_overhead_s': expected seconds, or seconds by gang size"),
        ("restart_overhead_s: true", "line 1, key 'restart_overhead_s': expected seconds, or seconds by gang size"),
        ("restart_overhead_s:\n  8: soon", "line 2, key 'restart_overhead_s': expected a number, got 'soon'"),
        ("restart_overhead_s: {0: 5}", "line 1, key 'restart_overhead_s': expected gang sizes above 0, or more, got 0"),
        ("restart_overhead_s: {less: 5}", "line 1, key 'less': expected gang sizes above 0, or more, got 'less'"),
        ("restart_overhead_s: {2.5: 5}", "line 1, key '2.5': expected gang sizes above 0, or more, got 2.5"),
        ("restart_overhead_s: {8: -4}", "line 1, key 'restart_overhead_s': expected a number of at least 0, got -4"),
        ("maintenance:\n- {node: a, from_s: 5, to_s: 5}", "line 2, key 'maintenance': expected to_s after from_s (5)"),
        ("maintenance: [{node: a, from_s: 5}]", "line 1, key 'to_s': this key is missing"),
        (
            "maintenance: [{node: 7, from_s: 5, to_s: 6}]",
            "line 1, key 'node': expected text, got 7: write it in quotes",
        ),
        ("maintenance: {node: a}", "line 1, key 'maintenance': expected a list, got keys with values"),
        ("preemptive: {name: x}", "line 1, key 'name': unknown key; known: checkpoint_interval_s, "),
        (
            "preemptive:\n  maintenance:\n  - {nod: a, from_s: 1, to_s: 2}",
            "line 3, key 'nod': unknown key: did you mean 'node'?",
        ),
        ("unstable_sorts: [1, -2]", "line 1, key 'unstable_sorts': expected a number of at least 0, got -2"),
        ("warm_up_s: .inf", "line 1, key 'warm_up_s': expected a finite number, got inf"),
        ("name: ''", "line 1, key 'name': expected a name, got ''"),
        ("", "mine.yaml: expected engine settings, got an empty file"),
        ("- a", "line 1: expected keys with values, got ['a']"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, told: str) -> None:
    assert message(tmp_path, text).startswith(told)


def test_a_folder_is_no_engine_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as text"):
        read_engine(tmp_path)
