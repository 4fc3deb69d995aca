"""`goodwatt predict`: would these share a GPU well? Printing is `prediction_view`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class SharingMode(StrEnum):
    """How jobs share one GPU."""

    EXCLUSIVE = "exclusive"
    TIMESLICE = "timeslice"
    MPS = "mps"
    MIG = "mig"


JOB_HELP = (
    "A workload class (goodwatt workloads list), or telemetry measured alone on that kind: "
    "sm_util=.84,occupancy=.47,tensor=.13,dram_bw=.41,power_w=576,clock_mhz=1980,duty=.98"
)


def predict(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help=JOB_HELP, show_default=False)],
    gpu: Annotated[str, typer.Option("--gpu", "-g", help="A GPU kind (goodwatt gpus list).")],
    mode: Annotated[
        SharingMode | None,
        typer.Option(help="How they share it.", show_default="exclusive for one job, timeslice for several"),
    ] = None,
    threads: Annotated[
        str | None, typer.Option(help="MPS: percent of active threads, for all or for each job: 50,50.")
    ] = None,
    slices: Annotated[str | None, typer.Option(help="MIG: a profile for each job: 3g,4g.")] = None,
    clock: Annotated[float | None, typer.Option(help="Lock the SM clock, MHz.")] = None,
    cap: Annotated[float | None, typer.Option(help="Cap the board's power, W.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Predict speed and watts of jobs that share one GPU, from classes or telemetry, without a simulation."""
    from goodwatt.cli.prediction_view import show
    from goodwatt.cluster.catalogue import gpu_kind
    from goodwatt.power.telemetry import prediction
    from goodwatt.power.workloads.demand import Setting

    kind = gpu_kind(gpu)
    found = prediction.predict(
        kind,
        [prediction.subject(job, kind) for job in jobs],
        None if mode is None else mode.value,
        _percentages(threads),
        _words(slices),
        Setting(clock, cap),
    )
    show(found, json)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _percentages(text: str | None) -> list[float]:
    from goodwatt.errors import InputError

    try:
        return [float(word.removesuffix("%")) for word in _words(text)]
    except ValueError:
        raise InputError(f"--threads: expected percentages such as 50,50, got {text!r}") from None
