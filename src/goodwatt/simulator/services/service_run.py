"""The services of a run: their instances as jobs that hold GPUs, and their requests, tick by tick.

An instance is a job that never ends by itself and waits in a pool of its service, which scheduling policies do not see.
A service policy starts it with `Place`, as any job; while it starts its GPUs hold a context; then its fleet sends it
requests. `Drain` lets it finish what it has and gives the GPUs back. Every `control_s` requests are simulated up to
now, the physics is told what the instances drew, and a decision falls due.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from goodwatt.cluster.job import Job
from goodwatt.cluster.packed import packed_gpus
from goodwatt.cluster.state import DoesNotFitError
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.served import HOST_CORES, Served, starting
from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.fleet import Fleet, new_fleet
from goodwatt.simulator.services.promise_watch import PromiseWatch
from goodwatt.simulator.services.service_record import ServiceRecord
from goodwatt.simulator.view import Pool

if TYPE_CHECKING:
    from goodwatt.cluster.cluster import Cluster
    from goodwatt.cluster.gpu_kind import GpuKind
    from goodwatt.cluster.state import Placement
    from goodwatt.simulator.physics.full import FullPhysics
    from goodwatt.simulator.services.board import Spent
    from goodwatt.simulator.services.service import Role, Service
    from goodwatt.simulator.services.serving import Serving
    from goodwatt.simulator.settings.run_options import RunOptions
    from goodwatt.simulator.settings.serving_settings import ServingSettings
    from goodwatt.simulator.simulation import Simulation


DIGITS = 2
SM_SHARE, OCCUPANCY = 0.9, 0.1
"""Of SMs with work and of warp slots in use while kernels run: h200_measured, large decode batches and prompts."""
DECODE_KERNEL_US, PROMPT_KERNEL_US = 22.0, 150.0
"""Mean length of kernels: those of llm_decode and llm_prefill in the catalogue."""


@dataclass(slots=True)
class Instance:
    """An instance of service number `service`: `role` as it was last placed, `slot` in the fleet while it serves.

    `draining`: it gets no more requests. `spent`: means since the last control, per GPU; `outstanding` requests.
    """

    run: JobRun
    service: int
    role: Role = "both"
    slot: int | None = None
    draining: bool = False
    outstanding: int = 0
    busy: float = 0.0

    @property
    def state(self) -> str:
        """Idle (it holds no GPUs), starting, serving or draining."""
        if not self.run.placement:
            return "idle"
        if self.draining:
            return "draining"
        return "starting" if self.slot is None else "serving"


class Services:
    """All services of a run; `instances` by job, `pools` by service. `due`: a control has just been made.

    `sharing[job]`: how much longer co-runners make an instance's kernels.
    """

    def __init__(
        self, servings: Sequence[Serving], settings: ServingSettings, first_index: int, start_s: float
    ) -> None:
        self.servings, self.settings = servings, settings
        self.fleet: Fleet = new_fleet(settings.resolution, servings, start_s)
        self.instances: dict[str, Instance] = {}
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
            self.pools.append(pool)

    @property
    def serving(self) -> bool:
        """Whether any instance gets requests, or finishes those it has."""
        return any(instance.slot is not None for instance in self.instances.values())

    @property
    def holding(self) -> int:
        """Instances that hold GPUs."""
        return sum(1 for instance in self.instances.values() if instance.run.placement)

    def pool_of(self, job_id: str) -> Pool | None:
        """The pool of an instance; None for any other job."""
        instance = self.instances.get(job_id)
        return None if instance is None else self.pools[instance.service]

    def of(self, service: int) -> Iterable[Instance]:
        """The instances of a service, in order."""
        return (instance for instance in self.instances.values() if instance.service == service)

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
        twin.instances = {
            job_id: Instance(live[job_id], i.service, i.role, i.slot, i.draining, i.outstanding, i.busy)
            for job_id, i in self.instances.items()
        }
        twin.pools = [pool.copy(dict(live)) for pool in self.pools]
        return twin


def services_of(cluster: Cluster, options: RunOptions, jobs: int, start_s: float) -> Services | None:
    """The services of a run; None without any. InputError where a kind or a model is not as it must be."""
    if not options.services:
        return None
    if options.physics != "full":
        raise InputError("services need --physics full: ideal physics knows of no requests")
    from goodwatt.simulator.services.serving import serving_of

    servings = [serving_of(service, _kind_in(cluster, service)) for service in options.services]
    return Services(servings, options.serving, jobs, start_s)


def _kind_in(cluster: Cluster, service: Service) -> GpuKind:
    if service.gpu not in cluster.kinds:
        what = f"GPU kind of service {service.name} in cluster {cluster.name}"
        raise UnknownNameError(what, service.gpu, cluster.kinds)
    return cluster.kinds[service.gpu]


def begin(sim: Simulation) -> None:
    """Instances may be placed from now on."""
    services = sim.services
    if services is None:
        return
    for job_id, instance in services.instances.items():
        sim.live[job_id] = instance.run
        physics_of(sim).serve(job_id, idle_of(services.servings[instance.service]))
    services.due = True
    sim.timers.set(sim.now_s + services.settings.control_s, Kind.SETTLE, control_services)
    sim.ask()


def check_role(sim: Simulation, run: JobRun, role: str) -> None:
    """DoesNotFitError where a job is to do what instances of its service do not; jobs do "both"."""
    instance = sim.services and sim.services.instances.get(run.spec.job_id)
    roles = sim.services.servings[instance.service].service.pools if sim.services and instance else ("both",)
    if role not in roles:
        raise DoesNotFitError(f"expected a role out of {', '.join(roles)}, got {role!r}")


def take_role(sim: Simulation, run: JobRun, role: str) -> None:
    """An instance is about to start in a role that it may have."""
    if sim.services is not None and (instance := sim.services.instances.get(run.spec.job_id)) is not None:
        instance.role = cast("Role", role)


def placed(sim: Simulation, run: JobRun) -> None:
    """A job has got GPUs: an instance starts on them."""
    services = sim.services
    if services is None or (instance := services.instances.get(run.spec.job_id)) is None:
        return
    serving = services.servings[instance.service]
    instance.draining, instance.slot = False, None
    physics_of(sim).serve(run.spec.job_id, idle_of(serving))
    began = sim.now_s > sim.start_s  # before, it ran already: a run is a stretch of a service's life
    run._truth.overhead_s = serving.service.start_s if began else 0.0


def ready(sim: Simulation, run: JobRun) -> None:
    """A job computes from now on: an instance gets requests."""
    services = sim.services
    if services is None or (instance := services.instances.get(run.spec.job_id)) is None or instance.slot is not None:
        return
    _up_to_now(sim, services)
    board = Board(services.servings[instance.service].model, physics_of(sim).chip(run))
    instance.slot = services.fleet.start(instance.service, board, instance.role)
    if (like := _another(services, instance)) is not None:
        physics_of(sim).serve(run.spec.job_id, physics_of(sim).served(like.run.spec.job_id))
    tune(sim, run)


def _another(services: Services, instance: Instance) -> Instance | None:
    """One that does the same already: until the next control a new one is taken to draw what it draws.

    The meter follows by one control, so an instance's last stretch is never told; this is its place.
    """
    others = (one for one in services.of(instance.service) if one.slot is not None and one is not instance)
    return next((one for one in others if one.role == instance.role and one.busy > 0.0), None)


def left(sim: Simulation, run: JobRun) -> None:
    """A job gives its GPUs back: the requests of an instance begin anew elsewhere."""
    services = sim.services
    if services is None or (instance := services.instances.get(run.spec.job_id)) is None:
        return
    if instance.slot is not None:
        _up_to_now(sim, services)
        services.fleet.evict(instance.slot)
    instance.slot, instance.draining, instance.outstanding, instance.busy = None, False, 0, 0.0


def drain(sim: Simulation, run: JobRun) -> None:
    """An instance gets no more requests, and gives its GPUs back when it has finished those that it has."""
    services = sim.services
    assert services is not None  # noqa: S101 - the executor has looked
    instance = services.instances[run.spec.job_id]
    instance.draining = True
    if instance.slot is None:
        sim.stop(run, why="drained")
        return
    _up_to_now(sim, services)
    services.fleet.drain(instance.slot)
    instance.outstanding = services.fleet.outstanding(instance.slot)
    if not instance.outstanding:
        sim.stop(run, why="drained")


def tune(sim: Simulation, run: JobRun) -> None:
    """The GPUs of a job have another clock or cap: an instance goes on with it."""
    services = sim.services
    if services is None or (instance := services.instances.get(run.spec.job_id)) is None or instance.slot is None:
        return
    _up_to_now(sim, services)
    _tune(sim, services, instance)


def disturbed(sim: Simulation, where: Placement) -> None:
    """Somebody has come to these GPUs, or is about to leave them: instances there go on at another pace."""
    services = sim.services
    if services is None or not services.serving:
        return
    masks = dict(where)
    for instance in services.instances.values():
        if instance.slot is not None and any(masks.get(node, 0) & mask for node, mask in instance.run.placement):
            _up_to_now(sim, services)
            _tune(sim, services, instance)


def _tune(sim: Simulation, services: Services, instance: Instance) -> None:
    assert instance.slot is not None  # noqa: S101 - asked by the callers
    board, physics = services.fleet.board(instance.slot), physics_of(sim)
    setting = physics.setting(instance.run)
    board.top = board.model.index_of(setting.clock_mhz)
    board.cap_w = board.model.default_cap_w if setting.cap_w is None else setting.cap_w
    board.sharing = physics.stretch(instance.run)


def mark(sim: Simulation, name: str) -> None:
    """The warm-up or the horizon ends here, or the run: what services have done until now is kept."""
    if sim.services is not None:
        _up_to_now(sim, sim.services)
        sim.services.record.mark(sim.services, name, sim.now_s)


@action
def control_services(sim: Simulation) -> None:
    """Requests are simulated up to now, the physics learns of the instances' watts, and a decision falls due."""
    services = sim.services
    assert services is not None  # noqa: S101 - `begin` has looked
    _up_to_now(sim, services)
    physics, span_s = physics_of(sim), services.settings.control_s
    services.count_arrivals(span_s)
    fleet = services.fleet
    waiting_s = [fleet.waiting_since_s(number) for number in range(len(services.servings))]
    services.watch.look(fleet.books, waiting_s, sim.now_s)
    for job_id, instance in services.instances.items():
        if instance.slot is None:
            continue
        board, spent = services.fleet.board(instance.slot), services.fleet.take_spent(instance.slot)
        if shares(sim, instance.run):
            _tune(sim, services, instance)  # what neighbours ask may be something else by now
        instance.outstanding = services.fleet.outstanding(instance.slot)
        instance.busy = min(1.0, spent.wall_s / span_s)
        physics.serve(job_id, served_by(spent, board, span_s, memory_mib_of(services.servings[instance.service])))
    for instance in list(services.instances.values()):
        if instance.draining and not instance.outstanding and instance.run.placement:
            sim.stop(instance.run, why="drained")
    sim.follow()
    services.record.control(services, sim.now_s)
    services.due = True
    if not sim.stop_if_over():
        sim.timers.set(sim.now_s + span_s, Kind.SETTLE, control_services)
        sim.ask()


def memory_mib_of(serving: Serving) -> int:
    """What an instance takes of each of its GPUs, once and for all."""
    return round(serving.service.memory_share * serving.model.kind.memory_mib)


def idle_of(serving: Serving) -> Served:
    """An instance that does nothing yet."""
    return starting(serving.model, memory_mib_of(serving))


def served_by(spent: Spent, board: Board, span_s: float, memory_mib: int) -> Served:
    """What an instance did, as means over a time."""
    model = board.model
    dram_w = model.memory_w * spent.dram_s / span_s
    sm_w = max(0.0, spent.joules / span_s - dram_w)
    x = board.x_of(board.top)
    gpu_s = max(spent.gpu_s, 1e-9)
    kappa = min(1.0, spent.scaled_s / gpu_s)
    demand = demand_of(min(1.0, gpu_s / span_s), spent.sm_s / gpu_s / x, spent.dram_s / gpu_s, kappa, memory_mib)
    return Served(demand, model.clocks_mhz[board.top], sm_w, dram_w)


def demand_of(duty: float, u: float, m: float, kappa: float, memory_mib: int) -> Demand:
    """What an instance asks of a GPU that it shares, rounded so that alike instances share what is computed for one."""
    return Demand(
        u=round(u, DIGITS),
        m=round(min(1.0, m), DIGITS),
        kappa=round(kappa, DIGITS),
        duty=round(max(duty, 0.01), DIGITS),
        sm=SM_SHARE,
        occupancy=OCCUPANCY,
        tensor=round(min(1.0, u), DIGITS),
        host_cores=HOST_CORES,
        memory_mib=memory_mib,
        kernel_us=DECODE_KERNEL_US + round(kappa, DIGITS) * (PROMPT_KERNEL_US - DECODE_KERNEL_US),
    )


def physics_of(sim: Simulation) -> FullPhysics:
    """Services need full physics; `services_of` has looked."""
    return cast("FullPhysics", sim.physics)


def shares(sim: Simulation, run: JobRun) -> bool:
    """Whether somebody else holds one of an instance's GPUs too."""
    return any(packed_gpus(sim.state.packed[node]) & mask for node, mask in run.placement)


def _up_to_now(sim: Simulation, services: Services) -> None:
    fleet, tick_s = services.fleet, services.settings.tick_s
    while fleet.now_s + tick_s < sim.now_s:
        fleet.advance(fleet.now_s + tick_s)
    if fleet.now_s < sim.now_s:
        fleet.advance(sim.now_s)


def _jobs(service: Service, start_s: float) -> Iterable[Job]:
    for number in range(service.max_replicas):
        yield Job(
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
