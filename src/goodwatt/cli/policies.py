"""`goodwatt policies`: which there are, what they do, which parameters they take."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from goodwatt.cli.run_options import JsonOption

app = typer.Typer(help="Scheduling, power and service policies.", no_args_is_help=True)
KINDS = ("order", "placement", "policy", "power policy", "service policy")


@app.command("list", short_help="List scheduling, power and service policies.")
def list_policies(json: JsonOption = False) -> None:
    """List all policies: orders say what runs next, placements where, power policies at which clock and cap, service
    policies how many instances of a service run.
    """
    from goodwatt.policies import power_registry, registry, service_registry

    entries = [_facts(name, part) for name, part in registry.names().items()]
    entries += [_facts(name, part, "power policy") for name, part in power_registry.names().items()]
    entries += [_facts(name, part, "service policy") for name, part in service_registry.names().items()]
    if json:
        _print_json(entries)
        return
    from rich.table import Table

    from goodwatt.cli.terminal import console

    table = Table(box=None, pad_edge=False)
    for title in ("policy", "is a", "parameters", "what it does"):
        table.add_column(title, overflow="fold", no_wrap=title == "policy")
    for entry in sorted(entries, key=lambda e: (KINDS.index(e["is"]), e["name"])):
        marks = "".join(f", {mark}" for mark in ("oracle", "preemptive") if entry[mark])
        table.add_row(entry["name"], entry["is"] + marks, ", ".join(entry["parameters"]), entry["summary"])
    console().print(table)
    console().print(
        "\nCombine an order with a placement: --policy sjf+fgd; power policies: --power static+sleep; "
        "service policies: --service-policy predictive+follow. Details: goodwatt policies show NAME",
        highlight=False,
    )


@app.command("show", short_help="Explain one policy and its parameters.")
def show_policy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The policy.")], json: JsonOption = False
) -> None:
    """Explain one policy, with its source and its parameters."""
    facts = _find(name)
    if json:
        _print_json(facts)
        return
    marks = "".join(f", {mark}" for mark in ("oracle", "preemptive") if facts[mark])
    typer.echo(f"{name} ({facts['is']}{marks})\n\n{facts['text']}")
    for key, default in facts["parameters"].items():
        typer.echo(f"\n  {name}:{key}={default}")


def _find(name: str) -> dict[str, Any]:
    """The facts of the policy of that name, of whatever kind; UnknownNameError with the nearest of all."""
    from goodwatt.errors import UnknownNameError
    from goodwatt.policies import power_registry, registry, service_registry

    finds = (registry.find, None), (power_registry.find, "power policy"), (service_registry.find, "service policy")
    for find, kind in finds:
        try:
            return _facts(name, find(name), kind)
        except UnknownNameError:
            continue
    raise UnknownNameError("policy", name, [*registry.names(), *power_registry.names(), *service_registry.names()])


def _facts(name: str, part: type[Any], kind: str | None = None) -> dict[str, Any]:
    from goodwatt.policies.parts import parameters
    from goodwatt.policies.registry import role_of

    text = inspect.getdoc(part) or ""
    made = part()
    return {
        "name": name,
        "is": kind or role_of(part),
        "oracle": getattr(made, "oracle", False),
        "preemptive": getattr(made, "preemptive", False),
        "summary": text.split("\n\n")[0].replace("\n", " "),
        "text": text,
        "parameters": {key: default for key, (_, default) in parameters(part).items()},
    }


def _print_json(content: Any) -> None:
    import orjson

    typer.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())
