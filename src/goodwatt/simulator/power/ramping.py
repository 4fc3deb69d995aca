"""Power that rises no faster than a site and its racks allow: gangs are launched piece by piece, caps rise in steps.

All rises happen at whole seconds, those of one second together within what the limit allows in a second, so that in
no second, wherever it begins, power rises by more. A job that starts goes through three stages: its nodes come up one
after the other, and those that are up wait for the rest, which draws what communicating draws; then all compute, under
a cap at which that draws no more; then the cap rises to where it is wanted. Later raises of caps go the last stage
again.

What a site cannot plan is left alone: phases of jobs, who is alone again because another has left, nodes that come
back. A rise that cannot be divided (a node) and is larger than the limit waits until it has been saved up for. Jobs
that share GPUs start at once. Commands are sent ahead, so that they have settled when their second begins.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from goodwatt.cluster.bitset import members
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import WHOLE_GPU_MILLI
from goodwatt.power.facility.supply import node_facts, node_wall_w
from goodwatt.power.gpu.model import CAP_KEPT
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.power import observation, power_control

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.physics.full import FullPhysics
    from goodwatt.simulator.simulation import Simulation

TICK_S = 1.0
"""Over so long a ramp is measured: the time over which GPU sensors average."""
STEP_W = 1.0
"""Caps rise by at least so much."""
SITE = ""
_SEARCHES = 12


@dataclass(slots=True)
class Rise:
    """A job on its way up: how many of its nodes are up (None: it computes), and the setting that is wanted."""

    up: int | None
    clock_mhz: float | None
    cap_w: float | None


class SiteRamp:
    """The rises that wait, in order; `limit_w` of the site and of racks within a second.

    `last_s` is the second of the last rises, `saved` how many seconds the first that waits has not got on.
    """

    def __init__(self, cluster: Cluster, physics: FullPhysics, w_per_s: float | None) -> None:
        limits = {name: rack.ramp_w_per_s for name, rack in cluster.racks.items() if rack.ramp_w_per_s}
        self.limit_w = {name: watts * TICK_S for name, watts in limits.items()}
        self.limit_w[SITE] = (w_per_s or math.inf) * TICK_S
        self.racks = [node.rack if node.rack in limits else None for node in cluster.nodes]
        self._gpus = [node.gpus for node in cluster.nodes]
        self._facts = node_facts(cluster.power)
        self.physics = physics
        self.rising: dict[str, Rise] = {}
        self.last_s = -math.inf
        self.saved = 0
        self.timer = 0

    def first_cap_w(self, run: JobRun) -> float | None:
        """The cap under which a job begins to compute without drawing more than while it waited."""
        waits_w = [self.physics.launched_w(node) for node, _ in run.placement]
        if not waits_w or None in waits_w:
            return None
        least_w = max(self.physics.least_cap_w(node) for node, _ in run.placement)
        first_w = max(least_w, math.ceil(max(w for w in waits_w if w is not None)))
        return first_w if run.cap_w is None else min(first_w, run.cap_w)

    def able(self) -> list[str]:
        """The jobs that rise, in their order, without those that do not compute yet for another reason."""
        return [job_id for job_id in self.rising if not self.physics.paused(job_id)]

    def wall_w(self, node: int, more_gpu_w: float, more_held: int = 0) -> float:
        """By how much a node's draw rises if its GPUs draw so much more and so many more are in use."""
        meter = self.physics.meter
        gpu_w = sum(meter.parts[node][:4]) / MICRO + more_gpu_w
        load = (self.physics.in_use(node) + more_held) / max(self._gpus[node], 1)
        return node_wall_w(gpu_w, min(load, 1.0), self._facts) - meter.wall_uw[node] / MICRO

    def copy(self, physics: FullPhysics) -> SiteRamp:
        """The same over a copy of the physics."""
        twin = object.__new__(SiteRamp)
        twin.__dict__.update(self.__dict__, physics=physics)
        twin.rising = {job_id: replace(rise) for job_id, rise in self.rising.items()}
        return twin

    def to_plain(self) -> Any:
        """What changes."""
        rising = [[job_id, r.up, r.clock_mhz, r.cap_w] for job_id, r in self.rising.items()]
        return [rising, None if self.last_s == -math.inf else self.last_s, self.saved, self.timer]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave, when the jobs are back on their GPUs."""
        self.rising = {job_id: Rise(up, clock, cap) for job_id, up, clock, cap in plain[0]}
        self.last_s = -math.inf if plain[1] is None else plain[1]
        self.saved, self.timer = plain[2:]
        for job_id, rise in self.rising.items():
            if rise.up is not None:
                self.physics.launch(self.physics.run_of(job_id), rise.up)


Rises = Iterable[tuple[str | None, float]]
"""(rack with a limit, None for any other, watts)."""


class _Room:
    """What may still rise within this second, by site and rack."""

    def __init__(self, ramp: SiteRamp) -> None:
        self._limit_w = ramp.limit_w
        self.left_w = dict(ramp.limit_w)

    @property
    def untouched(self) -> bool:
        """Whether nothing has risen yet."""
        return self.left_w == self._limit_w

    def fits(self, rises: Rises, saved: int = 0) -> bool:
        """Whether these rises still fit, with what has been saved up."""
        return all(
            watts <= self.left_w[name] + (saved and saved * self._limit_w[name])
            for name, watts in _by_name(rises).items()
        )

    def take(self, rises: Rises) -> None:
        """They happen."""
        for name, watts in _by_name(rises).items():
            self.left_w[name] -= watts


def _by_name(rises: Rises) -> dict[str, float]:
    sums = {SITE: 0.0}
    for rack, watts in rises:
        sums[SITE] += max(watts, 0.0)
        if rack is not None:
            sums[rack] = sums.get(rack, 0.0) + max(watts, 0.0)
    return sums


def prepare(sim: Simulation, run: JobRun) -> None:
    """A job has got GPUs, and the physics does not know of it yet: it is to start low, unless it shares them.

    Whoever was there and still waited for the rest of its gang computes from now on.
    """
    ramp = sim.ramp
    if ramp is None or run.spec.mig_profile is not None or not run.spec.num_gpus:
        return
    here = [ramp.physics.tenants(node)[gpu] for node, mask in run.placement for gpu in members(mask)]
    for other in dict.fromkeys(job_id for tenants in here for job_id in tenants if job_id in ramp.rising):
        ramp.rising[other].up = None
        ramp.physics.launch(ramp.physics.run_of(other), None)
    first_w = None if any(here) or run.spec.gpu_milli < WHOLE_GPU_MILLI else ramp.first_cap_w(run)
    if first_w is not None:
        ramp.rising[run.spec.job_id] = Rise(0, run.clock_mhz, run.cap_w)
        run.cap_w = first_w


def launch(sim: Simulation, run: JobRun) -> None:
    """The physics knows of the job now: nothing of it is up yet."""
    if sim.ramp is not None and run.spec.job_id in sim.ramp.rising:
        sim.ramp.physics.launch(run, 0)
        _wake(sim)


def resized(sim: Simulation, run: JobRun) -> None:
    """A job goes on with other GPUs: if not all of its nodes were up yet, they come up from the beginning."""
    ramp = sim.ramp
    rise = None if ramp is None else ramp.rising.get(run.spec.job_id)
    if rise is not None and rise.up is not None:
        rise.up = 0
        launch(sim, run)


def takes(sim: Simulation, run: JobRun, clock_mhz: float | None, cap_w: float | None) -> bool:
    """Whether a wish for another setting is for the ramp to carry out: it is, unless the cap falls."""
    ramp = sim.ramp
    if ramp is None:
        return False
    rise = ramp.rising.get(run.spec.job_id)
    falls = cap_w is not None and (run.cap_w is None or cap_w <= run.cap_w)
    if rise is None and (falls or cap_w == run.cap_w):
        return False
    if rise is not None and rise.up is None and falls:
        del ramp.rising[run.spec.job_id]
        return False
    ramp.rising[run.spec.job_id] = Rise(None if rise is None else rise.up, clock_mhz, cap_w)
    if sim.book is not None:
        sim.book.wishes.pop(run.spec.job_id, None)
    _wake(sim)
    return True


def forget(sim: Simulation, run: JobRun) -> None:
    """A job leaves its GPUs; if it starts elsewhere, it is with what was wanted here."""
    rise = None if sim.ramp is None else sim.ramp.rising.pop(run.spec.job_id, None)
    if rise is not None:
        run.clock_mhz, run.cap_w = rise.clock_mhz, rise.cap_w


def go_on(sim: Simulation, run: JobRun) -> None:
    """A job that was held up until now may rise."""
    if sim.ramp is not None and run.spec.job_id in sim.ramp.rising:
        _wake(sim)


@action
def ramp_ticks(sim: Simulation) -> None:
    """What may rise in this second rises."""
    ramp = sim.ramp
    assert ramp is not None  # noqa: S101 - its own timer
    ramp.timer, ramp.last_s = 0, sim.now_s
    room, saved = _Room(ramp), ramp.saved
    ramp.saved = 0
    for job_id in ramp.able():
        moved = _rise(sim, sim.live[job_id], ramp.rising[job_id], room, saved)
        sim.follow()
        if not moved and room.untouched:  # the first waits for more than a second gives: nobody passes it
            ramp.saved = saved + 1
            break
        saved = 0
    if ramp.able():
        _wake(sim)


def _wake(sim: Simulation) -> None:
    """Go on at the next whole second."""
    ramp = sim.ramp
    if ramp is not None and not ramp.timer:
        at_s = math.ceil(sim.now_s / TICK_S) * TICK_S
        ramp.timer = sim.timers.set(at_s if at_s > ramp.last_s else at_s + TICK_S, Kind.SETTLE, ramp_ticks)


def _rise(sim: Simulation, run: JobRun, rise: Rise, room: _Room, saved: int) -> bool:
    """Take a job as far up as there is room; whether it got anywhere."""
    moved = False
    if rise.up is not None:
        moved = _launch_more(sim, run, rise, room, saved)
        if rise.up < len(run.placement):
            return moved
        sim.follow()
        if not _begin(sim, run, rise, room, saved):
            return moved
        moved = True
        sim.follow()
        saved = 0
    return _raise_cap(sim, run, rise, room, saved) or moved


def _launch_more(sim: Simulation, run: JobRun, rise: Rise, room: _Room, saved: int) -> bool:
    """More of its nodes come up and wait for the others."""
    ramp = sim.ramp
    assert ramp is not None and rise.up is not None  # noqa: S101, PT018 - it is on its way
    physics, before = ramp.physics, rise.up
    for node, mask in run.placement[before:]:
        count = mask.bit_count()
        more_w = ((physics.launched_w(node) or 0.0) - physics.idle_w(node)) * count
        step = [(ramp.racks[node], ramp.wall_w(node, more_w, count))]
        if not room.fits(step, saved):
            break
        room.take(step)
        rise.up += 1
        saved = 0
    physics.launch(run, rise.up)
    return rise.up > before


def _begin(sim: Simulation, run: JobRun, rise: Rise, room: _Room, saved: int) -> bool:
    """All are up: they compute, under the cap at which that draws about what waiting did."""
    ramp = sim.ramp
    assert ramp is not None  # noqa: S101 - it is on its way
    physics = ramp.physics
    steps = []
    for node, mask in run.placement:
        most_w = sum(_computing_w(physics, run, node, gpu) - physics.gpu_w(node, gpu) for gpu in members(mask))
        steps.append((ramp.racks[node], ramp.wall_w(node, most_w)))
    if not room.fits(steps, saved):
        return False
    room.take(steps)
    rise.up = None
    physics.launch(run, None)
    return True


def _computing_w(physics: FullPhysics, run: JobRun, node: int, gpu: int) -> float:
    """The most that a GPU draws under the present cap of its job, which it keeps below by what boards keep below it."""
    cap_w = run.cap_w or math.inf
    most_w = physics.most_w(node, gpu, [(run, run.cap_w)])
    return most_w if most_w > cap_w else CAP_KEPT * most_w


def _raise_cap(sim: Simulation, run: JobRun, rise: Rise, room: _Room, saved: int) -> bool:
    """Its cap rises as far as there is room, at the end to what is wanted; whether it need not wait for room."""
    ramp = sim.ramp
    assert ramp is not None  # noqa: S101 - it is on its way
    physics = ramp.physics
    top_w = max((physics.default_cap_w(node) for node, _ in run.placement), default=0.0)
    now_w, goal_w = run.cap_w or top_w, rise.cap_w or top_w
    climb = _Climb(ramp, run, goal_w)
    cap_w = climb.highest(now_w, goal_w, room, saved)
    if cap_w < goal_w and cap_w - now_w < STEP_W:
        return False
    done = cap_w >= goal_w
    room.take(climb.rises(cap_w))
    if not power_control.set_now(sim, run, rise.clock_mhz, rise.cap_w if done else cap_w):
        assert sim.book is not None  # noqa: S101 - nobody else refuses
        del sim.book.wishes[run.spec.job_id]  # asked again in a second
        return True
    if done:
        del ramp.rising[run.spec.job_id]
        observation.watch(sim, run)
    return True


class _Climb:
    """By how much a job's nodes rise at most under a higher cap, found out once for many caps.

    No GPU draws more than the cap lets it, nor rises by more than its cap and one step of its clock. What a node draws
    is convex in what its GPUs draw, so the line from now to the goal lies above it.
    """

    def __init__(self, ramp: SiteRamp, run: JobRun, goal_w: float) -> None:
        physics = ramp.physics
        self._gpus: dict[str | None, Counter[tuple[float, float, float, float]]] = {}
        self._slope: dict[str | None, float] = {}
        for node, mask in run.placement:
            now_w, waits_w = run.cap_w or physics.default_cap_w(node), physics.launched_w(node) or 0.0
            gpus = [
                (physics.gpu_w(node, gpu), physics.clock_step_w(node, gpu), now_w, waits_w) for gpu in members(mask)
            ]
            rack, more_w = ramp.racks[node], sum(_more_w(gpu, goal_w) for gpu in gpus)
            self._gpus.setdefault(rack, Counter()).update(gpus)
            if more_w > 0.0:
                self._slope[rack] = max(self._slope.get(rack, 1.0), ramp.wall_w(node, more_w) / more_w)

    def rises(self, cap_w: float) -> list[tuple[str | None, float]]:
        """By rack."""
        return [
            (rack, self._slope.get(rack, 1.0) * sum(count * _more_w(gpu, cap_w) for gpu, count in gpus.items()))
            for rack, gpus in self._gpus.items()
        ]

    def highest(self, now_w: float, goal_w: float, room: _Room, saved: int) -> float:
        """The highest cap up to the goal whose rise fits."""
        if goal_w <= now_w or room.fits(self.rises(goal_w), saved):
            return goal_w
        low, high = now_w, goal_w
        for _ in range(_SEARCHES):
            middle = (low + high) / 2.0
            if room.fits(self.rises(middle), saved):
                low = middle
            else:
                high = middle
        return low


def _more_w(gpu: tuple[float, float, float, float], cap_w: float) -> float:
    """By how much a GPU rises at most, given by its draw, a step of its clock, its cap, and what waiting draws."""
    draws_w, step_w, now_w, waits_w = gpu
    most_w = max(CAP_KEPT * cap_w, min(cap_w, waits_w))
    return max(min(most_w - draws_w, CAP_KEPT * (cap_w - now_w) + step_w), 0.0)
