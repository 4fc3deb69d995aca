"""`goodwatt predict`: would these share a GPU well, or what does a service take? Printing is `prediction_view` and
`service_prediction_view`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from goodwatt.power.workloads.demand import Setting


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


SERVICE_HELP = "Instead of JOBs: a service of a services file, by its name where there are several."


def predict(
    jobs: Annotated[list[str] | None, typer.Argument(metavar="[JOB...]", help=JOB_HELP, show_default=False)] = None,
    gpu: Annotated[str | None, typer.Option("--gpu", "-g", help="A GPU kind (goodwatt gpus list).")] = None,
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
    service: Annotated[str | None, typer.Option(metavar="FILE[:NAME]", help=SERVICE_HELP)] = None,
    rate: Annotated[float | None, typer.Option(metavar="R", help="Service: requests per second in all.")] = None,
    replicas: Annotated[
        int | None, typer.Option(metavar="N", help="Service: how many instances; default: its fewest.")
    ] = None,
    beside: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS,..",
            help="Service: workload classes of batch jobs that may run beside it.",
            show_default="three of training",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Predict speed and watts of jobs that share one GPU, from classes or telemetry, without a cluster.

    With --service: latencies, watts and energy of a service at a load, the clock of least energy that keeps its
    promise, how much load it takes, and how much batch work fits beside it. This simulates some minutes of requests
    again and again, for some seconds.
    """
    from goodwatt.power.workloads.demand import Setting

    setting = Setting(clock, cap)
    if service is not None:
        _refuse("--service", {"JOB": jobs, "--gpu": gpu, "--mode": mode, "--threads": threads, "--slices": slices})
        _predict_service(service, rate, replicas, setting, None if beside is None else _words(beside), json)
        return
    _refuse("JOBs", {"--rate": rate, "--replicas": replicas, "--beside": beside})
    _predict_jobs(jobs or [], gpu, None if mode is None else mode.value, threads, slices, setting, json)


def _predict_service(
    where: str,
    rate_per_s: float | None,
    replicas: int | None,
    setting: Setting,
    beside: list[str] | None,
    as_json: bool,
) -> None:
    from goodwatt.cli.predict_service import predicted
    from goodwatt.cli.service_prediction_view import show

    show(predicted(where, rate_per_s, replicas, setting, beside), as_json)


def _predict_jobs(
    jobs: list[str],
    gpu: str | None,
    mode: str | None,
    threads: str | None,
    slices: str | None,
    setting: Setting,
    as_json: bool,
) -> None:
    from goodwatt.cli.prediction_view import show
    from goodwatt.cluster.catalogue import gpu_kind
    from goodwatt.errors import InputError
    from goodwatt.power.telemetry import prediction

    if not jobs or gpu is None:
        lacking = "a JOB" if not jobs else "--gpu KIND"
        raise InputError(
            f"expected JOB... with --gpu KIND, or --service FILE[:NAME] with --rate R; {lacking} is missing"
        )
    kind = gpu_kind(gpu)
    subjects = [prediction.subject(job, kind) for job in jobs]
    show(prediction.predict(kind, subjects, mode, _percentages(threads), _words(slices), setting), as_json)


def _refuse(beside: str, options: Mapping[str, object]) -> None:
    """What counts nowhere is a mistake of whoever typed it."""
    from goodwatt.errors import InputError

    for name, value in options.items():
        if value not in (None, []):
            raise InputError(f"{name}: not with {beside}")


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _percentages(text: str | None) -> list[float]:
    from goodwatt.errors import InputError

    try:
        return [float(word.removesuffix("%")) for word in _words(text)]
    except ValueError:
        raise InputError(f"--threads: expected percentages such as 50,50, got {text!r}") from None
