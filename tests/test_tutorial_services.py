"""The tutorial about services: its files are as they stand there, its commands run in its order, its claims hold."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_readme_commands import commands

PAGE = Path(__file__).parents[1] / "docs" / "tutorial" / "services.md"
TITLED = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files are and all commands have run."""
    found, text = tmp_path_factory.mktemp("tutorial"), PAGE.read_text("utf-8")
    for name, content in TITLED.findall(text):
        (found / name).write_text(content, encoding="utf-8")
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for line in commands(text):
        call = ["bash", "-c", line]
        done = subprocess.run(call, cwd=found, env=env, capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    return found


def summary(folder: Path, run: str) -> dict[str, float]:
    found: dict[str, float] = json.loads((folder / "runs" / run / "summary.json").read_text("utf-8"))
    return found


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_files_and_commands_are_found() -> None:
    text = PAGE.read_text("utf-8")
    assert {name for name, _ in TITLED.findall(text)} == {"services.yaml", "one-node.yaml", "jobs.csv"}
    assert len(list(commands(text))) == 3


def test_four_instances_run_all_the_time_alone(folder: Path) -> None:
    alone = summary(folder, "alone")
    assert (alone["mean_replicas"], alone["jobs"]) == (4.0, 0)
    assert alone["minutes_kept"] == 1.0
    assert (folder / "runs" / "alone" / "report.html").exists()


def test_a_job_waits_for_another_beside_the_service(folder: Path) -> None:
    jobs = {row["job_id"]: row for row in rows(folder / "runs" / "beside" / "jobs.csv")}
    assert float(jobs["b"]["start_s"]) >= float(jobs["a"]["end_s"])
    assert "chat/0" in {row["job_id"] for row in rows(folder / "runs" / "beside" / "stays.csv")}


def test_fewer_instances_keep_the_promise_with_more_tokens_per_joule(folder: Path) -> None:
    fixed, reactive = rows(folder / "runs" / "compared" / "comparison.csv")
    assert (fixed["service_policy"], reactive["service_policy"]) == ("fixed", "reactive")
    assert float(reactive["minutes_kept"]) >= 0.99
    assert float(reactive["mean_replicas"]) < float(fixed["mean_replicas"])
    for field in ("tokens_per_joule_it", "goodput_per_watt_it"):
        assert float(reactive[field]) > float(fixed[field]), field
    assert float(reactive["mean_jct_s"]) < float(fixed["mean_jct_s"])
