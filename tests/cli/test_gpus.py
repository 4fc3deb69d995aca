"""`goodwatt gpus`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from goodwatt.cli.gpus import app
from goodwatt.cluster.catalogue import kind_names
from goodwatt.errors import InputError


def run(*args: str) -> str:
    result = CliRunner().invoke(app, args, env={"COLUMNS": "100"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_names_every_kind_and_marks_assumptions() -> None:
    text = run("list")
    assert all(name in text for name in kind_names())
    line = next(line for line in text.splitlines() if "H100-SXM" in line)
    assert "~441" in line


def test_list_as_json() -> None:
    rows = json.loads(run("list", "--json"))
    assert [row["name"] for row in rows] == list(kind_names())


def test_show_gives_the_source_of_every_figure() -> None:
    text = run("show", "h200")
    assert "H200-SXM (Hopper), also known as NVIDIA-H200" in text
    assert "h200_measured" in text
    assert "483 W" in text


def test_show_as_json() -> None:
    kind = json.loads(run("show", "NVIDIA-A40", "--json"))
    assert (kind["name"], kind["max_w"]) == ("A40", 300.0)
    assert kind["sources"]["active_w"].startswith("zeus_power")


def test_show_draws_time_power_and_energy() -> None:
    text = run("show", "H200")
    assert "dense GEMM, SM clock 345 to 1980 MHz" in text
    assert "dense GEMM, power cap 200 to 700 W" in text
    assert "least at" in text


def test_show_draws_a_workload_class() -> None:
    text = run("show", "H200", "--workload", "llm_decode")
    assert "llm_decode, SM clock" in text
    assert "dense GEMM" not in text


def test_the_json_has_the_curves() -> None:
    curves = json.loads(run("show", "H200", "--json"))["curves"]
    gemm = next(c for c in curves if c["workload"] == "dense GEMM")["by_clock_mhz"]
    assert gemm["settings"][-1] == 1980.0
    assert gemm["time"][-1] == 1.0
    assert gemm["energy"][-1] == 1.0
    assert min(gemm["energy"]) < 1.0


def test_an_unknown_workload_is_an_input_error() -> None:
    with pytest.raises(InputError, match="did you mean 'llm_decode'"):
        run("show", "H200", "--workload", "llm_decod")


def test_an_ambiguous_name_is_an_input_error() -> None:
    with pytest.raises(InputError, match="write one of them"):
        run("show", "H100")
