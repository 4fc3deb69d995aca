"""How `goodwatt bounds` prints: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import typer
from rich import box
from rich.table import Table

from goodwatt.cli.summary_view import energy_unit
from goodwatt.cli.terminal import console
from goodwatt.errors import InputError

HOUR_S = 3600.0
NAMES = {"floor": "energy floor", "relaxation": "relaxation"}


def check_writable(out: Path) -> None:
    """Refuse a file that cannot be written before the work begins, not after it; what is there stays. InputError."""
    there = out.exists()
    try:
        out.open("ab").close()
        if not there:
            out.unlink()
    except OSError as error:
        raise InputError(f"--out {out}: expected a file to write to, got {error.strerror or error}") from None


def show(found: Mapping[str, Any], out: Path | None, as_json: bool) -> None:
    """Print bounds, and write them to a file if one is named."""
    text = orjson.dumps(found, option=orjson.OPT_INDENT_2)
    if out is not None:
        out.write_bytes(text + b"\n")
    if as_json:
        typer.echo(text.decode())
        return
    screen = console()
    for part in (_title(found), _table(found), *_notes(found)):
        screen.print(part)


def _title(found: Mapping[str, Any]) -> str:
    world = f"{found['physics']} physics" + (f", truth {found['truth']}" if found["truth"] else "")
    offered, most = found["offered_work_gpu_s"], found["most_work_gpu_s"]
    share = f", {most / offered:.1%} of what is offered" if offered > 0.0 else ""
    return (
        f"[bold]{found['trace']} on {found['cluster']}[/bold]: {found['jobs']:,} jobs, {found['gpus']:,} GPUs, "
        f"{found['span_s'] / HOUR_S:,.1f} h, {world}\n"
        f"at most {hours(most)} GPU-h of work can be done{share}"
    )


def hours(seconds: float) -> str:
    """Hours with as many digits as say something."""
    return f"{seconds / HOUR_S:,.0f}" if seconds >= 100 * HOUR_S else f"{seconds / HOUR_S:,.3g}"


def _table(found: Mapping[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("bound", no_wrap=True)
    table.add_column("nodes", no_wrap=True)
    size, unit = energy_unit(found["awake"]["relaxation"]["it"]["energy_j"])
    for title in (f"IT {unit}\nat least", f"GPU {unit}\nat least", "work/kJ\nIT", "work/kJ\nGPU"):
        table.add_column(title, justify="right")
    for name, words in NAMES.items():
        for nodes, state in (("awake", "stay awake"), ("sleeping", "may sleep")):
            table.add_row(words, state, *_cells(found, found[nodes][name], size))
    return table


def _cells(found: Mapping[str, Any], curves: Mapping[str, Any], unit_j: float) -> list[str]:
    if found["gpus_without_energy"]:
        return ["-"] * 4
    joules = [f"{curves[scope]['energy_j'] / unit_j:,.3f}" for scope in ("it", "gpu")]
    best = [curves[scope]["goodput_per_watt"] for scope in ("it", "gpu")]
    return [*joules, *("-" if value is None else f"{value:,.3f}" for value in best)]


def _notes(found: Mapping[str, Any]) -> list[str]:
    notes = [
        "Energy: for the most work that can be done; work/kJ: at whatever amount of work is best. "
        "A run is held against the least energy for its own work."
    ]
    if found["budget_w"] is not None and not found["most_work_gpu_s"]:
        notes.append(f"Nothing can run within {found['budget_w']:,g} W: the cluster draws more while it sleeps.")
    if found["gpus_without_energy"]:
        notes.append(f"{found['gpus_without_energy']:,} GPUs are of kinds without known power: no bound on energy.")
    if found["residents"] == 1:
        notes.append("Holds for policies that share no whole GPU between jobs; --residents N for those that do.")
    if found["truth"] == "residual":
        notes.append(f"Knows what seed {found['seed']} has drawn for every job and chip, which no policy can.")
    notes.append("Holds without failures and maintenance: what is down draws nothing.")
    return notes
