"""`goodwatt scenarios`: what there is to run, before anything is run on it. Printing is `scenario_view`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from goodwatt.scenarios.scenario import Scenario

app = typer.Typer(help="Scenarios: cluster, jobs, services and supply of power under one name.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
NAME_HELP = "A scenario that ships, or a file."


@app.command("list", short_help="List the scenarios that ship.")
def list_scenarios(as_json: Json = False) -> None:
    """List the scenarios that ship; each name stands after --scenario of replay and compare."""
    from goodwatt.cli.scenario_view import print_list

    print_list(as_json)


@app.command(short_help="Show what one scenario consists of.")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help=NAME_HELP)],
    as_json: Json = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print its file, to start your own from.")] = False,
) -> None:
    """Show what one scenario consists of, what it is for and what to look at."""
    from goodwatt.cli.scenario_view import print_scenario, print_yaml

    if as_yaml:
        print_yaml(name)
    else:
        print_scenario(name, as_json)


def chosen(name: str | None) -> Scenario | None:
    """The scenario that `--scenario` names; None without. Raises InputError."""
    if name is None:
        return None
    from goodwatt.scenarios.library import load_scenario

    return load_scenario(name)
