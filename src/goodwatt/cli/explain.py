"""`goodwatt explain`: why a job of a replay ran as it did. Printing is `explanation_view`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goodwatt.cli.run_options import JsonOption


def explain(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's job_id.", show_default=False)],
    folder: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="The same folder as --run, for short.", show_default=False)
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run", "-r", help="The folder that goodwatt replay --out left.", show_default="the newest goodwatt-out"
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", "-c", help="Where the cluster is now.", show_default="as the replay named it"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Explain a job: why it waited, why there, why that clock, what it cost, what else could have been."""
    from goodwatt.cli.explanation_view import show
    from goodwatt.cli.out_folder import latest_replay
    from goodwatt.cluster.fingerprint import fingerprint
    from goodwatt.cluster.presets import load_cluster
    from goodwatt.errors import InputError
    from goodwatt.scenarios.library import load_scenario
    from goodwatt.simulator.records.explanation import explain as explained
    from goodwatt.simulator.records.explanation_record import read_record

    if None not in (folder, run) and folder != run:
        raise InputError(f"expected one folder of a run, got {folder} and --run {run}")
    run = folder or run or latest_replay()
    record = read_record(run)
    record.job(job)
    named = cluster or record.manifest.get("cluster_given")
    scenario = record.manifest.get("scenario_given")
    if named is not None:
        machine = load_cluster(named)
    elif scenario is not None:
        machine = load_scenario(scenario).cluster
    else:
        raise InputError(f"{run}: the manifest does not say which cluster it was: name it with --cluster")
    if fingerprint(machine) != record.manifest["inputs"]["cluster_sha256"]:
        raise InputError(
            f"{named or scenario}: expected the cluster of the run in {run}, got another (name it with --cluster)"
        )
    show(explained(record, machine, job), json)
