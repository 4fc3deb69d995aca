"""`goodwatt compare`: several policies on the same windows and seeds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from goodwatt.cli.replay import EngineOption, FormatOption, JsonOption, NoReportOption, PowerOption, SkipOption

DEFAULT_TRACE, DEFAULT_CLUSTER, DEFAULT_WINDOWS = "philly", "philly-80", 2
DEFAULT_POLICIES = ("fifo", "easy-backfill", "qssf", "tiresias", "sjf", "srtf")


def compare(
    trace: Annotated[str, typer.Argument(help="A trace: file, folder, or the name of a bundled one.")] = DEFAULT_TRACE,
    cluster: Annotated[str, typer.Option("--cluster", "-c", help="A preset or a cluster file.")] = DEFAULT_CLUSTER,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            "-p",
            help="A policy; repeat it. The first is the reference.",
            show_default=" ".join(DEFAULT_POLICIES),
        ),
    ] = None,
    power: PowerOption = None,
    windows: Annotated[
        int | None, typer.Option(help="Cut the trace into so many windows.", min=1, show_default="1, bundled trace 2")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Run each policy with so many seeds.", min=1)] = 1,
    workers: Annotated[int | None, typer.Option(help="Processes.", min=1, show_default="one per core")] = None,
    engine: EngineOption = "default",
    format_name: FormatOption = None,
    skip_bad_rows: SkipOption = False,
    out: Annotated[Path, typer.Option(help="Folder for comparison.json, comparison.csv, report.html.")] = Path(
        "goodwatt-out"
    ),
    no_report: NoReportOption = False,
    json: JsonOption = False,
) -> None:
    """Compare policies on a trace; without arguments on one that ships with the package."""
    from goodwatt.cli import comparison_files, inputs, manifest
    from goodwatt.cli.comparison_view import comparison_json, comparison_panel
    from goodwatt.cli.progress import progress
    from goodwatt.cluster.presets import load_cluster
    from goodwatt.policies.comparison import Scenario
    from goodwatt.policies.comparison import compare as run_all
    from goodwatt.policies.comparison_rows import comparison_table
    from goodwatt.policies.registry import make_policy
    from goodwatt.simulator.engine import load_engine

    chosen = list(dict.fromkeys(policy or DEFAULT_POLICIES))
    parts = windows or (DEFAULT_WINDOWS if trace == DEFAULT_TRACE else 1)
    machine, settings = load_cluster(cluster), load_engine(engine)
    inputs.check_nodes(settings, machine)
    for spec in chosen:
        make_policy(spec)
    source = inputs.load_trace(trace, format_name, skip_bad_rows)
    inputs.check_fits(source, machine, skip_bad_rows)
    inputs.make_folder(out)
    scenario = Scenario(jobs=source.jobs, cluster=machine, engine=settings, budget_w=power, draw=not no_report)
    total, ended = len(chosen) * parts * seeds, 0
    with progress("comparing", total, "runs") as advance:

        def done(case: object) -> None:
            nonlocal ended
            ended += 1
            advance(ended, getattr(case, "policy", ""))

        comparison = run_all(scenario, chosen, parts, range(seeds), workers or os.cpu_count() or 1, done)
    table = comparison_table(comparison, source.name, machine.name, manifest.command_line())
    facts = manifest.manifest(
        source, machine, settings, policies=chosen, windows=parts, seeds=list(range(seeds)), partial=comparison.partial
    )
    comparison_files.write(out, table, comparison, facts)
    if not no_report and comparison.results:
        from goodwatt.cli.report import write_report

        write_report(out / "report.html", comparison.results, table, facts)
    if json:
        import orjson

        typer.echo(orjson.dumps(comparison_json(table), option=orjson.OPT_INDENT_2).decode())
    else:
        from rich.console import Console

        Console().print(comparison_panel(table))
    inputs.note(f"wrote {out if no_report else out / 'report.html'}")
    if comparison.partial:
        inputs.note(f"interrupted: {len(comparison.results)} of {total} runs, marked as partial")
        raise typer.Exit(130)
