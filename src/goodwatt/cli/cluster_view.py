"""How `goodwatt clusters` prints: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rich import box
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from goodwatt.cli.terminal import console
from goodwatt.cluster.overview import Overview, overview
from goodwatt.cluster.presets import cluster_yaml, load_cluster, preset_names


def print_list(as_json: bool) -> None:
    """All presets, one a line."""
    rows = [_row(overview(load_cluster(name))) for name in preset_names()]
    if as_json:
        _print_json(rows)
    else:
        _print(_list_table(rows))


def print_cluster(name: str, as_json: bool) -> None:
    """One cluster in full. Raises InputError."""
    seen = overview(load_cluster(name))
    if as_json:
        _print_json(seen.as_json())
    else:
        _print_overview(seen)


def print_yaml(name: str) -> None:
    """One cluster as the text of a cluster file, once it is known to be sound. Raises InputError."""
    load_cluster(name)
    print(cluster_yaml(name), end="")


def _print_json(content: Any) -> None:
    print(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())


def _print(*parts: Any) -> None:
    screen = console()
    for part in parts:
        screen.print(part)


def _row(seen: Overview) -> dict[str, Any]:
    kinds = list(dict.fromkeys(shape.gpu for shape in seen.shapes))
    return {"name": seen.name, "nodes": seen.nodes, "gpus": seen.gpus, "kinds": kinds, "note": seen.note}


def _list_table(rows: list[dict[str, Any]]) -> Table:
    table = _table("name", ">nodes", ">GPUs", "kinds", "what it is")
    for row in rows:
        first_sentence = row["note"].split(". ")[0].rstrip(".")
        kinds = ", ".join(row["kinds"])
        table.add_row(row["name"], f"{row['nodes']:,}", f"{row['gpus']:,}", kinds, escape(first_sentence))
    return table


def _table(*titles: str) -> Table:
    """A plain table; a title that starts with > is of a column of numbers."""
    table = Table(box=box.SIMPLE_HEAD)
    for text in titles:
        table.add_column(text.removeprefix(">"), justify="right" if text.startswith(">") else "left")
    return table


def _print_overview(seen: Overview) -> None:
    _print(f"[bold]{escape(seen.name)}[/bold]: {seen.nodes:,} nodes, {seen.gpus:,} GPUs")
    _print(escape(seen.note), _shape_table(seen))
    if seen.partitions:
        _print(_count_table("partition", seen.partitions, seen.partition_quotas))
    if seen.user_quotas:
        _print(_count_table("user", {}, seen.user_quotas))
    if seen.racks:
        _print(_rack_table(seen))
    _print(_power_table(seen))
    if seen.unmeasured_gpus:
        _print(f"Without {seen.unmeasured_gpus:,} GPUs of undisclosed kinds, whose power is not known.")
    _print(*(Padding(escape(source), (0, 0, 0, 2)) for source in seen.sources))
    _print(f"fingerprint {seen.fingerprint}")


def _shape_table(seen: Overview) -> Table:
    table = _table(">nodes", "GPU", ">per node", ">NVLink domain", ">CPUs", ">memory")
    for shape in seen.shapes:
        cpus = "-" if shape.cpu_milli is None else f"{shape.cpu_milli / 1000:g}"
        memory = "-" if shape.memory_mib is None else f"{shape.memory_mib / 1024:,.0f} GiB"
        domain = str(shape.nvlink_domain) if shape.nvlink_domain > 1 else "-"
        table.add_row(f"{shape.nodes:,}", escape(shape.gpu), str(shape.gpus), domain, cpus, memory)
    return table


def _count_table(what: str, gpus: Mapping[str, int], quotas: Mapping[str, float]) -> Table:
    table = _table(what, ">GPUs", ">quota")
    for name in dict.fromkeys([*gpus, *quotas]):
        held = f"{gpus[name]:,}" if name in gpus else "-"
        table.add_row(escape(name), held, f"{quotas[name]:g}" if name in quotas else "-")
    return table


def _rack_table(seen: Overview) -> Table:
    table = _table(">racks", ">nodes each", ">limit each", ">feeds")
    for rack in seen.racks:
        limit = "-" if rack.power_limit_w is None else _kw(rack.power_limit_w)
        table.add_row(f"{rack.racks:,}", str(rack.nodes), limit, str(rack.feeds))
    if seen.nodes_without_rack:
        table.add_row("none", f"{seen.nodes_without_rack:,}", "-", "-")
    return table


def _power_table(seen: Overview) -> Table:
    table = _table("power", ">idle", ">usual", ">most")
    rows = {
        "GPUs": seen.gpu_power,
        "with hosts": seen.it_power,
        f"facility, PUE {seen.pue:g}": seen.facility_power,
    }
    for title, power in rows.items():
        table.add_row(title, _kw(power.idle_w), _kw(power.active_w), _kw(power.max_w))
    return table


def _kw(watts: float) -> str:
    return f"{watts / 1000:,.1f} kW"
