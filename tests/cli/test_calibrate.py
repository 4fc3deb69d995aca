"""`goodwatt calibrate`, on the fake GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from goodwatt.cli.main import app
from goodwatt.cluster.gpu_schema import GpuKindFile
from goodwatt.errors import GoodwattError, InputError, RunError, UnknownNameError

FAKE = ("--fake", "H200-SXM")


def call(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, ["calibrate", *words], input=answer, env={"COLUMNS": "120"}, catch_exceptions=False)


def test_it_prints_what_it_saw_and_what_not() -> None:
    result = call(*FAKE)
    assert result.exit_code == 0
    assert "context_w" in result.stdout
    assert "Not seen here: chip_spread, knee_mhz" in result.stdout
    assert "gemm" in result.stderr


def test_a_sweep_writes_an_entry_that_the_catalogue_takes(tmp_path: Path) -> None:
    out, raw = tmp_path / "entry.yaml", tmp_path / "raw.json"
    result = call(*FAKE, "--sweep", "--yes", "--journal", str(tmp_path), "--out", str(out), "--raw", str(raw))
    assert result.exit_code == 0
    assert "clock sensitivity: gemm 1.00, copy 0.00" in result.stdout
    GpuKindFile.model_validate(yaml.safe_load(out.read_text()))
    assert len(json.loads(raw.read_text())["measurements"]) == 7 + 12 * 6
    assert not list(tmp_path.glob("FAKE*"))


def test_json_carries_every_figure_with_how_it_came_about() -> None:
    told = json.loads(call(*FAKE, "--json").stdout)
    assert told["power"]["knee_mhz"]["seen"] is False
    assert told["idle_w"]["seen"] is True
    assert len(told["measurements"]) == 7


def test_a_sweep_asks_first_and_takes_no_for_an_answer(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not agreed"):
        call(*FAKE, "--sweep", "--journal", str(tmp_path), answer="n\n")
    assert call(*FAKE, "--sweep", "--journal", str(tmp_path), answer="y\n").exit_code == 0


def test_restore_without_a_journal_says_so(tmp_path: Path) -> None:
    assert "nothing to restore" in call(*FAKE, "--restore", "--journal", str(tmp_path)).stderr


@pytest.mark.parametrize("words", [("--restore",), ()])
def test_a_journal_that_a_crash_left_is_acted_on_at_the_next_start(tmp_path: Path, words: tuple[str, ...]) -> None:
    journal = tmp_path / "FAKE-H200-SXM.json"
    journal.write_text('{"uuid": "FAKE-H200-SXM", "name": "x", "cap_w": 600.0, "clock_mhz": null}\n')
    result = call(*FAKE, *words, "--journal", str(tmp_path))
    assert "put back what an interrupted sweep left: no clock lock, a cap of 600 W" in result.stderr
    assert not journal.exists()


@pytest.mark.parametrize(
    ("words", "expected"), [(("--fake", "H2OO"), UnknownNameError), ((*FAKE, "--like", "nothing"), InputError)]
)
def test_wrong_input(words: tuple[str, ...], expected: type[GoodwattError]) -> None:
    with pytest.raises(expected):
        call(*words)


def test_a_kind_unlike_the_gpu_lends_what_is_not_seen(tmp_path: Path) -> None:
    out = tmp_path / "entry.yaml"
    assert call(*FAKE, "--like", "A100-SXM4-80GB", "--out", str(out)).exit_code == 0
    content = yaml.safe_load(out.read_text())
    assert content["name"] == "NVIDIA-H200"
    assert "as A100-SXM4-80GB" in content["power_model"]["sources"]["knee_mhz"]
