"""`goodwatt replay`: one policy on one trace. What is done with the options is in `replay_run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goodwatt.cli.power_options import (
    BudgetOption,
    CarbonOption,
    ObjectiveOption,
    Physics,
    PhysicsOption,
    PowerSettings,
    PriceOption,
    Truth,
    TruthOption,
    WorkloadsOption,
    finite,
)

OUT = Path("goodwatt-out")

TraceArgument = Annotated[
    str, typer.Argument(help="A trace: file, folder, or the name of a bundled one.", show_default=False)
]
ClusterOption = Annotated[
    str, typer.Option("--cluster", "-c", help="A preset (goodwatt clusters list) or a cluster file.")
]
EngineOption = Annotated[str, typer.Option("--engine", help="Engine settings: default, lucid, or a YAML file.")]
FormatOption = Annotated[str | None, typer.Option("--format", help="The trace's format; by default it is recognised.")]
SkipOption = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Go on past rows that cannot be used and jobs that never fit.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
NoReportOption = Annotated[bool, typer.Option("--no-report", help="Do not write report.html.")]


def replay(
    trace: TraceArgument,
    cluster: ClusterOption,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            "-p",
            help="order, placement or order+placement (goodwatt policies list).",
            show_default="the objective's",
        ),
    ] = None,
    power: Annotated[
        str | None, typer.Option("--power", "-w", help="A power policy.", show_default="default, or the objective's")
    ] = None,
    physics: PhysicsOption = Physics.FULL,
    truth: TruthOption = Truth.RESIDUAL,
    workloads: WorkloadsOption = None,
    objective: ObjectiveOption = None,
    budget_w: BudgetOption = None,
    price: PriceOption = None,
    carbon: CarbonOption = None,
    engine: EngineOption = "default",
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    from_s: Annotated[
        float | None, typer.Option("--from", help="Leave out jobs submitted before this second.", callback=finite)
    ] = None,
    horizon: Annotated[
        float | None, typer.Option(help="Stop so many seconds after the start.", min=0, callback=finite)
    ] = None,
    format_name: FormatOption = None,
    skip_bad_rows: SkipOption = False,
    out: Annotated[Path, typer.Option(help="Folder for jobs.csv, timeline.csv, summary.json, report.html.")] = OUT,
    no_report: NoReportOption = False,
    json: JsonOption = False,
) -> None:
    """Replay a trace under one policy: how would the cluster have done?"""
    from goodwatt.cli.inputs import TraceSource
    from goodwatt.cli.replay_run import Replay, replay_trace

    replay_trace(
        Replay(
            source=TraceSource(trace, cluster, engine, format_name, skip_bad_rows),
            settings=PowerSettings(
                physics=physics,
                truth=truth,
                budget_w=budget_w,
                workloads=workloads,
                objective=objective,
                price=price,
                carbon=carbon,
            ),
            policy=policy,
            power=power,
            seed=seed,
            from_s=from_s,
            horizon_s=horizon,
            out=out,
            report=not no_report,
            as_json=json,
        )
    )
