"""What policies see of services: who is there, what comes, how it goes. To be read only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from goodwatt.simulator.services.recent_requests import Recent

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.services.latency_book import LatencyBook
    from goodwatt.simulator.services.service import Role, Service
    from goodwatt.simulator.services.services_state import Services
    from goodwatt.simulator.services.serving import Serving


class InstanceView(NamedTuple):
    """An instance: idle, starting, serving or draining; its role, its job, requests that it has not finished, and the
    share of the time since the last control in which it had something to do."""

    run: JobRun
    state: str
    role: Role
    outstanding: int
    busy: float

    @property
    def job_id(self) -> str:
        """By which decisions name it."""
        return self.run.spec.job_id


class ServicesView:
    """`due`: a control has just been made, and decisions about services are wanted."""

    __slots__ = ("_services",)

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def due(self) -> bool:
        """Whether something is to be decided about services now."""
        return self._services.due

    @property
    def control_s(self) -> float:
        """From one control to the next."""
        return self._services.settings.control_s

    @property
    def servings(self) -> Sequence[Serving]:
        """The services and what their iterations cost."""
        return self._services.servings

    def service(self, number: int) -> Service:
        """A service by number."""
        return self._services.servings[number].service

    def instances(self, number: int) -> list[InstanceView]:
        """All instances of a service, in order."""
        return [InstanceView(i.run, i.state, i.role, i.outstanding, i.busy) for i in self._services.of(number)]

    def number_of(self, job_id: str) -> int | None:
        """Of the service that a job is an instance of; None for any other job."""
        instance = self._services.instances.get(job_id)
        return None if instance is None else instance.service

    def least_w(self, number: int) -> float:
        """Watts of a GPU below which no cap brings a busy instance: what the lowest clock draws."""
        return self._services.idle_told[number].least_w(self._services.servings[number].model, 1.0)

    def rate(self, number: int) -> float:
        """Requests a second since the last control."""
        return self._services.rates[number]

    def at_risk(self, number: int) -> bool:
        """Whether the promise of a service is, so that the guard restores what it needs."""
        return self._services.watch.at_risk(number, self._services.fleet.now_s)

    def queued(self, number: int) -> int:
        """Requests of which nothing has been computed yet."""
        return self._services.fleet.queued(number)

    def book(self, number: int) -> LatencyBook:
        """What became of the requests so far."""
        return self._services.fleet.books[number]

    def done_since(self, number: int, from_s: float) -> Recent:
        """Requests that were done after this time, of the last two minutes at most."""
        return self.book(number).recent.since(from_s)
