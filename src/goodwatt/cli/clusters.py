"""`goodwatt clusters`: what a cluster is made of, before anything is simulated on it. Printing is `cluster_view`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Clusters: the presets, and what a cluster file describes.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
NAME_HELP = "A preset, a file, or generated:gpus=1000,gpu=H100-SXM,per_node=8."


@app.command("list", short_help="List the presets.")
def list_clusters(as_json: Json = False) -> None:
    """List the presets; each name stands wherever a cluster file does."""
    from goodwatt.cli.cluster_view import print_list

    print_list(as_json)


@app.command(short_help="Show what one cluster is made of.")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help=NAME_HELP)],
    as_json: Json = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print a cluster file to start your own from.")] = False,
) -> None:
    """Show what one cluster is made of: nodes, partitions, racks, power, and where the figures come from."""
    from goodwatt.cli.cluster_view import print_cluster, print_yaml

    if as_yaml:
        print_yaml(name)
    else:
        print_cluster(name, as_json)
