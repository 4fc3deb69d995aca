"""How `goodwatt scenarios` prints: text and tables for people, JSON for programs."""

from __future__ import annotations

from typing import Any

import orjson
from rich import box
from rich.markup import escape
from rich.table import Table

from goodwatt.cli.terminal import console
from goodwatt.scenarios.library import abouts, load_scenario, scenario_path
from goodwatt.scenarios.overview import overview


def print_list(as_json: bool) -> None:
    """All scenarios that ship, one a row."""
    found = abouts()
    if as_json:
        _print_json([{"name": name, "about": about} for name, about in found.items()])
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("name", no_wrap=True)
    table.add_column("what it is for")
    for name, about in found.items():
        table.add_row(name, escape(about))
    console().print(table)
    console().print("Details: goodwatt scenarios show NAME", highlight=False)


def print_yaml(name: str) -> None:
    """The file of one scenario, once it is known to be sound. Raises InputError."""
    load_scenario(name)
    print(scenario_path(name).read_text(encoding="utf-8"), end="")


def print_scenario(name: str, as_json: bool) -> None:
    """One scenario in full. Raises InputError."""
    seen = overview(load_scenario(name))
    if as_json:
        _print_json(seen)
        return
    screen = console()
    screen.print(f"[bold]{escape(seen['name'])}[/bold]: {escape(seen['about'])}", highlight=False)
    screen.print(f"\nLook at: {escape(seen['look_at'])}", highlight=False)
    screen.print(_facts(seen))
    if seen["services"]:
        screen.print(_services(seen["services"]))
    screen.print(f"goodwatt compare --scenario {escape(name)} --policy easy-backfill ..", highlight=False)


def _facts(seen: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False)
    on, jobs = seen["cluster"], seen["jobs"]
    table.add_row("horizon", f"{seen['horizon_s'] / 3600:g} h")
    table.add_row("cluster", escape(f"{on['name']}: {on['nodes']} nodes, {on['gpus']} GPUs ({', '.join(on['kinds'])})"))
    if jobs is not None:
        work = f"{jobs['gpu_hours']:,.0f} GPU-hours, at most {jobs['most_gpus']} GPUs each"
        table.add_row("jobs", f"{jobs['count']:,} ({jobs['waiting']:,} of them wait at the beginning), {work}; seed 0")
    for name in ("budget", "lost feeds", "maintenance"):
        if seen[name]:
            table.add_row(name, "; ".join(seen[name]))
    return table


def _services(services: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("service", "model", "GPUs each", "instances", "promise (p99)", "requests/s"):
        table.add_column(title)
    for one in services:
        rates = f"{one['least_per_s']:.3g} to {one['most_per_s']:.3g}"
        spans = f"{one['min_replicas']} to {one['max_replicas']}, {one['start_s']:g} s to start"
        model, gpus = escape(one["model"]), f"{one['tensor_parallel']} {one['gpu']}"
        table.add_row(escape(one["name"]), model, gpus, spans, ", ".join(one["promise"]), rates)
    return table


def _print_json(content: Any) -> None:
    print(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())
