"""How `goodwatt calibrate` prints: each figure with how it was come by, then what could not be seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich import box
from rich.table import Table

from goodwatt.cli.terminal import console
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.power.calibration.figures import Calibration, Measurement
from goodwatt.power.device.interface import DeviceFacts


def print_calibration(
    facts: DeviceFacts, fitted: Calibration, found: Sequence[Measurement], like: GpuKind, as_json: bool
) -> None:
    """A table beside the catalogue's figures, or JSON."""
    if as_json:
        rows = [asdict(m) | {"reasons": sorted(m.reasons)} for m in found]
        typer.echo(json.dumps({"gpu": asdict(facts), **asdict(fitted), "measurements": rows}, indent=2))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), title=f"{facts.name}", title_justify="left")
    for title, justify in (("figure", "left"), ("here", "right"), (like.name, "right"), ("how", "left")):
        table.add_column(title, justify="right" if justify == "right" else "left", overflow="fold")
    figures = {"idle_w": fitted.idle_w, "active_w": fitted.active_w, **fitted.power}
    for name, figure in figures.items():
        known = getattr(like, name, None) if hasattr(like, name) else getattr(like.power_model, name, None)
        table.add_row(name, f"{figure.value:.4g}", "" if known is None else f"{known:.4g}", figure.how)
    screen = console()
    screen.print(table)
    if fitted.kappas:
        screen.print("clock sensitivity: " + ", ".join(f"{work} {kappa:.2f}" for work, kappa in fitted.kappas.items()))
    if fitted.unseen:
        names = ", ".join(line.split(":")[0] for line in fitted.unseen)
        screen.print(f"Not seen here: {names}.", soft_wrap=True)
