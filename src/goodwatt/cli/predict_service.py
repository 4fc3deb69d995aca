"""`goodwatt predict --service`: which service is meant, and the prediction. Printing is `service_prediction_view`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goodwatt.cli.inputs import note
from goodwatt.cli.progress import progress
from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.power.workloads.catalogue import workload_class
from goodwatt.power.workloads.demand import Setting
from goodwatt.simulator.services.batch_work import TYPICAL
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.service_prediction import ServicePrediction, predict_service, trials_at_most
from goodwatt.simulator.services.service_requests import request_notes
from goodwatt.simulator.services.services_file import read_services
from goodwatt.simulator.services.serving import serving_of


def predicted(
    where: str,
    rate_per_s: float | None,
    replicas: int | None,
    setting: Setting,
    beside: Sequence[str] | None = None,
) -> ServicePrediction:
    """The service of FILE[:NAME] at a load, with jobs of these classes beside it. Raises InputError."""
    service = one_service(where)
    if rate_per_s is None:
        raise InputError("--service: expected --rate R beside it, the requests per second of all replicas together")
    for line in request_notes(service.requests):
        note(line)
    serving = serving_of(service, gpu_kind(service.gpu))
    classes = TYPICAL if beside is None else tuple(dict.fromkeys(beside))
    for name in classes:
        workload_class(name)  # a mistake is told before anything takes its time
    if beside is not None and (service.separate or service.mig_profile is not None):
        note("--beside left out: jobs are told beside instances that do all of a request on whole GPUs")
    with progress(f"predict {service.name}", trials_at_most(serving, len(classes)), "trials") as advance:
        done = 0

        def tell(what: str) -> None:
            nonlocal done
            advance(done, what)
            done += 1

        return predict_service(serving, rate_per_s, replicas, setting, beside=classes, tell=tell)


def one_service(where: str) -> Service:
    """The service that FILE or FILE:NAME means. Raises InputError."""
    path, name = _parted(where)
    services = {service.name: service for service in read_services(path)}
    if name is None and len(services) > 1:
        raise InputError(f"{path} has several services: say which, {path}:NAME with {', '.join(services)}")
    if name is None:
        return next(iter(services.values()))
    if name not in services:
        raise UnknownNameError(f"service in {path}:", name, services)
    return services[name]


def _parted(where: str) -> tuple[Path, str | None]:
    """A file whose name has a colon is meant where there is one."""
    file, colon, name = where.rpartition(":")
    if not colon or Path(where).exists():
        return Path(where), None
    return Path(file), name
