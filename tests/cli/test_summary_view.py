"""How the summary of a run reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from goodwatt.cli.summary_view import show
from goodwatt.simulator.run import result
from tests.scenario import Nodes, cluster, job, simulate


def summary_of(*jobs: Any, policy: str = "fifo", kind: str = "small", **more: Any) -> dict[str, Any]:
    sim = simulate(jobs, cluster(Nodes(1, kind=kind)), policy)
    sim.run()
    return {**result(sim).summary, **more}


def shown(summary: dict[str, Any], capsys: pytest.CaptureFixture[str], as_json: bool = False) -> str:
    show(summary, Path("folder"), report=False, as_json=as_json)
    out, err = capsys.readouterr()
    assert err == "goodwatt: wrote folder\n"
    return out


def line(text: str, name: str) -> str:
    return next(line.split("  ")[-1].strip() for line in text.splitlines() if line.startswith(f"  {name}"))


def test_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(summary_of(job("a", gpus=8, duration_s=7200), job("b", gpus=8, duration_s=60)), capsys)
    assert text.startswith("fifo on test, 8 GPUs\n")
    assert line(text, "jobs") == "2, 2 finished"
    assert line(text, "completion time") == "mean 2.0 h, p50 2.0 h, p95 2.0 h, p99 2.0 h"
    assert line(text, "queueing") == "mean 1.0 h, p50 1.0 h, p95 1.9 h, p99 2.0 h"
    assert line(text, "GPUs in use") == "100.0%"
    assert line(text, "slowdown p99") == "119.8"
    assert line(text, "work") == "16 GPU-h, 0.0 GPU-h lost"
    assert "over budget" not in text
    assert "refused" not in text
    assert "energy unknown" not in text


@pytest.mark.parametrize(
    ("more", "title"),
    [
        ({}, "srtf on test, 8 GPUs (oracle)"),
        ({"partial": True}, "srtf on test, 8 GPUs (oracle) (partial)"),
        ({"gpus": 100_000, "oracle": False}, "srtf on test, 100,000 GPUs"),
    ],
)
def test_marks_stand_in_the_title(more: dict[str, Any], title: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(summary_of(job("a"), policy="srtf", **more), capsys)
    assert text.splitlines()[0] == title


def test_a_run_without_jobs_has_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(summary_of(), capsys)
    assert line(text, "jobs") == "0, 0 finished"
    assert line(text, "completion time") == "mean -, p50 -, p95 -, p99 -"
    assert line(text, "work per kJ") == "GPUs -, IT -"


def test_what_needs_attention_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    more: dict[str, Any] = {"unfinished": 1200, "refused": 3, "refused_decisions": 7, "over_budget_s": 1800.0}
    text = shown(summary_of(job("a"), kind="secret", **more), capsys)
    assert line(text, "jobs") == "1, 1 finished, 1,200 unfinished, 3 refused"
    assert line(text, "decisions refused") == "7 (refusals.csv)"
    assert line(text, "over budget") == "0.50 h"
    assert line(text, "energy unknown") == "8 GPUs of kinds without published power"
    assert line(text, "work per kJ") == "GPUs -, IT -"


def test_json_is_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    summary = summary_of(job("a"))
    assert orjson.loads(shown(summary, capsys, as_json=True)) == summary


def test_the_report_is_pointed_to(capsys: pytest.CaptureFixture[str]) -> None:
    show(summary_of(job("a")), Path("folder"), report=True, as_json=False)
    assert capsys.readouterr().err == "goodwatt: wrote folder/report.html\n"
