"""How the summary of one run is printed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import typer

HOUR_S, MWH_J = 3600.0, 3.6e9

Line = tuple[str, str]


def show(summary: Mapping[str, Any], folder: Path, report: bool, as_json: bool) -> None:
    """Print the summary on stdout, and on stderr where the files are."""
    if as_json:
        typer.echo(orjson.dumps(summary, option=orjson.OPT_INDENT_2).decode())
    else:
        typer.echo("\n".join(_text(summary)))
    typer.echo(f"goodwatt: wrote {folder / 'report.html' if report else folder}", err=True)


def _text(summary: Mapping[str, Any]) -> list[str]:
    title = f"{summary['policy']} on {summary['cluster']}, {summary['gpus']:,} GPUs"
    marks = [name for name in ("oracle", "partial") if summary.get(name)]
    lines = [*_jobs(summary), *_use(summary), *_energy(summary)]
    width = max(len(name) for name, _ in lines)
    return [title + "".join(f" ({mark})" for mark in marks), *(f"  {name:<{width}}  {text}" for name, text in lines)]


def _jobs(s: Mapping[str, Any]) -> list[Line]:
    extra = [f"{s[key]:,} {key}" for key in ("unfinished", "refused") if s[key]]
    return [
        ("jobs", f"{s['jobs']:,}, {s['finished']:,} finished" + "".join(f", {text}" for text in extra)),
        ("completion time", _spread(s, "jct_s")),
        ("queueing", _spread(s, "queueing_s")),
        ("slowdown p99", _number(s["p99_slowdown"], ",.1f")),
        ("makespan", f"{s['makespan_s'] / HOUR_S:,.1f} h"),
    ]


def _use(s: Mapping[str, Any]) -> list[Line]:
    lines = [
        ("GPUs in use", _number(s["utilisation"], ".1%")),
        ("fragmentation", _number(s["fragmentation"], ".1%")),
        ("preemptions", f"{s['preemptions']:,}"),
    ]
    if s["refused_decisions"]:
        lines.append(("decisions refused", f"{s['refused_decisions']:,} (refusals.csv)"))
    return lines


def _energy(s: Mapping[str, Any]) -> list[Line]:
    lines = [
        ("work", f"{s['work_gpu_s'] / HOUR_S:,.0f} GPU-h, {s['lost_work_gpu_s'] / HOUR_S:,.1f} GPU-h lost"),
        ("energy", f"GPUs {s['gpu_energy_j'] / MWH_J:,.3f} MWh, IT {s['it_energy_j'] / MWH_J:,.3f} MWh"),
        (
            "work per kJ",
            f"GPUs {_number(s['goodput_per_watt_gpu'], ',.3f')}, IT {_number(s['goodput_per_watt_it'], ',.3f')}",
        ),
        ("power", f"mean {_number(s['mean_power_w'], ',.0f')} W, peak {s['peak_power_w']:,.0f} W"),
    ]
    if s["over_budget_s"]:
        lines.append(("over budget", f"{s['over_budget_s'] / HOUR_S:,.2f} h"))
    if s["gpus_without_energy"]:
        lines.append(("energy unknown", f"{s['gpus_without_energy']:,} GPUs of kinds without published power"))
    return lines


def _spread(s: Mapping[str, Any], name: str) -> str:
    parts = (
        (word, s[f"{key}_{name}"]) for word, key in (("mean", "mean"), ("p50", "p50"), ("p95", "p95"), ("p99", "p99"))
    )
    return ", ".join(f"{word} {_duration(value)}" for word, value in parts)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:,.0f} s" if seconds < HOUR_S else f"{seconds / HOUR_S:,.1f} h"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
