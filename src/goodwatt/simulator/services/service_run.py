"""The services of a run: their instances as jobs that hold GPUs, and their requests, tick by tick.

An instance is a job that never ends by itself and waits in a pool of its service, which scheduling policies do not see.
A service policy starts it with `Place`, as any job; while it starts its GPUs hold a context; then its fleet sends it
requests. `Drain` lets it finish what it has and gives the GPUs back. Every `control_s` requests are simulated up to
now, the physics is told what the instances drew, and a decision falls due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from goodwatt.cluster.packed import packed_gpus
from goodwatt.cluster.state import DoesNotFitError
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action
from goodwatt.simulator.services.board import Board

if TYPE_CHECKING:
    from goodwatt.cluster.state import Placement
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.physics.full import FullPhysics
    from goodwatt.simulator.services.service import Role
    from goodwatt.simulator.services.services_state import Instance, Services
    from goodwatt.simulator.simulation import Simulation


def begin(sim: Simulation) -> None:
    """Instances may be placed from now on."""
    services = sim.services
    if services is None:
        return
    for job_id, instance in services.instances.items():
        sim.live[job_id] = instance.run
        physics_of(sim).serve(job_id, services.idle[instance.service])
    services.due = True
    sim.timers.set(sim.now_s + services.settings.control_s, Kind.SETTLE, control_services)
    _ask(sim)


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
    services.changed()
    physics_of(sim).serve(run.spec.job_id, services.idle[instance.service])
    run._truth.overhead_s = 0.0 if ran_already(sim, run) else serving.service.start_s


def ran_already(sim: Simulation, run: JobRun) -> bool:
    """Whether an instance is there from the beginning: a run is a stretch of a service's life."""
    return sim.now_s <= sim.start_s and sim.services is not None and run.spec.job_id in sim.services.instances


def ready(sim: Simulation, run: JobRun) -> None:
    """A job computes from now on: an instance gets requests."""
    services = sim.services
    if services is None or (instance := services.instances.get(run.spec.job_id)) is None or instance.slot is not None:
        return
    _up_to_now(sim, services)
    board = Board(services.servings[instance.service].model, physics_of(sim).chip(run))
    instance.slot = services.fleet.start(instance.service, board, instance.role)
    services.changed()
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
    instance.owed_j, instance.told = 0.0, None
    services.changed()


def least_left(services: Services, instance: Instance) -> int | None:
    """The least instances of its role, if one would be missing without this one."""
    least, _ = services.servings[instance.service].service.pools[instance.role]
    alike = (one for one in services.of(instance.service) if one.role == instance.role)
    left = sum(one.state in {"starting", "serving"} for one in alike if one is not instance)
    return least if left < least and not instance.draining else None


def drain(sim: Simulation, run: JobRun) -> None:
    """An instance gets no more requests, and gives its GPUs back when it has finished those that it has."""
    services = sim.services
    assert services is not None  # noqa: S101 - the executor has looked
    instance = services.instances[run.spec.job_id]
    instance.draining = True
    services.changed()
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
    if services is None or not services.any_serving:
        return
    masks = dict(where)
    for instance in services.instances.values():
        if instance.slot is not None and any(masks.get(node, 0) & mask for node, mask in instance.run.placement):
            instance.told = None  # what the meter shows of it now is not its own
            _up_to_now(sim, services)
            _tune(sim, services, instance)


def _tune(sim: Simulation, services: Services, instance: Instance) -> None:
    assert instance.slot is not None  # noqa: S101 - asked by the callers
    board, physics, run = services.fleet.board(instance.slot), physics_of(sim), instance.run
    setting, stretch, sliced = physics.setting(run), physics.stretch(run), run.spec.mig_profile is not None
    board.top = board.model.index_of(setting.clock_mhz)
    if not sliced and shares(sim, run):  # a board slows all that is on it
        board.top = min(board.top, board.model.index_of(min(physics.held_mhz(run).values(), default=None)))
    board.cap_w = board.model.default_cap_w if setting.cap_w is None else setting.cap_w
    board.sharing = 1.0 if sliced else stretch.kernels  # in a slice, the law is that of the slice
    instance.clock_mhz, instance.metered = board.model.clocks_mhz[board.top], stretch.wall


def mark(sim: Simulation, name: str) -> None:
    """The warm-up or the horizon ends here, or the run: what services have done until now is kept."""
    if sim.services is not None:
        _up_to_now(sim, sim.services)
        sim.services.record.mark(sim.services, name, sim.now_s)


@action
def control_services(sim: Simulation) -> None:
    """Requests are simulated up to now, the physics learns of the instances' watts, and a decision falls due."""
    from goodwatt.simulator.services.instance_draw import draws_of  # numpy is loaded where there are services
    from goodwatt.simulator.services.service_record import energy_j

    services = sim.services
    assert services is not None  # noqa: S101 - `begin` has looked
    _up_to_now(sim, services)
    physics, span_s = physics_of(sim), services.settings.control_s
    services.count_arrivals(span_s)
    fleet = services.fleet
    waiting_s = [fleet.waiting_since_s(number) for number in range(len(services.servings))]
    services.watch.look(fleet.books, waiting_s, sim.now_s)
    report = fleet.report()
    for instance, outstanding, busy_s in zip(services.at(report.slots), *report.requests, strict=True):
        instance.outstanding, instance.busy = outstanding, min(1.0, busy_s / span_s)
    draws = draws_of(services, report)
    for instance in services.at(report.slots):
        instance.told = None
    for run, watts in physics.serve_all(draws):
        run.draws(sim.now_s, watts)
        services.instances[run.spec.job_id].told = energy_j(run, sim.now_s), watts
    _retune(sim, services)
    draining = any(census.draining for census in services.census)
    for instance in list(services.instances.values()) if draining else ():
        if instance.draining and not instance.outstanding and instance.run.placement:
            sim.stop(instance.run, why="drained")
    sim.follow()
    services.record.control(services, sim.now_s)
    services.due = True
    if not sim.stop_if_over():
        sim.timers.set(sim.now_s + span_s, Kind.SETTLE, control_services)
        _ask(sim)


def _ask(sim: Simulation) -> None:
    """Let a decision fall due now: where jobs wait for the next round, one about services only."""
    sim.ask()
    if sim.round_s > sim.now_s:
        sim.clock.call(sim.now_s, Kind.DECIDE, sim.open_between, None)


def _retune(sim: Simulation, services: Services) -> None:
    """Who shares GPUs goes on at another pace if what its neighbours ask is something else by now."""
    parts = any(serving.service.mig_profile is not None for serving in services.servings)
    for instance in services.instances.values() if parts or any(sim.state.packed) else ():
        if instance.slot is not None and (instance.run.spec.mig_profile is not None or shares(sim, instance.run)):
            _tune(sim, services, instance)


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
