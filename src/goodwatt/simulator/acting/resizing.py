"""Elastic jobs change their size: a running gang goes on with fewer or more GPUs after a pause.

If it keeps a GPU nothing is lost; if it leaves all of them it restarts elsewhere as after a stop, from its checkpoint.
A lower cap is there when it goes on; a higher one and another clock are commands like any other.
Which sizes a job allows and what a change costs is `elastic`, how fast it then is the physics says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.node_choice import whole_gpus
from goodwatt.cluster.state import DoesNotFitError, NodeCounts, Placement
from goodwatt.simulator.acting import allowed, holding, restarting
from goodwatt.simulator.acting.requests import resized_request
from goodwatt.simulator.decisions import KEPT
from goodwatt.simulator.failures import breakdowns
from goodwatt.simulator.jobs.elastic import elastic_range, resize_cost_s
from goodwatt.simulator.power import observation, power_control, ramping

if TYPE_CHECKING:
    from goodwatt.simulator.decisions import Resize
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.simulation import Simulation


def resize(sim: Simulation, decision: Resize) -> str | None:
    """Let a running job go on with the GPUs decided, or say why it cannot."""
    run = sim.live.get(decision.job_id)
    if run is None or not run.placement:
        return "the job is not running"
    try:
        wanted = _wanted(sim, run, decision)
        new = _where(sim, run, wanted, decision)
        setting = _setting(sim, run, decision)
        _check_power(sim, run, new, setting)
    except DoesNotFitError as error:
        return str(error)
    if setting:
        _come_down(sim, run, _lower(run.cap_w, setting[1]))
    _go_on(sim, run, wanted, new)
    if setting and setting != (run.clock_mhz, run.cap_w):
        power_control.set_gpus(sim, run, *setting)
    return None


def _wanted(sim: Simulation, run: JobRun, decision: Resize) -> JobRequest:
    """What the job will ask for; DoesNotFitError for a size that it cannot have."""
    gpus = sum(count for _, count in decision.nodes)
    sizes = elastic_range(run.base)
    if not sizes.least <= gpus <= sizes.most:
        raise DoesNotFitError(f"the job runs on {sizes.least} to {sizes.most} GPUs, got {gpus}")
    if run.spec.mig_profile is not None or _shares(sim, run):
        raise DoesNotFitError("the job shares its GPUs")
    wanted = resized_request(run.base, gpus)
    if reason := _excess(sim, run, wanted):
        raise DoesNotFitError(reason)
    return wanted


def _where(sim: Simulation, run: JobRun, wanted: JobRequest, decision: Resize) -> Placement:
    """The GPUs that it will have; DoesNotFitError if they are not there, or if it must not move to them."""
    masks = decision.gpus if sim.engine.gpu_choice == "policy" and decision.gpus is not None else None
    with sim.state.what_if() as state:
        state.release(run.spec)
        masks = masks or _kept_first(sim, run, decision.nodes)
        if reason := state.shortage(wanted, decision.nodes, masks):
            raise DoesNotFitError(reason)
    new = tuple((node, mask) for (node, _), mask in zip(decision.nodes, masks, strict=True))
    if not (_overlap(run.placement, new) or sim.options.guardrails.may_move(run.base)):
        raise DoesNotFitError("the job must not be moved")
    return new


def _check_power(sim: Simulation, run: JobRun, new: Placement, setting: allowed.Wish | None) -> None:
    """DoesNotFitError if there is no power for it there."""
    if sim.book is not None:
        cap_w = _lower(run.cap_w, setting[1]) if setting else sim.book.caps[run.spec.job_id]
        if reason := sim.book.lacks([(run, new, cap_w)], frozenset({run.spec.job_id})):
            raise DoesNotFitError(reason)


def _setting(sim: Simulation, run: JobRun, decision: Resize) -> allowed.Wish | None:
    """The setting that was decided; None: what is set, or asked for, stays."""
    if decision.clock_mhz == KEPT == decision.cap_w:
        return None
    return allowed.elsewhere(sim, run, decision)


def _lower(one_w: float | None, other_w: float | None) -> float | None:
    """The lower of two caps; None is the board's own, which is the highest."""
    return min((cap_w for cap_w in (one_w, other_w) if cap_w is not None), default=None)


def _come_down(sim: Simulation, run: JobRun, cap_w: float | None) -> None:
    """It goes on under this cap, and what was asked for before is not wanted any more."""
    sim.timers.cancel(run.command)
    run.command, run.cap_w = 0, cap_w
    if sim.book is not None:
        sim.book.caps[run.spec.job_id] = cap_w
        sim.book.wishes.pop(run.spec.job_id, None)


def _go_on(sim: Simulation, run: JobRun, wanted: JobRequest, new: Placement) -> None:
    now = sim.now_s
    run.settle(now)
    sim.recorder.stay(run, now, "resized")
    in_place = _overlap(run.placement, new)
    pause_s = resize_cost_s(in_place, sim.engine.restart_s(max(run.spec.num_gpus, wanted.num_gpus)))
    if in_place:
        run._truth.overhead_s += pause_s
    else:
        run._truth.lose(pause_s)
    _exchange(sim, run, wanted, new)
    breakdowns.watch(sim, run)
    observation.watch(sim, run)


def _exchange(sim: Simulation, run: JobRun, wanted: JobRequest, new: Placement) -> None:
    old = run.placement
    sim.physics.left(run)
    sim.state.release(run.spec)
    if sim.quotas is not None:
        sim.quotas.add(run.spec, -1)
        sim.quotas.add(wanted, 1)
    run.spec = wanted
    sim.pool_of(wanted).resized()
    counts, masks = tuple((node, mask.bit_count()) for node, mask in new), tuple(mask for _, mask in new)
    run.placement = sim.state.allocate(wanted, counts, masks)
    run.hold(sim.now_s)
    holding.plan_checkpoints(sim, run)
    sim.physics.placed(run)
    restarting.begin(sim, run)
    ramping.resized(sim, run)
    if sim.book is not None:
        sim.book.follow(dict.fromkeys(node for node, _ in (*old, *run.placement)))
    sim.follow()
    sim.change_pool_of(run)


def _overlap(old: Placement, new: Placement) -> bool:
    """Whether somebody stays who has the state of the job, for those who come to copy."""
    return any(node == where and mask & masks for node, mask in old for where, masks in new)


def _kept_first(sim: Simulation, run: JobRun, nodes: NodeCounts) -> tuple[int, ...]:
    """GPUs on each node, first of those that it holds, then free ones next to them; after its own were released."""
    held, state = dict(run.placement), sim.state
    masks = []
    for node, count in nodes:
        if not 0 <= node < len(state.capacity) or count < 1:
            masks.append(0)
            continue
        own, domains = held.get(node, 0), sim.cluster.nodes[node].domains
        if count <= own.bit_count():
            masks.append(whole_gpus(own, count, domains))
        else:
            masks.append(own | whole_gpus(state.free_mask[node] & ~own, count - own.bit_count(), domains))
    return tuple(masks)


def _shares(sim: Simulation, run: JobRun) -> bool:
    return any(mask >> gpu & 1 for node, mask in run.placement for gpu, _ in sim.state.packed[node])


def _excess(sim: Simulation, run: JobRun, wanted: JobRequest) -> str | None:
    if sim.quotas is None:
        return None
    quotas = sim.quotas.copy()
    quotas.add(run.spec, -1)
    return quotas.excess(wanted)
