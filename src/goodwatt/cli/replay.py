"""`goodwatt replay`: one policy on one trace."""

from __future__ import annotations

import math
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"expected a finite number, got {value}")
    return value


class Physics(StrEnum):
    """How fast jobs run and what they draw."""

    IDEAL = "ideal"


TraceArgument = Annotated[
    str, typer.Argument(help="A trace: file, folder, or the name of a bundled one.", show_default=False)
]
ClusterOption = Annotated[
    str, typer.Option("--cluster", "-c", help="A preset (goodwatt clusters list) or a cluster file.")
]
PowerOption = Annotated[
    float | None,
    typer.Option("--budget-w", help="Power budget in watts: time above it is reported.", min=0, callback=_finite),
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
        str, typer.Option("--policy", "-p", help="order, placement or order+placement (goodwatt policies list).")
    ],
    power: PowerOption = None,
    physics: Annotated[Physics, typer.Option(help="ideal: each job takes its traced duration.")] = Physics.IDEAL,  # noqa: ARG001
    engine: EngineOption = "default",
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    from_s: Annotated[
        float | None, typer.Option("--from", help="Leave out jobs submitted before this second.", callback=_finite)
    ] = None,
    horizon: Annotated[
        float | None, typer.Option(help="Stop so many seconds after the start.", min=0, callback=_finite)
    ] = None,
    format_name: FormatOption = None,
    skip_bad_rows: SkipOption = False,
    out: Annotated[Path, typer.Option(help="Folder for jobs.csv, timeline.csv, summary.json, report.html.")] = Path(
        "goodwatt-out"
    ),
    no_report: NoReportOption = False,
    json: JsonOption = False,
) -> None:
    """Replay a trace under one policy: how would the cluster have done?"""
    from goodwatt.cli import inputs, manifest, summary_view
    from goodwatt.cli.progress import progress
    from goodwatt.cluster.presets import load_cluster
    from goodwatt.errors import InputError
    from goodwatt.policies.registry import make_policy
    from goodwatt.simulator.engine import load_engine
    from goodwatt.simulator.outputs import write_refusals, write_run
    from goodwatt.simulator.run import finish, result
    from goodwatt.simulator.run_options import RunOptions
    from goodwatt.simulator.simulation import Simulation

    chosen, machine, settings = make_policy(policy), load_cluster(cluster), load_engine(engine)
    inputs.check_nodes(settings, machine)
    source = inputs.load_trace(trace, format_name, skip_bad_rows)
    inputs.check_fits(source, machine, skip_bad_rows)
    jobs = [job for job in source.jobs if from_s is None or job.submit_s >= from_s]
    if not jobs:
        raise InputError(f"--from {from_s:g}: no jobs left, the last is submitted at {source.jobs[-1].submit_s:g}")
    inputs.make_folder(out)
    start_s = from_s if from_s is not None else jobs[0].submit_s
    until_s = None if horizon is None else start_s + horizon
    options = RunOptions(seed=seed, start_s=start_s, horizon_s=until_s, budget_w=power, draw=not no_report)
    simulation = Simulation(jobs, machine, chosen, settings, options)
    with progress(policy, len(jobs), "jobs ended") as advance:
        complete = finish(simulation, lambda ended: advance(ended, ""))
    run = replace(result(simulation, partial=not complete), policy=policy)
    run.summary.update(policy=policy, **manifest.cost())
    facts = manifest.manifest(source, machine, settings, policy=policy, seed=seed, partial=not complete)
    write_run(out, run, facts)
    (out / "refusals.csv").unlink(missing_ok=True)  # of an earlier run in the same folder
    if simulation.executor.refusals:
        write_refusals(out / "refusals.csv", simulation.executor.refusals)
    if not no_report:
        from goodwatt.cli.report import write_report

        write_report(out / "report.html", [run], None, facts)
    summary_view.show(run.summary, out, report=not no_report, as_json=json)
    if not complete:
        ended = simulation.recorder.totals.ended
        done = f"{ended:,} of {len(jobs):,} jobs ended"
        inputs.note(f"interrupted at {simulation.now_s:,.0f} s, {done}: marked as partial")
        raise typer.Exit(130)
