"""`goodwatt bounds`: what no policy can do better than. Printing is `bounds_view`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goodwatt.cli.power_options import (
    Physics,
    PhysicsOption,
    PowerSettings,
    Truth,
    TruthOption,
    WorkloadsOption,
    finite,
)
from goodwatt.cli.run_options import ClusterOption, FormatOption, JsonOption, SkipOption, TraceArgument


def bounds(
    trace: TraceArgument,
    cluster: ClusterOption,
    physics: PhysicsOption = Physics.FULL,
    truth: TruthOption = Truth.RESIDUAL,
    workloads: WorkloadsOption = None,
    budget_w: Annotated[
        float | None, typer.Option("--budget-w", help="IT power that no run may exceed.", min=0, callback=finite)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the runs that are held against the bounds.")] = 0,
    from_s: Annotated[
        float | None,
        typer.Option("--from", help="Leave out jobs submitted before this second of the trace.", callback=finite),
    ] = None,
    horizon: Annotated[
        float | None,
        typer.Option(
            help="Count work and energy for so many seconds.",
            min=0,
            callback=finite,
            show_default="up to the last submission",
        ),
    ] = None,
    residents: Annotated[
        int, typer.Option(help="Most jobs that a policy may put on one whole GPU at a time.", min=1, max=8)
    ] = 1,
    slots: Annotated[int, typer.Option(help="Slots of time: more are tighter and slower.", min=1)] = 24,
    groups: Annotated[int, typer.Option(help="Groups of like jobs: more are tighter and slower.", min=1)] = 96,
    format_name: FormatOption = None,
    skip_bad_rows: SkipOption = False,
    out: Annotated[Path | None, typer.Option(help="Write the JSON to this file too.", show_default=False)] = None,
    json: JsonOption = False,
) -> None:
    """Bound work and energy of a trace on a cluster: what would the best of all policies do at most?"""
    from goodwatt.cli.bounds_view import check_writable, show
    from goodwatt.cli.inputs import TraceSource, note, note_hosts
    from goodwatt.cli.progress import progress
    from goodwatt.policies.bounds.energy_bounds import BOUND_STEPS, BoundOptions, energy_bounds

    if out is not None:
        check_writable(out)
    read = TraceSource(trace, cluster, "default", format_name, skip_bad_rows).read()
    settings = PowerSettings(physics=physics, truth=truth, workloads=workloads)
    start_s = from_s if from_s is not None else read.trace.jobs[0].submit_s
    about = BoundOptions(
        start_s=start_s,
        horizon_s=None if horizon is None else start_s + horizon,
        physics=physics.value,
        truth=truth.value,
        seed=seed,
        residents=residents,
        budget_w=budget_w,
        slots=slots,
        groups=groups,
    )
    steps = 0

    def told(done: int) -> None:
        nonlocal steps
        steps = done
        advance(done, "")

    try:
        with progress("bounding", BOUND_STEPS, "steps") as advance:
            found = energy_bounds(settings.classed(read.trace.jobs), read.cluster, about, told)
    except KeyboardInterrupt:
        note(
            f"interrupted: {steps} of {BOUND_STEPS} steps, which bound nothing yet; fewer --slots, --groups are faster"
        )
        raise typer.Exit(130) from None
    note_hosts(read.cluster)
    show({"trace": read.trace.name, **found}, out, json)
