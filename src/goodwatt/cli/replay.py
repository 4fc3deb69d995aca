"""`goodwatt replay`: one policy on one trace. What is done with the options is in `replay_run`."""

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
    TraceOrNone,
)
from goodwatt.cli.service_options import ResolutionOption, ServiceSettings, ServicesOption


def replay(
    trace: TraceOrNone = None,
    cluster: ClusterOrScenario = None,
    scenario: ScenarioOption = None,
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
        str | None,
        typer.Option(
            "--power", "-w", help="A power policy, or several joined by +.", show_default="default, or the objective's"
        ),
    ] = None,
    physics: PhysicsOption = Physics.FULL,
    truth: TruthOption = Truth.RESIDUAL,
    workloads: WorkloadsOption = None,
    objective: ObjectiveOption = None,
    budget_w: BudgetOption = None,
    price: PriceOption = None,
    carbon: CarbonOption = None,
    services: ServicesOption = None,
    service_policy: Annotated[
        str | None,
        typer.Option(
            "--service-policy",
            help="How many instances of services, where and at which clocks; several joined by +.",
            show_default="fixed",
        ),
    ] = None,
    resolution: ResolutionOption = None,
    engine: EngineOption = None,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    from_s: Annotated[
        float | None,
        typer.Option("--from", help="Leave out jobs submitted before this second of the trace.", callback=finite),
    ] = None,
    horizon: Annotated[
        float | None,
        typer.Option(
            help="Stop so many seconds after the start; by default when all jobs have ended and all requests are done, "
            "or when the scenario ends.",
            min=0,
            callback=finite,
        ),
    ] = None,
    format_name: FormatOption = None,
    skip_bad_rows: SkipOption = False,
    out: OutOption = None,
    no_report: NoReportOption = False,
    json: JsonOption = False,
) -> None:
    """Replay a trace under one policy: how would the cluster have done?"""
    from goodwatt.cli.inputs import TraceSource
    from goodwatt.cli.replay_run import Replay, replay_trace
    from goodwatt.cli.scenarios import chosen

    on = chosen(scenario)
    replay_trace(
        Replay(
            source=TraceSource(trace, cluster, engine, format_name, skip_bad_rows, on, seed),
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
                file=services,
                policies=() if service_policy is None else (service_policy,),
                resolution=resolution,
                scenario=on,
            ),
            policy=policy,
            power=power,
            seed=seed,
            from_s=0.0 if from_s is None and on is not None else from_s,
            horizon_s=on.horizon_s if horizon is None and on is not None else horizon,
            out=out,
            report=not no_report,
            as_json=json,
        )
    )
