"""The options of replay and compare that concern services: which, with which policies for them, how they are run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from goodwatt.cluster.cluster import Cluster
    from goodwatt.scenarios.scenario import Scenario
    from goodwatt.simulator.services.service import Service
    from goodwatt.simulator.settings.run_options import RunOptions


class Resolution(StrEnum):
    """How requests are simulated."""

    TICKS = "ticks"
    REQUESTS = "requests"


ServicesOption = Annotated[
    Path | None,
    typer.Option("--services", help="YAML: inference services that run beside the jobs.", show_default=False),
]
ResolutionOption = Annotated[
    Resolution | None,
    typer.Option(
        help="ticks: all instances of services in steps of a second. requests: each request by itself.",
        show_default="ticks",
    ),
]
_NAMES_FILES = ("file", "profile")
"""Keys of a services file whose values are files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """What was asked for, as it came from the command line. `policies` are specifications of service policies.

    A file takes the place of all services of the scenario.
    """

    file: Path | None = None
    policies: tuple[str, ...] = ()
    resolution: Resolution | None = None
    scenario: Scenario | None = None

    @property
    def given(self) -> bool:
        """Whether there are services, of a file or of the scenario."""
        return self.file is not None or (self.scenario is not None and self.scenario.service_setting is not None)

    def check(self, physics: str) -> None:
        """Raises InputError where options lack others."""
        from goodwatt.errors import InputError

        if self.given:
            if physics != "full":
                wants = "--services" if self.file is not None else "--scenario"
                raise InputError(f"{wants} needs --physics full, got {physics}: ideal physics knows of no requests")
            return
        for option, given in (("--service-policy", self.policies), ("--resolution", self.resolution)):
            if given:
                raise InputError(f"{option}: expected --services FILE beside it, got no services")

    def contenders(self) -> tuple[str, ...]:
        """The service policies to run; one empty name where there are no services. Raises InputError."""
        if not self.given:
            return ("",)
        from goodwatt.policies.service_registry import DEFAULT_SERVICES, make_services

        policies = self.policies or (DEFAULT_SERVICES,)
        for policy in policies:
            make_services(policy)
        return policies

    def read(self, seed: int, *, skip_bad_rows: bool) -> Sequence[Service]:
        """The services for the runs with a seed. Raises InputError."""
        if self.file is None:
            return () if self.scenario is None else self.scenario.services(seed)
        from goodwatt.simulator.services.services_file import read_services

        return read_services(self.file, seed, skip_bad_rows=skip_bad_rows)

    def apply(self, options: RunOptions, services: Sequence[Service]) -> RunOptions:
        """The options of a run."""
        from goodwatt.simulator.settings.serving_settings import ServingSettings

        asked = ServingSettings(resolution="requests" if self.resolution is Resolution.REQUESTS else "ticks")
        return replace(options, services=tuple(services), serving=asked)

    def files(self) -> dict[str, Path]:
        """The services file and the files of requests that it names."""
        if self.file is None:
            return {}
        named = {f"services {name}": self.file.parent / name for name in dict.fromkeys(_named_files(self.file))}
        return {"services": self.file, **{key: path for key, path in named.items() if path.is_file()}}


def _named_files(path: Path) -> Iterator[str]:
    import yaml

    return _files_in(yaml.safe_load(path.read_text(encoding="utf-8")))


def _files_in(content: Any) -> Iterator[str]:
    """The files that a checked services file names, in its order."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key in _NAMES_FILES and isinstance(value, str):
                yield value
            yield from _files_in(value)
    elif isinstance(content, list):
        for value in content:
            yield from _files_in(value)


def note_requests(services: Sequence[Service], start_s: float) -> None:
    """Say on stderr what a reader of the results should know of the requests."""
    if not services:
        return
    from goodwatt.cli.inputs import note
    from goodwatt.simulator.services.service_requests import request_notes

    notes = [line for service in services for line in request_notes(service.requests)]
    notes += [
        f"service {service.name} gets no requests: they end at {service.requests.span_s:,.0f} s, the run begins at "
        f"{start_s:,.0f} s"
        for service in services
        if service.requests.span_s <= start_s
    ]
    for line in dict.fromkeys(notes):
        note(line)


def check_end(services: Iterable[Service], horizon_s: float | None) -> None:
    """Refuse a run without an end. Raises InputError."""
    import math

    from goodwatt.errors import InputError

    for service in services:
        if horizon_s is None and math.isinf(service.requests.span_s):
            raise InputError(f"requests of service {service.name} never end: say when the run does, --horizon SECONDS")


def check_instances(cluster: Cluster, options: RunOptions) -> None:
    """Refuse services whose instances this cluster can never run. Raises InputError."""
    if not options.services:
        return
    from goodwatt.cluster.gang import Feasibility
    from goodwatt.cluster.state import ClusterState
    from goodwatt.errors import InputError
    from goodwatt.simulator.services.services_state import services_of

    services = services_of(cluster, options, 0, 0.0)
    never_fits = Feasibility(ClusterState(cluster))
    for number, serving in enumerate(services.servings):
        service, job = serving.service, next(iter(services.of(number))).run.base
        reason = never_fits(job)
        widest = max((node.gpus for node in cluster.nodes if node.gpu_kind == service.gpu), default=0)
        if reason is None and service.tensor_parallel > widest:
            reason = f"expected tensor_parallel of at most {widest}, the GPUs of a node, got {service.tensor_parallel}"
        if reason is not None:
            raise InputError(f"instances of service {service.name} can never run on {cluster.name}: {reason}")
