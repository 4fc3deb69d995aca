"""`goodwatt workloads`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from goodwatt.cli.workloads import app
from goodwatt.errors import InputError
from goodwatt.power.workloads.catalogue import class_names


def run(*args: str) -> str:
    result = CliRunner().invoke(app, args, env={"COLUMNS": "80"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_names_every_class_within_80_columns() -> None:
    text = run("list")
    assert all(name in text for name in class_names())
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_list_as_json() -> None:
    assert [row["name"] for row in json.loads(run("list", "--json"))] == list(class_names())


def test_show_tells_phases_kinds_and_sources() -> None:
    text = run("show", "llama2_70b_chat")
    assert all(word in text for word in ("prefill", "decode", "H100-SXM", "llm_perf_models", "speed derived"))
    assert "P100-PCIE" not in text  # it does not fit there


def test_show_as_json() -> None:
    shown = json.loads(run("show", "resnet50_imagenet", "--json"))
    on = {row["gpu"]: row for row in shown["on"]}
    assert on["V100-PCIE"]["speed"] == 1.0
    assert on["A40"]["measured"]
    assert not on["H100-SXM"]["measured"]


def test_an_unknown_class_is_an_input_error() -> None:
    with pytest.raises(InputError, match="did you mean 'bert_train'"):
        run("show", "bert_trai")
