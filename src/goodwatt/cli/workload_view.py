"""How `goodwatt workloads` prints: tables for people, JSON for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from rich import box
from rich.markup import escape
from rich.table import Table

from goodwatt.cli.terminal import console
from goodwatt.cluster.catalogue import all_kinds
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.workloads.catalogue import measured_on, phases_on, speed_on, workload_class
from goodwatt.power.workloads.schema import checked_classes
from goodwatt.power.workloads.workload import Phase, WorkloadClass, mean_demand


def print_list(as_json: bool) -> None:
    """All classes, one a line."""
    classes = list(checked_classes().values())
    if as_json:
        _print_json([asdict(entry) for entry in classes])
    else:
        _print(_list_table(classes))
        _print("u, m, kappa, duty: means over the phases on the GPU kind named, see `goodwatt workloads show NAME`.")


def print_class(name: str, as_json: bool) -> None:
    """One class in full. Raises InputError."""
    entry = workload_class(name)
    kinds = [kind for kind in all_kinds().values() if kind.power_model is not None]
    if as_json:
        _print_json(asdict(entry) | {"on": [_on(entry, kind) for kind in kinds]})
        return
    _print(
        f"[bold]{entry.name}[/bold]: {escape(entry.about)}",
        _facts(entry),
        _phase_table(entry),
        _kind_table(entry, kinds),
    )
    _print("* speed derived from peak rates; watts are those of the model at the default setting", _source_table(entry))


def _print_json(content: Any) -> None:
    print(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())


def _print(*parts: Any) -> None:
    screen = console()
    for part in parts:
        screen.print(part)


def _narrow() -> Table:
    """A table that fits 80 columns."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def _list_table(classes: list[WorkloadClass]) -> Table:
    table = _narrow()
    table.add_column("name", no_wrap=True)
    table.add_column("measured on", no_wrap=True)
    for title in ("GPUs", "GiB", "u", "m", "kappa", "duty"):
        table.add_column(title, justify="right", no_wrap=True)
    for entry in classes:
        demand = mean_demand(entry.phases[entry.reference_gpu])
        shares = (f"{value:.2f}" for value in (demand.u, demand.m, demand.kappa, demand.duty))
        table.add_row(entry.name, entry.reference_gpu, _gang(entry), f"{entry.memory_mib / 1024:.0f}", *shares)
    return table


def _gang(entry: WorkloadClass) -> str:
    low, high = entry.gpus
    return str(low) if low == high else f"{low}-{high}"


def _facts(entry: WorkloadClass) -> str:
    step = entry.step
    return (
        f"family {entry.family}, arithmetic {entry.math}, {_gang(entry)} GPUs, {entry.memory_mib} MiB on each, "
        f"checkpoint {entry.checkpoint_mib:g} MiB\nstep {step.compute_s:g} s, then {step.exchange_bytes / 1e6:g} MB in "
        f"{step.calls} calls, hidden behind {100 * step.overlap:.0f}% of it"
    )


def _phase_table(entry: WorkloadClass) -> Table:
    table = _narrow()
    table.add_column("phase", no_wrap=True)
    for title in ("share", "s", "u", "m", "kappa", "duty", "occup.", "tensor", "cores"):
        table.add_column(title, justify="right", no_wrap=True)
    for phase in entry.phases[entry.reference_gpu]:
        table.add_row(phase.name, *_phase_cells(phase))
    return table


def _phase_cells(phase: Phase) -> tuple[str, ...]:
    d = phase.demand
    shares = (f"{value:.2f}" for value in (d.u, d.m, d.kappa, d.duty, d.occupancy, d.tensor))
    return (f"{100 * phase.share:.1f}%", f"{phase.length_s:.3g}", *shares, f"{d.host_cores:g}")


def _on(entry: WorkloadClass, kind: GpuKind) -> dict[str, Any]:
    """Speed and watts alone at the default setting on a kind."""
    point = alone_point(gpu_model(kind), phases_on(entry, kind.name))
    return {
        "gpu": kind.name,
        "speed": speed_on(entry, kind.name),
        "measured": measured_on(entry, kind.name),
        "power_w": point.watts,
        "clock_mhz": point.clock_mhz,
        "bound_by": point.bound_by,
        "fits": entry.memory_mib <= kind.memory_mib,
    }


def _kind_table(entry: WorkloadClass, kinds: list[GpuKind]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("GPU kind", no_wrap=True)
    for title in ("speed", "W", "MHz", "bound by"):
        table.add_column(title, justify="right", no_wrap=True)
    for kind in kinds:
        on = _on(entry, kind)
        if on["fits"]:
            speed = f"{on['speed']:.2f}{'' if on['measured'] else '*'}"
            table.add_row(kind.name, speed, f"{on['power_w']:.0f}", f"{on['clock_mhz']:.0f}", on["bound_by"])
    return table


def _source_table(entry: WorkloadClass) -> Table:
    table = Table("part", "source", box=box.SIMPLE_HEAD)
    for part, source in entry.sources.items():
        table.add_row(part, escape(source))
    return table
