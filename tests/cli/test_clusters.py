"""`goodwatt clusters`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from goodwatt.cli.clusters import app
from goodwatt.cluster.cluster_file import cluster_from_text
from goodwatt.cluster.presets import load_cluster, preset_names
from goodwatt.errors import UnknownNameError


def run(*args: str) -> str:
    result = CliRunner().invoke(app, args, env={"COLUMNS": "100"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_names_every_preset() -> None:
    text = run("list")
    assert all(name in text for name in preset_names())


def test_list_as_json() -> None:
    rows = json.loads(run("list", "--json"))
    assert {key: row[key] for row in rows if row["name"] == "philly-480" for key in ("name", "nodes", "gpus")} == {
        "name": "philly-480",
        "nodes": 60,
        "gpus": 480,
    }


@pytest.mark.parametrize("name", [*preset_names(), "generated:gpus=12,gpu=T4"])
def test_show_prints_any_cluster(name: str) -> None:
    text = run("show", name)
    assert name in text
    assert "facility, PUE" in text
    assert "fingerprint" in text


def test_show_says_what_is_not_known_and_where_figures_come_from() -> None:
    text = run("show", "openb")
    assert "Without 4,704 GPUs of undisclosed kinds" in text
    assert "cluster-trace-gpu-v2023" in text


def test_show_prints_partitions_quotas_and_racks(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    text = """
        nodes: [{gpu: T4, gpus: 2, count: 3, partition: "[bold]", nodes_per_rack: 2}, {gpu: A10, gpus: 1}]
        racks: [{name: rack-001, power_limit_w: 5000}]
        quotas: {users: {"*": 4, eve: 1.5}, partitions: {"[bold]": 5}}
        """
    path.write_text(text, encoding="utf-8")
    shown = run("show", str(path))
    for part in ("[bold]", "eve", "1.5", "5.0 kW", "none"):
        assert part in shown


def test_show_as_json() -> None:
    seen = json.loads(run("show", "nvl72-4", "--json"))
    assert (seen["nodes"], seen["gpus"], seen["shapes"][0]["nvlink_domain"]) == (72, 288, 72)
    assert seen["it_power"]["idle_w"] == 288 * 155 + 72 * 600
    assert seen["racks"] == [{"racks": 4, "nodes": 18, "power_limit_w": 120000.0, "feeds": 2}]


def test_show_as_a_file_to_start_from() -> None:
    text = run("show", "philly-480", "--yaml")
    assert cluster_from_text(text, "copy.yaml") == load_cluster("philly-480")


def test_an_unknown_name_is_an_input_error() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'venus'"):
        run("show", "venux")
