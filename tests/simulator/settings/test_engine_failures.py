"""What engine files say about failures and checkpoints, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from goodwatt.errors import InputError
from goodwatt.simulator.settings.checkpointing import CheckpointStore
from goodwatt.simulator.settings.engine import Engine, load_engine
from goodwatt.simulator.settings.failure_rates import PRESETS, PUBLISHED, FailureSettings
from goodwatt.simulator.settings.failures_schema import Component, Failures, SlowGpus

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "engine-file.md"


def engine_of(tmp_path: Path, text: str) -> Engine:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return load_engine(str(path))


@pytest.mark.parametrize("name", ["default", "lucid"])
def test_nothing_fails_unless_the_engine_says_so(name: str) -> None:
    for settings in (load_engine(name).plain, load_engine(name).preemptive):
        assert settings.failures is None
        assert settings.checkpoint_rule == "none"


def test_the_realistic_preset() -> None:
    engine = load_engine("realistic")
    for settings in (engine.plain, engine.preemptive):
        assert settings.failures is not None
        assert (settings.failures.gpu, settings.failures.gpu_takes) == (PUBLISHED.gpu, "node")
        assert settings.failures.stragglers.share > 0
        assert settings.checkpoint_rule == "daly"
    assert engine.preemptive.decision_interval_s == 60


def test_the_example_of_the_reference(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8").split("## Failures")[1].split("```yaml\n")[1].split("```")[0]
    settings = engine_of(tmp_path, text).plain
    assert settings.failures is not None
    assert settings.failures.gpu.per_hour == 1 / 79_000
    assert settings.failures.gpu.causes == PUBLISHED.gpu.causes
    assert settings.failures.node.per_hour == 2.9e-5
    assert (settings.failures.switch, settings.failures.replace_after) == (PUBLISHED.switch, 3)
    assert (settings.checkpoint_rule, settings.checkpoint_store) == ("daly", CheckpointStore())


def test_every_field_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8").split("## Failures")[1]
    fields = {*Component.model_fields, *SlowGpus.model_fields, *Failures.model_fields}
    assert [name for name in sorted(fields) if f"`{name}`" not in text] == []
    assert [name for name in PRESETS if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("failures: {}", FailureSettings()),
        ("failures: {preset: rsc-1}", PRESETS["rsc-1"]),
        ("failures: {preset: published, scale: 10}", PUBLISHED.scaled(10)),
        ("failures:", None),
    ],
)
def test_settings(tmp_path: Path, text: str, expected: FailureSettings | None) -> None:
    engine = engine_of(tmp_path, text)
    assert engine.plain.failures == engine.preemptive.failures == expected


def test_checkpoints_are_overridden_one_by_one(tmp_path: Path) -> None:
    text = "checkpoints: {rule: young, node_gbps: 2}\npreemptive: {checkpoints: {store_gbps: 50}}"
    engine = engine_of(tmp_path, text)
    assert engine.plain.checkpoint_store == CheckpointStore(node_gbps=2)
    assert engine.preemptive.checkpoint_store == CheckpointStore(node_gbps=2, store_gbps=50)
    assert engine.plain.checkpoint_rule == engine.preemptive.checkpoint_rule == "young"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("failures: {preset: llama}", "key 'preset': expected one of published, rsc-1, rsc-2, got 'llama'"),
        ("failures: {preset: [rsc-1]}", "key 'preset': expected one of published, rsc-1, rsc-2, got ['rsc-1']"),
        ("failures: {gpu: {mtbf: 4}}", "key 'mtbf': unknown key: did you mean 'mtbf_h'?"),
        ("failures: {gpu: {mtbf_h: 0}}", "key 'mtbf_h': expected a number above 0, got 0"),
        ("failures: {gpu: {mtbf_h: 4, per_hour: 1}}", "key 'gpu': expected per_hour or mtbf_h, not both"),
        ("failures: {gpu: {burn_in: 0.5}}", "key 'burn_in': expected a number of at least 1, got 0.5"),
        ("failures: {gpus: {}}", "key 'gpus': unknown key: did you mean 'gpu'?"),
        ("failures: {gpu_takes: rack}", "key 'gpu_takes': expected 'gpu', 'node' or 'reset', got 'rack'"),
        ("failures: {scale: -1}", "key 'scale': expected a number of at least 0, got -1"),
        ("failures: {stragglers: {share: 2}}", "key 'share': expected a number of at most 1, got 2"),
        ("failures: true", "key 'failures': expected keys with values, got True"),
        ("preemptive: {failures: {}}", "key 'failures': unknown key; known: "),
        ("checkpoints: {rule: best}", "key 'rule': expected 'none', 'young' or 'daly', got 'best'"),
        ("checkpoints: {node_gbps: 0}", "key 'node_gbps': expected a number above 0, got 0"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        engine_of(tmp_path, text)
    assert f"mine.yaml, line 1, {told}" in str(error.value)
