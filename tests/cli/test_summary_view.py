"""How the summary of a run reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from goodwatt.cli.summary_view import show
from goodwatt.cluster.cluster import HostPower
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.run_options import RunOptions
from tests.scenario import Nodes, cluster, job, simulate


def summary_of(
    *jobs: Any, policy: str = "fifo", kind: str = "V100", physics: str = "full", **more: Any
) -> dict[str, Any]:
    on = cluster(Nodes(1, kind=kind), power=HostPower(pue=1.25, host_idle_w=100.0, host_max_w=200.0))
    sim = simulate(jobs, on, policy, options=RunOptions(physics=physics))
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
    assert line(text, "completion time") == "mean 2.01, p50 2.01, p95 2.02, p99 2.02 h"
    assert line(text, "queueing") == "mean 1.00, p50 1.00, p95 1.90, p99 1.98 h"
    assert line(text, "GPUs in use") == "100.0%"
    assert line(text, "slowdown p99") == "119.8"
    assert line(text, "work") == "16 GPU-h, 0.0 GPU-h lost"
    assert line(text, "stretch").startswith("1.000 x")
    for absent in ("over budget", "refused", "lost GPU time", "energy cost", "CO2", "failures"):
        assert absent not in text
    assert "energy unknown" not in text


@pytest.mark.parametrize(
    ("more", "title"),
    [
        ({}, "srtf on test, 8 GPUs (oracle)"),
        ({"partial": True}, "srtf on test, 8 GPUs (oracle) (partial)"),
        ({"gpus": 100_000, "oracle": False}, "srtf on test, 100,000 GPUs"),
        ({"power": "static", "oracle": False}, "srtf / static on test, 8 GPUs"),
        ({"physics": "ideal", "oracle": False}, "srtf on test, 8 GPUs (ideal physics)"),
    ],
)
def test_marks_stand_in_the_title(more: dict[str, Any], title: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(summary_of(job("a"), policy="srtf", **more), capsys)
    assert text.splitlines()[0] == title


def test_a_run_without_jobs_has_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(summary_of(), capsys)
    assert line(text, "jobs") == "0, 0 finished"
    assert line(text, "completion time") == "mean -, p50 -, p95 -, p99 - s"
    assert line(text, "work per kJ") == "GPUs -, IT -"


def test_what_needs_attention_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    more: dict[str, Any] = {"unfinished": 1200, "refused": 3, "refused_decisions": 7, "over_budget_s": 1800.0}
    text = shown(summary_of(job("a"), kind="secret", **more), capsys)
    assert line(text, "jobs") == "1, 1 finished, 1,200 unfinished, 3 refused"
    assert line(text, "decisions refused") == "7 (refusals.csv)"
    assert line(text, "over budget") == "0.50 h"
    assert line(text, "energy unknown") == "8 GPUs of kinds without published power"
    assert line(text, "work per kJ") == "GPUs -, IT -"


def test_one_row_has_one_unit(capsys: pytest.CaptureFixture[str]) -> None:
    quick = shown(summary_of(job("a", duration_s=50.0)), capsys)
    assert line(quick, "completion time") == "mean 50, p50 50, p95 50, p99 50 s"
    more: dict[str, Any] = {"gpu_energy_j": 3.6e9, "it_energy_j": 7.2e9, "facility_energy_j": 9e9}
    assert line(shown(summary_of(job("a"), **more), capsys), "energy, MWh") == "GPUs 1.00, IT 2.00, facility 2.50"


def test_where_each_joule_went_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(summary_of(job("a", gpus=4, duration_s=50.0), kind="V100"), capsys)
    shares = dict(part.rsplit(" ", 1) for part in line(text, "  of which").split(", "))
    assert {"idle GPUs", "GPUs held", "SMs", "hosts", "cooling"} <= shares.keys()
    assert shares["cooling"] == "20.0%"
    assert sum(float(share.rstrip("%")) for share in shares.values()) == pytest.approx(100, abs=0.5)
    assert line(text, "mean clock").endswith(" MHz")


def test_what_was_lost_and_what_it_cost_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    more: dict[str, Any] = {"productive_gpu_s": 900.0, "slow_clock_gpu_s": 50.0, "redone_gpu_s": 50.0}
    more |= {"component_failures": 2, "job_failures": 3, "energy_cost": 12.345, "co2_kg": 6.0}
    text = shown(summary_of(job("a"), currency="EUR", **more), capsys)
    assert line(text, "lost GPU time") == "lost work 5.0%, slow clocks 5.0%"
    assert line(text, "failures") == "2 of components, jobs stopped 3 times"
    assert line(text, "energy cost") == "12.35 EUR"
    assert line(text, "CO2") == "6.0 kg"


def test_json_is_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    summary = summary_of(job("a"))
    assert orjson.loads(shown(summary, capsys, as_json=True)) == summary


def test_the_report_is_pointed_to(capsys: pytest.CaptureFixture[str]) -> None:
    show(summary_of(job("a")), Path("folder"), report=True, as_json=False)
    assert capsys.readouterr().err == "goodwatt: wrote folder/report.html\n"
