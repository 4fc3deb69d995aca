"""The state of the services of a run: instances, their fleet, what is counted of them. What happens: `service_run`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from goodwatt.cluster.job import Job
from goodwatt.cluster.mig_state import sliced_request
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.truth import truth_of
from goodwatt.simulator.services.fleet import Fleet, new_fleet
from goodwatt.simulator.services.instance_draw import idle_of
from goodwatt.simulator.services.promise_watch import PromiseWatch
from goodwatt.simulator.services.service_record import ServiceRecord
from goodwatt.simulator.services.service_truth import truly
from goodwatt.simulator.services.serving import serving_of
from goodwatt.simulator.view import Pool

if TYPE_CHECKING:
    from goodwatt.cluster.cluster import Cluster
    from goodwatt.cluster.gpu_kind import GpuKind
    from goodwatt.simulator.physics.truth import Truth
    from goodwatt.simulator.services.service import Role, Service
    from goodwatt.simulator.services.serving import Serving
    from goodwatt.simulator.settings.run_options import RunOptions
    from goodwatt.simulator.settings.serving_settings import ServingSettings


@dataclass(slots=True)
class Instance:
    """An instance of service number `service`: `role` as it was last placed, `slot` in the fleet while it serves.

    `draining`: it gets no more requests. At the last control it had `outstanding` requests, and was `busy` for a share
    of the time since the one before. `clock_mhz`: the greatest that it may reach; `metered`: how many times longer the
    meter takes its work to be than alone on whole GPUs; `owed_j`: what it has not shown yet of what a GPU drew;
    `told`: (joules that its GPUs had drawn, watts) when it was last told alone, None if it is not.
    """

    run: JobRun
    service: int
    role: Role = "both"
    slot: int | None = None
    draining: bool = False
    outstanding: int = 0
    busy: float = 0.0
    clock_mhz: float = 0.0
    metered: float = 1.0
    owed_j: float = 0.0
    told: tuple[float, float] | None = None

    @property
    def state(self) -> str:
        """Idle (it holds no GPUs), starting, serving or draining."""
        if not self.run.placement:
            return "idle"
        if self.draining:
            return "draining"
        return "starting" if self.slot is None else "serving"


class Census(NamedTuple):
    """How many instances of a service do what."""

    serving: int
    starting: int
    draining: int

    @property
    def holding(self) -> int:
        """Those that hold GPUs."""
        return self.serving + self.starting + self.draining


class Services:
    """All services of a run; `instances` by job, `pools` by service. `due`: a control has just been made.

    `idle`: instances that do nothing, by service; `idle_told`: by the law that policies know.
    """

    def __init__(
        self, servings: Sequence[Serving], settings: ServingSettings, first_index: int, start_s: float, truth: Truth
    ) -> None:
        self.servings, self.settings = servings, settings
        self._true = [truly(serving, truth) for serving in servings]
        self.idle, self.idle_told = ([idle_of(serving) for serving in of] for of in (self._true, servings))
        self.fleet: Fleet = new_fleet(settings.resolution, self._true, start_s)
        self.instances: dict[str, Instance] = {}
        self._of: list[list[Instance]] = [[] for _ in servings]
        self._census: list[Census] | None = None
        self._by_slot: dict[int, Instance] | None = None
        self.pools: list[Pool] = []
        self.due = False
        self.watch = PromiseWatch(len(servings))
        self.record = ServiceRecord(len(servings), start_s)
        self.rates = [0.0] * len(servings)
        self._arrived = [0] * len(servings)
        for number, serving in enumerate(servings):
            pool = Pool(serving.service.partition, 0)
            for job in _jobs(serving.service, start_s):
                run = JobRun(job, first_index + len(self.instances))
                run.key = (run.index,)
                pool.queue.add((run.key, run.sequence, run))
                self.instances[job.job_id] = Instance(run, number)
                self._of[number].append(self.instances[job.job_id])
            self.pools.append(pool)

    @property
    def any_serving(self) -> bool:
        """Whether any instance gets requests, or finishes those it has."""
        return any(census.serving or census.draining for census in self.census)

    @property
    def holding(self) -> int:
        """Instances that hold GPUs."""
        return sum(census.holding for census in self.census)

    def pool_of(self, job_id: str) -> Pool | None:
        """The pool of an instance; None for any other job."""
        instance = self.instances.get(job_id)
        return None if instance is None else self.pools[instance.service]

    def of(self, service: int) -> Iterable[Instance]:
        """The instances of a service, in order."""
        return self._of[service]

    def changed(self) -> None:
        """An instance begins or ceases to hold GPUs, to serve or to drain."""
        self._census = self._by_slot = None

    @property
    def census(self) -> list[Census]:
        """By service."""
        if self._census is None:
            self._census = [_census(instances) for instances in self._of]
        return self._census

    def at(self, slots: Iterable[int]) -> list[Instance]:
        """The instances with these slots."""
        if self._by_slot is None:
            self._by_slot = {one.slot: one for one in self.instances.values() if one.slot is not None}
        return [self._by_slot[slot] for slot in slots]

    @property
    def ends_s(self) -> float:
        """When the last request of all comes; infinite where they never end."""
        return max((serving.service.requests.span_s for serving in self.servings), default=-math.inf)

    def count_arrivals(self, span_s: float) -> None:
        """Requests a second since the last control, by service."""
        arrived = [book.arrived_in_all for book in self.fleet.books]
        self.rates = [(now - before) / span_s for now, before in zip(arrived, self._arrived, strict=True)]
        self._arrived = arrived

    def over(self, now_s: float) -> bool:
        """Whether everybody has been served and nobody will come."""
        if now_s < self.ends_s or any(self.fleet.queued(number) for number in range(len(self.servings))):
            return False
        return not any(instance.outstanding for instance in self.instances.values())

    def copy(self, live: Mapping[str, JobRun]) -> Services:
        """The same over copies of the jobs."""
        twin = object.__new__(Services)
        twin.__dict__.update(self.__dict__)
        twin.fleet, twin.watch, twin.record = self.fleet.copy(), self.watch.copy(), self.record.copy()
        twin.instances = {job_id: replace(instance, run=live[job_id]) for job_id, instance in self.instances.items()}
        twin._of = [[twin.instances[one.run.spec.job_id] for one in instances] for instances in self._of]
        twin.changed()
        twin.pools = [pool.copy(dict(live)) for pool in self.pools]
        return twin


def _census(instances: Iterable[Instance]) -> Census:
    states = [instance.state for instance in instances]
    return Census(states.count("serving"), states.count("starting"), states.count("draining"))


def services_of(cluster: Cluster, options: RunOptions, jobs: int, start_s: float) -> Services:
    """The services of a run. InputError where a kind or a model is not as it must be."""
    if options.physics != "full":
        raise InputError("services need --physics full: ideal physics knows of no requests")
    servings = [serving_of(service, _kind_in(cluster, service)) for service in options.services]
    return Services(servings, options.serving, jobs, start_s, truth_of(options))


def _kind_in(cluster: Cluster, service: Service) -> GpuKind:
    if service.gpu not in cluster.kinds:
        what = f"GPU kind of service {service.name} in cluster {cluster.name}"
        raise UnknownNameError(what, service.gpu, cluster.kinds)
    return cluster.kinds[service.gpu]


def _jobs(service: Service, start_s: float) -> Iterable[Job]:
    for number in range(service.max_replicas):
        job = Job(
            job_id=f"{service.name}/{number}",
            submit_s=start_s,
            num_gpus=service.tensor_parallel,
            gpu_kind=(service.gpu,),
            user=service.user,
            partition=service.partition,
            name=service.name,
            priority=service.priority,
            duration_s=math.inf,
        )
        yield job if service.mig_profile is None else sliced_request(job, service.mig_profile)
