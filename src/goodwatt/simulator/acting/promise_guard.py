"""Promises of services are guardrails: kept whatever the policies decide, as far as the cluster has what it takes.

While a promise is at risk (`promise_watch`) the clocks and caps of its instances go back to the boards' own, jobs
beside them are stopped, and instances are added where there is room, or where jobs that may be stopped make some.
Nothing that would make it worse is applied meanwhile: no slower clock, nobody beside, no instance drained. All this
happens at the next control, so within `control_s` and what a clock takes to settle.

Where a power budget is enforced it is the harder limit. Caps go back only where there is room for all instances whose
promises are at risk; else whoever divides the power says how much of it they get, and may lower their caps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from goodwatt.cluster.bitset import members
from goodwatt.cluster.state import DoesNotFitError, NodeCounts
from goodwatt.simulator import nodes
from goodwatt.simulator.acting.longest_wait import first_fit
from goodwatt.simulator.decisions import Decision, Drain, Group, Place, Preempt, SetCap, SetClock
from goodwatt.simulator.power import power_control
from goodwatt.simulator.services import service_run

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.services.services_state import Instance, Services
    from goodwatt.simulator.simulation import Simulation

REASON = "the promise of {} is at risk"


def refuse(sim: Simulation, decision: Decision) -> str | None:
    """Why a decision is not applied: it would make a promise worse that is at risk already."""
    services = sim.services
    if services is None or not sim.options.guardrails.promises:
        return None
    name = _slowed(decision, divided=sim.book is not None and sim.book.limited)
    instance = services.instances.get(name) if name is not None else None
    if instance is None or not services.watch.at_risk(instance.service, sim.now_s):
        return None
    return REASON.format(services.servings[instance.service].service.name)


def _slowed(decision: Decision, divided: bool) -> str | None:
    """The instance that a decision would slow, or take away; `divided`: caps are how a power budget is kept."""
    if isinstance(decision, Drain):
        return decision.job_id
    if isinstance(decision, Place):
        return decision.beside
    if isinstance(decision, SetClock) and decision.clock_mhz is not None:
        return decision.job_id
    if isinstance(decision, SetCap) and decision.cap_w is not None and not divided:
        return decision.job_id
    return None


def guard(sim: Simulation) -> None:
    """A control has been made: restore what promises need that are at risk."""
    services = sim.services
    if services is None or not sim.options.guardrails.promises:
        return
    at_risk = [number for number in range(len(services.servings)) if services.watch.at_risk(number, sim.now_s)]
    runs = {number: [one.run for one in services.of(number) if one.run.placement] for number in at_risk}
    caps_too = sim.book is None or sim.book.may_release([run for number in at_risk for run in runs[number]])
    for number in at_risk:
        why = REASON.format(services.servings[number].service.name)
        for run in runs[number]:
            _restore(sim, run, why, caps_too)
        if services.watch.since_s[number] < sim.now_s:  # what has been restored has had a control to help
            _add(sim, services, number, why)


def _restore(sim: Simulation, run: JobRun, why: str, caps_too: bool) -> None:
    """The boards' own clock, their cap if there is power for it, and nobody beside."""
    before = power_control.wished(sim, run)
    wish = None, None if caps_too else before[1]
    if wish != before:
        run.why = why
        power_control.set_gpus(sim, run, *wish)
    for other in nodes.together(sim, run) if service_run.shares(sim, run) else ():
        if other is not run and sim.options.guardrails.may_stop(other.base):
            sim.stop(other, why=why)


def _add(sim: Simulation, services: Services, number: int, why: str) -> None:
    """Start one more instance of each role, if none is starting already."""
    instances = list(services.of(number))
    for role in services.servings[number].service.pools:
        mine = [one for one in instances if one.role == role and one.run.placement]
        most = services.servings[number].service.pools[role][1]
        if len(mine) < most and not any(one.state == "starting" for one in mine):
            _start_one(sim, [one for one in instances if one.state == "idle"], role, why)


def _start_one(sim: Simulation, idle: list[Instance], role: str, why: str) -> None:
    if not idle:
        return
    run = idle[0].run
    where = first_fit(run.base, sim.state)
    if where is not None:
        sim.executor.apply([Place(run.spec.job_id, where, cap_w=_cap_w(sim, where), role=role)])
        return
    found = min(_rooms(sim, run), key=lambda room: (len(room[1]), room[0]), default=None)
    if found is not None:
        node, gone = found
        nodes = ((node, run.base.num_gpus),)
        place = Place(run.spec.job_id, nodes, cap_w=_cap_w(sim, nodes, gone), role=role)
        sim.executor.apply([Group((*[Preempt(job_id, why) for job_id in gone], place), why)])


def _cap_w(sim: Simulation, where: NodeCounts, gone: Sequence[str] = ()) -> float | None:
    """The cap under which an instance starts, these jobs gone: the boards' own where there is power, or the lowest."""
    kind = sim.cluster.kinds[sim.cluster.nodes[where[0][0]].gpu_kind]
    if sim.book is None or kind.max_w is None or sim.book.plan(gone).shortage(where, kind.max_w) is None:
        return None
    return kind.min_cap_w


def _rooms(sim: Simulation, run: JobRun) -> Iterator[tuple[int, list[str]]]:
    """Nodes on which an instance would fit if these jobs were stopped."""
    for node in members(sim.state.eligible(run.base).nodes):
        gone: list[str] = []
        with sim.state.what_if() as state:
            for other in _stoppable(sim, node):
                state.release(other.spec)
                gone.append(other.spec.job_id)
                try:
                    state.allocate(run.base, ((node, run.base.num_gpus),))
                except DoesNotFitError:
                    continue
                yield node, gone
                break


def _stoppable(sim: Simulation, node: int) -> list[JobRun]:
    """Jobs on a node that may be stopped for a promise, who started last first."""
    services = sim.services
    assert services is not None  # noqa: S101 - the callers have looked
    may_stop = sim.options.guardrails.may_stop
    here = [run for run in nodes.jobs_on(sim, node) if run.spec.job_id not in services.instances and may_stop(run.base)]
    return sorted(here, key=lambda run: -run.started_s)
