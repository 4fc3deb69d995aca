"""How `goodwatt predict` prints: a table for people, JSON for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from rich import box
from rich.markup import escape
from rich.table import Table

from goodwatt.cli.terminal import console
from goodwatt.power.telemetry.prediction import JobPrediction, Prediction

BOUNDS = {
    "none": "no limit binds",
    "clock": "bound by the locked clock",
    "cap": "bound by the power cap",
    "violated": "the cap cannot be met: even the lowest clock draws more",
}


MEASURED_ON = {"timeslice": "H200-SXM", "mps": "H200-SXM", "mig": "A100-SXM4-40GB"}
"""The kind whose runs the errors of a mode are of."""


def show(found: Prediction, as_json: bool) -> None:
    """Print a prediction."""
    if as_json:
        print(orjson.dumps(prediction_json(found), option=orjson.OPT_INDENT_2).decode())
        return
    screen = console()
    for part in (_title(found), _table(found), *_notes(found)):
        screen.print(part)


def prediction_json(found: Prediction) -> dict[str, Any]:
    """The content of --json: speeds relative to alone at the default clock, watts, the clock and what binds."""
    point = found.point
    return {
        "gpu": found.gpu,
        "mode": found.mode,
        "jobs": [asdict(job) for job in found.jobs],
        "power_w": point.watts,
        "power_error_w": found.watts_error,
        "clock_mhz": point.clock_mhz,
        "bound_by": point.bound_by,
        "together": found.together,
        "energy_ratio": found.energy_ratio,
        "power_parts_w": {
            "idle": point.idle_w,
            "context": point.context_w,
            "sm": point.sm_w,
            "dram": point.dram_w,
        },
    }


def _title(found: Prediction) -> str:
    point = found.point
    watts = f"{point.watts:,.0f} ± {found.watts_error:,.0f} W"
    return f"[bold]{found.gpu}[/bold], {found.mode}: {watts} at {point.clock_mhz:,.0f} MHz, {BOUNDS[point.bound_by]}"


def _table(found: Prediction) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("job", overflow="fold")
    for title in ("speed", "work/s", "alone W"):
        table.add_column(title, justify="right", no_wrap=True)
    for job in found.jobs:
        table.add_row(escape(job.job), *_cells(job))
    return table


def _cells(job: JobPrediction) -> tuple[str, ...]:
    work = "-"
    if job.work is not None and job.work_error is not None:
        work = f"{_with_error(job.work, job.work_error)}{'' if job.measured else '*'}"
    return _with_error(job.speed, job.speed_error), work, f"{job.alone_w:,.0f}"


def _with_error(value: float, error: float) -> str:
    return f"{value:.2f} ± {error:.2f}" if error >= 0.005 else f"{value:.2f}"


def _notes(found: Prediction) -> list[str]:
    notes = ["speed: relative to alone at the default clock; work/s: reference GPU-seconds per second."]
    if len(found.jobs) > 1:
        notes.append(f"Together {found.together:.2f} times the work of one job alone at a time.")
    change = 100.0 * (found.energy_ratio - 1.0)
    than = "one after the other" if len(found.jobs) > 1 else "alone"
    notes.append(f"Joules for the same work: {change:+.0f}% against {than} at the default clock.")
    if any(not job.measured for job in found.jobs):
        notes.append("* derived from peak rates: nobody measured the class on this kind; a quarter off in the median.")
    if found.gpu != MEASURED_ON.get(found.mode, found.gpu):
        notes.append(f"Sharing was measured on {MEASURED_ON[found.mode]}: on {found.gpu} the error may be larger.")
    notes.append("±: standard deviation of the model's error on runs that its fits had not seen (docs: fidelity).")
    return notes
