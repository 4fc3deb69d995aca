"""`goodwatt calibrate`: measure this machine's GPU and write its catalogue entry. The work is in `calibrate_run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def calibrate(
    gpu: Annotated[str, typer.Option(help="Index or UUID of the GPU.")] = "0",
    out: Annotated[Path | None, typer.Option(help="Write the catalogue entry to this YAML file.")] = None,
    raw: Annotated[Path | None, typer.Option(help="Write every measurement to this JSON file.")] = None,
    like: Annotated[
        str, typer.Option(help="Kind that lends what cannot be seen; by default the catalogue's entry for this GPU.")
    ] = "",
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of one measurement.")] = 3.0,
    sweep: Annotated[bool, typer.Option("--sweep", help="Step clocks and caps too: needs root, asks first.")] = False,
    clocks: Annotated[int, typer.Option(min=4, help="Clocks of a sweep.")] = 8,
    caps: Annotated[int, typer.Option(min=1, help="Caps of a sweep.")] = 4,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a sweep.")] = False,
    clock_before: Annotated[
        float | None, typer.Option(help="Clock lock in MHz to put back after a sweep; without it none.")
    ] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="Only put back the settings that an interrupted sweep left.")
    ] = False,
    journal: Annotated[Path | None, typer.Option(help="Folder of the settings' journal.")] = None,
    fake: Annotated[str, typer.Option(help="Try it on a simulated GPU of this kind instead.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Measure this machine's GPU with built-in kernels and write the catalogue entry of its kind.

    Says which figures it could see and which it could not. Changes no setting of the GPU without --sweep.
    """
    from goodwatt.cli.calibrate_run import Wishes, run

    run(
        Wishes(
            gpu=gpu,
            out=out,
            raw=raw,
            like=like,
            seconds=seconds,
            sweep=sweep,
            clocks=clocks,
            caps=caps,
            yes=yes,
            clock_before_mhz=clock_before,
            restore=restore,
            journal=journal,
            fake=fake,
            as_json=as_json,
        )
    )
