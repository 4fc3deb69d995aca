"""How `goodwatt gpus` prints: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from rich import box
from rich.markup import escape
from rich.table import Table

from goodwatt.cli.gpu_curves import cap_curve, clock_curve, example_phases, text
from goodwatt.cli.terminal import console
from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.gpu_kind import GpuKind, PowerModel
from goodwatt.cluster.gpu_schema import checked_kinds
from goodwatt.power.workloads.catalogue import phases_on, workload_class
from goodwatt.power.workloads.workload import Phase

COLUMNS = 48
"""Points of a curve."""
_UNITS = {"mib": " MiB", "mhz": " MHz", "w": " W", "gbps": " GB/s", "domain": " GPUs"}


def print_list(as_json: bool) -> None:
    """All kinds, one a line."""
    kinds = list(checked_kinds().values())
    if as_json:
        _print_json([asdict(kind) for kind in kinds])
    else:
        _print(_list_table(kinds))
        _print("NVLink: GPUs per domain x GB/s of each, both directions together.")
        _print("~ assumed; `goodwatt gpus show NAME` says why, and where the other figures come from.")


def print_kind(name: str, as_json: bool, workload: str | None = None) -> None:
    """One kind in full, with the curves of a workload class or of the examples. Raises InputError."""
    kind = gpu_kind(name)
    demands = example_phases() if workload is None else {workload: phases_on(workload_class(workload), kind.name)}
    if as_json:
        _print_json(asdict(kind) | {"curves": [_curves(n, kind, phases) for n, phases in demands.items()]})
        return
    others = ", ".join([*kind.aliases, *kind.product_labels])
    _print(f"[bold]{kind.name}[/bold] ({kind.architecture}), also known as {others}", _source_table(kind))
    if kind.power_model is not None:
        _print("[bold]power model[/bold]", _table(kind.power_model.sources, kind.power_model))
        _print(text(kind, demands, COLUMNS))


def _curves(name: str, kind: GpuKind, phases: tuple[Phase, ...]) -> dict[str, Any]:
    by_clock, by_cap = clock_curve(kind, phases, COLUMNS), cap_curve(kind, phases, COLUMNS)
    return {"workload": name, "by_clock_mhz": asdict(by_clock), "by_cap_w": asdict(by_cap)}


def _print_json(content: Any) -> None:
    print(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())


def _print(*parts: Any) -> None:
    screen = console()
    for part in parts:
        screen.print(part)


def _list_table(kinds: list[GpuKind]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("name", no_wrap=True)
    for title in ("GiB", "clock MHz", "cap W", "idle W", "usual W", "NVLink", "MIG"):
        table.add_column(title, justify="right", no_wrap=True)
    for kind in kinds:
        table.add_row(kind.name, *_cells(kind))
    return table


def _cells(kind: GpuKind) -> tuple[str, ...]:
    return (
        f"{kind.memory_mib / 1024:.0f}",
        f"{kind.min_clock_mhz}-{kind.max_clock_mhz}",
        f"{kind.min_cap_w}-{kind.max_cap_w}",
        _marked(kind, "idle_w"),
        _marked(kind, "active_w"),
        f"{kind.nvlink_domain}x{kind.nvlink_gbps:g}" if kind.nvlink_domain > 1 else "-",
        str(kind.mig_slices) if kind.mig_slices else "-",
    )


def _marked(kind: GpuKind, figure: str) -> str:
    sign = "~" if kind.sources[figure].startswith("assumed") else ""
    return f"{sign}{getattr(kind, figure):g}"


def _source_table(kind: GpuKind) -> Table:
    return _table(kind.sources, kind)


def _table(sources: Mapping[str, str], figures: GpuKind | PowerModel) -> Table:
    table = Table("figure", "value", "source", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    table.columns[1].no_wrap = True
    for figure, source in sources.items():
        unit = _UNITS.get(figure.rsplit("_", 1)[-1], "")
        table.add_row(figure, f"{getattr(figures, figure):g}{unit}", escape(source))
    return table
