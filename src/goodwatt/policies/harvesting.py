"""Batch jobs beside instances of a service, as many as leave the instances what their load needs.

An instance that has little to do is as busy as any: batches grow only as far as iterations take longer. So what counts
is what it can carry. With a job beside it that is less, by the formulas of `service_capacity` with iterations as long
as `service_beside` foretells; all instances of a role together must carry the load. What n of them carry of which k
have a job beside them:

    sum of C_i over the k + (n - k) min(C, least C_i s_i)

C: one alone, C_i: beside its job, s_i: how much longer its iterations become. Where requests go to the instance with
the least to do, all have as many under way; when those beside a job have as many as they can, those without do s_i
times as much with the same number. Where requests go round, s_i = 1: all get the same.

Clocks are others' matter: what instances carry is told for the greatest, and who sets clocks knows of guests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from goodwatt.cluster.beside import shortage_beside
from goodwatt.cluster.packed import packed_gpus
from goodwatt.cluster.state import Placement
from goodwatt.policies.harvest_memory import HarvestMemory
from goodwatt.policies.service_beside import Asked, asked, believed, pair_of
from goodwatt.policies.service_capacity import Capacity
from goodwatt.policies.service_forecast import forecast
from goodwatt.policies.service_memory import Seen
from goodwatt.policies.service_scaling import EATEN, MARGIN, Moment, strain, too_long
from goodwatt.policies.service_trust import believe, doubt, trust
from goodwatt.policies.wiring import tightest_node
from goodwatt.power.colocation.sharing import CONTEXT_MIB
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.decisions import Decision, Group, Place, Preempt
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.services.services_view import InstanceView
from goodwatt.simulator.view import View

DEPTH = 64
"""Jobs of each queue that are looked at, and pairs that are tried at a control beside those that are made."""
PERCENTS = (50.0, 25.0, 10.0)
"""Shares of the SMs that are tried for a job, as far as they are allowed."""


class Rules(NamedTuple):
    """See `services.harvest`."""

    threads: float
    spare: float
    least: float
    ahead_s: float
    hold_s: float


class Side(NamedTuple):
    """Requests a second: of an instance beside its guest, and of one alone that has as many under way."""

    carried: float
    even: float


def guests_of(view: View) -> dict[Placement, JobRun]:
    """Jobs that were placed beside instances and still run there, by their GPUs."""
    memory = _memory(view)
    found = [(view.running(job_id), since_s) for job_id, since_s in memory.guests.items()]
    runs = [(run, since_s) for run, since_s in found if run is not None and _still(run, since_s)]
    memory.guests = {run.spec.job_id: since_s for run, since_s in runs}
    return {run.placement: run for run, _ in runs}


def left_behind(view: View, there: Mapping[Placement, JobRun]) -> Iterator[Group]:
    """Guests whose instance has gone: with their few threads they keep whole GPUs from others, and from themselves."""
    for placement, run in there.items():
        alone = not any(packed_gpus(view.state.packed[node]) & mask for node, mask in placement)
        if alone and view.may_stop(run):
            yield _leaves(run, "its instance has gone")


def _still(run: JobRun, since_s: float) -> bool:
    """Whether a job is still where it was placed then, at that very control."""
    return run.sharing == "mps" and run.started_s <= since_s


def _memory(view: View) -> HarvestMemory:
    assert isinstance(view.memory, HarvestMemory)  # noqa: S101 - `Harvest.new_memory` made it
    return view.memory


def changes(
    view: View, moment: Moment, role: Role, there: Mapping[Placement, JobRun], rules: Rules, taken: set[str]
) -> list[Decision]:
    """Who leaves the instances of a role, and who comes to them.

    `there`: `guests_of`; `taken`: jobs that have got a place at this control, to which those who come are added.
    """
    seen, mine = moment.seen, [one for one in moment.instances if one.role == role and _whole(one)]
    hosts = [(one, there[one.run.placement]) for one in mine if one.run.placement in there]
    serving = [one for one in mine if one.state == "serving"]
    alone = seen.capacity(moment.serving, role, MARGIN, len(serving))
    if alone is None or seen.typical is None or not serving:
        return [_leaves(guest, "the instance goes") for _, guest in hosts if view.may_stop(guest)]
    wants = asked(moment.serving, seen.typical, role, alone.full_per_s, alone.full_batch)
    wrong = _wrong(moment, role, len(serving) * alone.full_per_s)
    room = _Room(view, moment, role, alone, wants, len(serving), wrong)
    _learn(seen, role, bool(hosts), wrong, strain(moment.recent, moment.serving.service.promise, role))
    decisions: list[Decision] = list(_leaving(room, hosts))
    if decisions:
        seen.marks[f"left {role}"] = view.now_s
    elif not wrong and view.now_s - seen.marks.get(f"left {role}", -rules.hold_s) >= rules.hold_s:
        held = {one.job_id for one, _ in hosts}
        free = [one for one in serving if one.job_id not in held and not view.kept >> one.run.placement[0][0] & 1]
        decisions += _coming(room, free, hosts, rules, taken)
    return decisions


def _whole(one: InstanceView) -> bool:
    """Whether it holds whole GPUs: nobody comes into a MIG instance."""
    return bool(one.run.placement) and one.run.base.mig_profile is None


def _wrong(moment: Moment, role: Role, carried_per_s: float) -> bool:
    """Whether latencies have eaten into the margin, too much waits, or the guardrail of the promise acts.

    While clocks are slow they are to blame: who made them slow has a margin of his own.
    """
    slow = any(one.run.clock_mhz is not None for one in moment.instances if one.role == role)
    eaten = strain(moment.recent, moment.serving.service.promise, role) > (1.0 if slow else 1.0 - EATEN * MARGIN)
    return moment.at_risk or eaten or (role != "decode" and too_long(moment, carried_per_s))


def _learn(seen: Seen, role: Role, shared: bool, wrong: bool, eaten: float) -> None:
    """Once for each time that it goes wrong beside guests; without them nobody is to blame."""
    what = f"beside {role}"
    if wrong and shared and not seen.marks.get(f"wrong {what}"):
        doubt(seen, what)
    elif shared and not wrong and eaten < 1.0 - MARGIN:
        believe(seen, what, 1.0)
    seen.marks[f"wrong {what}"] = float(wrong)


def _leaves(guest: JobRun, reason: str) -> Group:
    """A group of its own: it leaves whatever comes of others who stop or start at this moment."""
    return Group((Preempt(guest.spec.job_id, reason),), reason)


@dataclass(slots=True)
class _Room:
    """What the serving instances of a role carry with the guests that are counted so far."""

    view: View
    moment: Moment
    role: Role
    alone: Capacity
    asked: Asked
    serving: int
    wrong: bool
    known: dict[tuple[Demand, float], tuple[Side, float]] = field(default_factory=dict)

    def side(self, guest: Demand, percent: float) -> tuple[Side, float]:
        """An instance beside such a guest, and the guest's speed."""
        key = guest, percent
        if key not in self.known:
            self.known[key] = self._side(guest, percent)
        return self.known[key]

    def _side(self, guest: Demand, percent: float) -> tuple[Side, float]:
        serving = self.moment.serving
        pair = pair_of(serving.model, self.asked, guest, percent)
        carried = self.moment.seen.capacity(serving, self.role, MARGIN, self.serving, pair.beside)
        per_s = 0.0 if carried is None else carried.full_per_s
        evened = pair.beside.stretch if serving.service.routing == "least_loaded" else 1.0
        return Side(per_s, per_s * evened), pair.speed

    def carries(self, sides: Sequence[Side], rate_per_s: float) -> bool:
        """Whether all of them together carry a load when some have these guests."""
        each = min((side.even for side in sides), default=self.alone.full_per_s)
        total = sum(side.carried for side in sides)
        total += (self.serving - len(sides)) * min(each, self.alone.full_per_s)
        return trust(self.moment.seen, f"beside {self.role}") * total >= rate_per_s

    def demand(self, run: JobRun) -> Demand:
        """What policies believe of a job."""
        return believed(run, self.moment.serving.model.kind.name, _memory(self.view).demands)


def _leaving(room: _Room, hosts: Sequence[tuple[InstanceView, JobRun]]) -> Iterator[Group]:
    """All while it goes wrong, those beside instances that drain, and as many as the load asks for, dearest first."""
    stay: list[tuple[Side, JobRun]] = []
    for one, guest in hosts:
        if room.wrong or one.state != "serving":
            if room.view.may_stop(guest):
                yield _leaves(guest, "its promise comes near" if room.wrong else "the instance goes")
        else:
            stay.append((room.side(room.demand(guest), guest.thread_percent)[0], guest))
    stay.sort(key=lambda entry: (entry[0].carried, -entry[1].started_s))
    rate = room.moment.seen.load
    for entry in [entry for entry in stay if room.view.may_stop(entry[1])]:
        if room.carries([side for side, _ in stay], rate):
            return
        stay.remove(entry)
        yield _leaves(entry[1], "load has returned")


def _coming(
    room: _Room,
    free: Sequence[InstanceView],
    hosts: Sequence[tuple[InstanceView, JobRun]],
    rules: Rules,
    taken: set[str],
) -> Iterator[Place]:
    """Waiting jobs, in the order of their queues, for as many instances as can spare them at the load foretold."""
    view, seen = room.view, room.moment.seen
    waiting = {run.spec.job_id: (run, demand) for run, demand in (_waiting(room, taken) if free else ())}
    rate = (1.0 + rules.spare) * max(seen.load, forecast(seen, rules.ahead_s))
    sides = [room.side(room.demand(guest), guest.thread_percent)[0] for _, guest in hosts]
    tries = DEPTH
    for one in free:
        before = tries
        for run, side, percent in _able(room, waiting.values(), sides, rate, rules):
            if shortage_beside(view.state, run.base, one.run.spec) is None:
                sides.append(side)
                del waiting[run.spec.job_id]
                yield _comes(view, run, one, percent, taken)
                break
            tries -= 1
        else:
            if tries == before:  # nobody whom instances could spare
                return
        if tries <= 0:
            return


def _able(
    room: _Room, waiting: Iterable[tuple[JobRun, Demand]], sides: Sequence[Side], rate_per_s: float, rules: Rules
) -> Iterator[tuple[JobRun, Side, float]]:
    """Those who could come beside one more instance."""
    for run, demand in waiting:
        found = _best(room, sides, demand, rate_per_s, rules)
        if found is not None:
            yield run, *found


def _comes(view: View, run: JobRun, one: InstanceView, percent: float, taken: set[str]) -> Place:
    taken.add(run.spec.job_id)
    _memory(view).guests[run.spec.job_id] = view.now_s
    return Place(run.spec.job_id, (), beside=one.job_id, sharing="mps", thread_percent=percent)


def _best(
    room: _Room, sides: Sequence[Side], guest: Demand, rate_per_s: float, rules: Rules
) -> tuple[Side, float] | None:
    """The most threads with which a guest leaves instances what they need, if it gets anywhere with them."""
    limits = (rules.threads, *(percent for percent in PERCENTS if percent < rules.threads))
    for percent in limits:
        if not room.view.guardrails.may_limit(percent):
            return None
        side, speed = room.side(guest, percent)
        if speed < rules.least:
            return None
        if room.carries([*sides, side], rate_per_s):
            return side, percent
    return None


def _waiting(room: _Room, taken: set[str]) -> list[tuple[JobRun, Demand]]:
    """Jobs that could share an instance's GPUs and may be stopped again, and what is believed of them.

    Not those that fit on free GPUs, nor those of which it is known that their memory does not fit. Whether that of
    others does shows when they allocate it; who has failed so goes alone from then on.
    """
    view, service, kind = room.view, room.moment.serving.service, room.moment.serving.model.kind
    left_mib = (1.0 - service.memory_share) * kind.memory_mib - 2 * CONTEXT_MIB
    found = []
    for pool in view.pools:
        for _, _, run in pool.queue[:DEPTH]:
            job = run.base
            if job.num_gpus != service.tensor_parallel or run.alone or job.job_id in {view.late, *taken}:
                continue
            if not _may(view, run) or job.gpu_memory_mib > left_mib or _fits_free(view, run):
                continue
            found.append((run, room.demand(run)))
    return found


def _may(view: View, run: JobRun) -> bool:
    rules, job = view.guardrails, run.base
    return rules.may_stop(job) and rules.may_pack(job) and rules.may_slow(job)


def _fits_free(view: View, run: JobRun) -> bool:
    return view.state.free_gpus >= run.base.num_gpus and tightest_node(run.base, view.state) is not None
