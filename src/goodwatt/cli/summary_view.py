"""How the summary of one run is printed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import typer

HOUR_S = 3600.0
ENERGY_UNITS = ((3.6e9, "MWh"), (3.6e6, "kWh"), (3.6e3, "Wh"))
TIMES = (("mean", "mean"), ("p50", "p50"), ("p95", "p95"), ("p99", "p99"))
JOULES = (
    ("idle", "idle GPUs"), ("held", "GPUs held"), ("sm", "SMs"), ("dram", "DRAM"), ("host", "hosts"),
    ("loss", "supplies"), ("asleep", "asleep"), ("cooling", "cooling"),
)  # fmt: skip
LOST = (
    ("restart", "restarts"), ("redone", "lost work"), ("checkpoint", "checkpoints"), ("slow_clock", "slow clocks"),
    ("interference", "neighbours"), ("communication", "network"), ("straggler", "stragglers"),
)  # fmt: skip

Line = tuple[str, str]


def show(summary: Mapping[str, Any], folder: Path, report: bool, as_json: bool) -> None:
    """Print the summary on stdout, and on stderr where the files are."""
    if as_json:
        typer.echo(orjson.dumps(summary, option=orjson.OPT_INDENT_2).decode())
    else:
        typer.echo("\n".join(_text(summary)))
    typer.echo(f"goodwatt: wrote {folder / 'report.html' if report else folder}", err=True)


def _text(summary: Mapping[str, Any]) -> list[str]:
    services = f" / {summary['service_policy']}" if summary.get("services") else ""
    power = "" if summary["power"] == "default" else f" / {summary['power']}"
    title = f"{summary['policy']}{services}{power} on {summary['cluster']}, {summary['gpus']:,} GPUs"
    marks = [name for name in ("oracle", "partial") if summary.get(name)]
    marks += ["ideal physics"] if summary["physics"] == "ideal" else []
    jobs = _jobs(summary) if summary["jobs"] or not summary.get("services") else []
    lines = [*jobs, *_services(summary), *_use(summary), *_lost(summary), *_energy(summary)]
    width = max(len(name) for name, _ in lines)
    return [title + "".join(f" ({mark})" for mark in marks), *(f"  {name:<{width}}  {text}" for name, text in lines)]


def _jobs(s: Mapping[str, Any]) -> list[Line]:
    extra = [f"{s[key]:,} {key}" for key in ("unfinished", "refused") if s[key]]
    return [
        ("jobs", f"{s['jobs']:,}, {s['finished']:,} finished" + "".join(f", {text}" for text in extra)),
        ("completion time", _spread(s, "jct_s")),
        ("queueing", _spread(s, "queueing_s")),
        ("slowdown p99", _number(s["p99_slowdown"], ",.1f")),
        ("stretch", _number(s["work_weighted_stretch"], ",.3f") + " x the time alone at full clock, by work"),
        ("makespan", f"{s['makespan_s'] / HOUR_S:,.1f} h"),
    ]


def _services(s: Mapping[str, Any]) -> list[Line]:
    """A few lines for each service; what is promised stands in the services file."""
    return [line for name, facts in s.get("services", {}).items() for line in _service(name, facts)]


def _service(name: str, s: Mapping[str, Any]) -> list[Line]:
    kept = f"{_number(s['attainment'], '.2%')} on time, {_number(s['minutes_kept'], '.2%')} of minutes kept"
    times = (("TTFT", "ttft", 1e3, "ms"), ("TPOT", "tpot", 1e3, "ms"), ("latency", "latency", 1.0, "s"))
    late = (f"{word} {_scaled(s[f'p99_{key}_s'], size, ',.3g')} {unit}" for word, key, size, unit in times)
    instances = f"{_number(s['mean_replicas'], ',.2f')} on average, {s['most_replicas']} at most"
    use = f"busy {_number(s['busy'], '.0%')}, clock {_number(s['mean_clock_mhz'], ',.0f')} MHz"
    per_joule = f"GPUs {_number(s['tokens_per_joule_gpu'], ',.3g')}, IT {_number(s['tokens_per_joule_it'], ',.3g')}"
    return [
        (f"service {name}", f"{s['requests']:,} requests, {kept}"),
        ("  p99", ", ".join(late)),
        ("  instances", f"{instances}, {use}"),
        ("  tokens per joule", per_joule),
    ]


def _use(s: Mapping[str, Any]) -> list[Line]:
    lines = [
        ("GPUs in use", _number(s["utilisation"], ".1%")),
        ("fragmentation", _number(s["fragmentation"], ".1%")),
        ("preemptions", f"{s['preemptions']:,}"),
    ]
    if s["mean_clock_mhz"] is not None:
        lines.append(("mean clock", f"{s['mean_clock_mhz']:,.0f} MHz"))
    if s["component_failures"]:
        lines.append(
            ("failures", f"{s['component_failures']:,} of components, jobs stopped {s['job_failures']:,} times")
        )
    if s["refused_decisions"]:
        lines.append(("decisions refused", f"{s['refused_decisions']:,} (refusals.csv)"))
    return lines


def _lost(s: Mapping[str, Any]) -> list[Line]:
    """What of the GPU time that jobs held was lost, and to what; nothing where nothing was."""
    held = sum(s[f"{part}_gpu_s"] for part in ("productive", *dict(LOST)))
    parts = [(word, s[f"{part}_gpu_s"] / held) for part, word in LOST if held and s[f"{part}_gpu_s"] / held >= 0.0005]
    return [("lost GPU time", ", ".join(f"{word} {share:.1%}" for word, share in parts))] if parts else []


def _energy(s: Mapping[str, Any]) -> list[Line]:
    size, unit = energy_unit(s["facility_energy_j"])
    whole = (("GPUs", "gpu"), ("IT", "it"), ("facility", "facility"))
    per_kj = (("GPUs", "goodput_per_watt_gpu"), ("IT", "goodput_per_watt_it"))
    both = ", jobs and services" if s.get("services") else ""
    lines = [
        ("work", _work(s)),
        (f"energy, {unit}", ", ".join(f"{word} {s[f'{key}_energy_j'] / size:,.2f}" for word, key in whole)),
        ("  of which", ", ".join(_shares(s))),
        (f"work per kJ{both}", ", ".join(f"{word} {_number(s[key], ',.3f')}" for word, key in per_kj)),
        ("power, kW", f"mean {_kilo(s['mean_power_w'])}, peak {_kilo(s['peak_power_w'])}"),
    ]
    if s["energy_cost"] is not None:
        lines.append(("energy cost", f"{s['energy_cost']:,.2f} {s['currency']}".rstrip()))
    if s["co2_kg"] is not None:
        lines.append(("CO2", f"{s['co2_kg']:,.1f} kg"))
    if s["over_budget_s"]:
        lines.append(("over budget", f"{s['over_budget_s'] / HOUR_S:,.2f} h"))
    if s["gpus_without_energy"]:
        lines.append(("energy unknown", f"{s['gpus_without_energy']:,} GPUs of kinds without published power"))
    return lines


def _work(s: Mapping[str, Any]) -> str:
    """Of jobs, and of services where there are any."""
    done, lost = s["work_gpu_s"] / HOUR_S, f"{s['lost_work_gpu_s'] / HOUR_S:,.1f} GPU-h lost"
    if not s.get("services"):
        return f"{done:,.0f} GPU-h, {lost}"
    return f"jobs {done:,.1f} GPU-h ({lost}), services {s['service_work_gpu_s'] / HOUR_S:,.2f} GPU-h"


def _shares(s: Mapping[str, Any]) -> list[str]:
    """Where each joule of the facility went."""
    whole = s["facility_energy_j"]
    return [f"{word} {s[f'{part}_energy_j'] / whole:.1%}" for part, word in JOULES if s[f"{part}_energy_j"]] or ["-"]


def energy_unit(joules: float) -> tuple[float, str]:
    """The largest unit of which there is at least one."""
    return next((entry for entry in ENERGY_UNITS if joules >= entry[0]), ENERGY_UNITS[-1])


def _spread(s: Mapping[str, Any], name: str) -> str:
    """Mean and percentiles, all in the unit that suits the mean."""
    values = [(word, s[f"{key}_{name}"]) for word, key in TIMES]
    hours = any(value is not None and value >= HOUR_S for _, value in values)
    size, unit, form = (HOUR_S, "h", ",.2f") if hours else (1.0, "s", ",.0f")
    said = ", ".join(f"{word} {_number(None if value is None else value / size, form)}" for word, value in values)
    return f"{said} {unit}"


def _kilo(watts: float | None) -> str:
    return _number(None if watts is None else watts / 1000.0, ",.1f")


def _scaled(value: float | None, size: float, form: str) -> str:
    return _number(None if value is None else value * size, form)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
