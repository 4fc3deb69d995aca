"""Options that several commands have: what is run on what, and where results go. Those of power: `power_options`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TRACE_HELP = "A trace: file, folder, or the name of a bundled one (goodwatt traces list)."

TraceArgument = Annotated[str, typer.Argument(metavar="TRACE", help=TRACE_HELP, show_default=False)]
TraceOrNone = Annotated[
    str | None,
    typer.Argument(
        metavar="TRACE", help=f"{TRACE_HELP} With --services or --scenario it may be left out.", show_default=False
    ),
]
TraceOrBundled = Annotated[
    str | None,
    typer.Argument(
        metavar="[TRACE]", help=TRACE_HELP, show_default="philly; none with --services, the scenario's with --scenario"
    ),
]
ClusterOption = Annotated[
    str, typer.Option("--cluster", "-c", help="A preset (goodwatt clusters list) or a cluster file.")
]
ClusterOrScenario = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        "-c",
        help="A preset (goodwatt clusters list) or a cluster file.",
        show_default="the scenario's",
    ),
]
ScenarioOption = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        help="A scenario (goodwatt scenarios list) or its file: cluster, jobs, services, supply of power and horizon. "
        "Options given win over it.",
        show_default=False,
    ),
]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="Engine settings: default, lucid, realistic, or a YAML file.",
        show_default="default, or the scenario's",
    ),
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="The trace's format.", show_default="recognised from the content")
]
SkipOption = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Go on past rows that cannot be used and jobs that never fit.")
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder for report.html and the other results.",
        show_default="goodwatt-out, goodwatt-out-2 and so on",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
NoReportOption = Annotated[bool, typer.Option("--no-report", help="Do not write report.html.")]
