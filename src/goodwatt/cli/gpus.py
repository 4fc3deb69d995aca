"""`goodwatt gpus`: the catalogue of GPU kinds, with the source of every figure. Printing is `gpu_view`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="GPU kinds: the catalogue of power, clocks and topology.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
NAME_HELP = "A name, an unambiguous prefix, an alias or a value of nvidia.com/gpu.product."


@app.command("list", short_help="List every GPU kind.")
def list_gpus(as_json: Json = False) -> None:
    """List every GPU kind, after checking the whole catalogue."""
    from goodwatt.cli.gpu_view import print_list

    print_list(as_json)


@app.command(short_help="Show one GPU kind: figures, curves, sources.")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help=NAME_HELP)],
    workload: Annotated[
        str | None, typer.Option("--workload", help="Draw the curves of this workload class, not of the examples.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show one GPU kind: figures with sources, other names; time, power and energy against clock and cap."""
    from goodwatt.cli.gpu_view import print_kind

    print_kind(name, as_json, workload)
