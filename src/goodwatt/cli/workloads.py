"""`goodwatt workloads`: the catalogue of workload classes, with their sources. Printing is `workload_view`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Workload classes: what jobs ask of GPUs, measured.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@app.command("list", short_help="List every workload class.")
def list_workloads(as_json: Json = False) -> None:
    """List every workload class, after checking the whole catalogue."""
    from goodwatt.cli.workload_view import print_list

    print_list(as_json)


@app.command(short_help="Show one class: phases, speed and watts by GPU.")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `goodwatt workloads list` prints.")],
    as_json: Json = False,
) -> None:
    """Show one class: its phases, its speed and watts on every GPU kind, and where each part comes from."""
    from goodwatt.cli.workload_view import print_class

    print_class(name, as_json)
