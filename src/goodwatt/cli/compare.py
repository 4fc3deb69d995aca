"""`goodwatt compare`: several policies on the same windows and seeds. What is done is in `compare_run`."""

from __future__ import annotations

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
from goodwatt.cli.run_options import (
    ClusterOrScenario,
    EngineOption,
    FormatOption,
    JsonOption,
    NoReportOption,
    OutOption,
    ScenarioOption,
    SkipOption,
    TraceOrBundled,
)
from goodwatt.cli.service_options import ResolutionOption, ServiceSettings, ServicesOption

DEFAULT_TRACE, DEFAULT_CLUSTER, DEFAULT_WINDOWS = "philly", "philly-80", 2
DEFAULT_POLICIES = ("fifo", "qssf")
DEFAULT_POWERS = ("default", "static")
"""Under which power policies the bundled trace is compared when none is named."""


def compare(
    trace: TraceOrBundled = None,
    cluster: ClusterOrScenario = None,
    scenario: ScenarioOption = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            "-p",
            help="A policy (goodwatt policies list); repeat it. The first is the reference.",
            show_default=" ".join(DEFAULT_POLICIES),
        ),
    ] = None,
    power: Annotated[
        list[str] | None,
        typer.Option(
            "--power",
            "-w",
            help="A power policy, or several joined by +; repeat it. Each policy runs under each.",
            show_default=f"default; for {DEFAULT_TRACE}: {' '.join(DEFAULT_POWERS)}",
        ),
    ] = None,
    services: ServicesOption = None,
    service_policy: Annotated[
        list[str] | None,
        typer.Option(
            "--service-policy",
            help="How many instances of services, where and at which clocks; several joined by +. Repeat it: each "
            "policy runs beside each.",
            show_default="fixed",
        ),
    ] = None,
    resolution: ResolutionOption = None,
    horizon: Annotated[
        float | None,
        typer.Option(
            help="Compare over so many seconds from the first submission on, or from 0 without jobs.",
            min=0,
            callback=finite,
            show_default="all of the trace, or of the scenario",
        ),
    ] = None,
    physics: PhysicsOption = Physics.FULL,
    truth: TruthOption = Truth.RESIDUAL,
    workloads: WorkloadsOption = None,
    objective: ObjectiveOption = None,
    budget_w: BudgetOption = None,
    price: PriceOption = None,
    carbon: CarbonOption = None,
    windows: Annotated[
        int | None,
        typer.Option(
            help="Cut the trace into so many windows.", min=1, show_default=f"1; for {DEFAULT_TRACE}: {DEFAULT_WINDOWS}"
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Run each policy with so many seeds (jobs' luck and classes).", min=1)] = 1,
    workers: Annotated[
        int | None, typer.Option(help="Processes side by side.", min=1, show_default="one per core")
    ] = None,
    bounds: Annotated[
        bool | None,
        typer.Option(
            "--bounds/--no-bounds",
            help="Give the work per joule as a share of the most that any policy could reach.",
            show_default="on where it takes seconds",
        ),
    ] = None,
    engine: EngineOption = None,
    format_name: FormatOption = None,
    skip_bad_rows: SkipOption = False,
    out: OutOption = None,
    no_report: NoReportOption = False,
    json: JsonOption = False,
) -> None:
    """Compare policies on a trace; without arguments on one that ships with the package."""
    from goodwatt.cli.compare_run import Comparing, compare_policies
    from goodwatt.cli.inputs import TraceSource
    from goodwatt.cli.scenarios import chosen

    on = chosen(scenario)
    if on is None:
        trace = DEFAULT_TRACE if trace is None and services is None else trace
        cluster = cluster or DEFAULT_CLUSTER
    compare_policies(
        Comparing(
            source=TraceSource(trace, cluster, engine, format_name, skip_bad_rows, on),
            settings=PowerSettings(
                physics=physics,
                truth=truth,
                budget_w=budget_w,
                workloads=workloads,
                objective=objective,
                price=price,
                carbon=carbon,
                scenario=on,
            ),
            services=ServiceSettings(
                file=services, policies=tuple(service_policy or ()), resolution=resolution, scenario=on
            ),
            horizon_s=on.horizon_s if horizon is None and on is not None else horizon,
            policies=tuple(policy or ()),
            powers=tuple(power or ()),
            demo=trace == DEFAULT_TRACE and physics is Physics.FULL,
            windows=windows or (DEFAULT_WINDOWS if trace == DEFAULT_TRACE else 1),
            bounds=bounds,
            seeds=seeds,
            workers=workers,
            out=out,
            report=not no_report,
            as_json=json,
        )
    )
