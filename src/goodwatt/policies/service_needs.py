"""The services' side of a power budget: what their instances need, control by control, and their shares in a division.

Instances of one role below the same limits are one share: they have one need, so one cap. What watts buy them is in
`service_watts`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from goodwatt.cluster.state import NodeCounts, Placement
from goodwatt.policies.job_budget import STEP_W, Share, board_w, floor_of
from goodwatt.policies.memories import remembering
from goodwatt.policies.service_memory import ServiceMemory
from goodwatt.policies.service_scaling import Moment, moments
from goodwatt.policies.service_watts import Need, ask_of_need, need_of
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.power.power_room import PowerRoom
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.services.services_view import InstanceView
from goodwatt.simulator.view import View

RISEN, FALLEN = 0.03, 0.1
"""Needs that rise or fall by no more than this share are taken to be what they were: no power is divided for that."""

Key = tuple[int, Role]
"""Number of a service, and what its instances do."""


class Group(NamedTuple):
    """Instances with one cap: those of a role below the same lowest limit, and who has slices of their GPUs."""

    key: Key
    share: Share
    jobs: tuple[str, ...]


class ServiceNeeds:
    """`needs` of each GPU by service and role, `here`: who held GPUs when they were last looked at, since when, and
    the threads of a job beside it, per cent.

    `wait`: instances found no power at the last control. `seen`: load and lengths of requests, as service policies
    remember them.
    """

    def __init__(self) -> None:
        self.seen = ServiceMemory()
        self.needs: dict[Key, Need] = {}
        self.here: tuple[tuple[str, float, float], ...] = ()
        self.wait = False

    def look(self, view: View, floor_share: float, hold_s: float) -> bool:
        """A control has been made: whether power is to be divided for other needs, other instances, or other jobs
        beside them."""
        with remembering(view, self.seen):
            found = moments(view)
        moved = False
        for number, moment in enumerate(found):
            for role in moment.serving.service.pools:
                moved |= self._need(view, (number, role), moment, floor_share, hold_s)
        here = tuple(
            (one.job_id, one.run.started_s, moment.threads.get(one.job_id, 0.0))
            for moment in found
            for one in moment.instances
            if one.run.placement
        )
        moved, self.here = moved or here != self.here, here
        return moved

    def instances(self, view: View) -> dict[str, tuple[Key, InstanceView]]:
        """Instances that hold GPUs."""
        services = view.services
        assert services is not None  # noqa: S101 - who asks has looked
        return {
            one.job_id: ((number, one.role), one)
            for number in range(len(services.servings))
            for one in services.instances(number)
            if one.run.placement
        }

    def groups(self, view: View, book: PowerRoom, floor_share: float, without: Iterable[str] = ()) -> list[Group]:
        """All instances but some, with what they need as floors."""
        left_out, there = set(without), self.instances(view)
        leading = self._leading(there)
        below: dict[tuple[Key, int, bool], list[InstanceView]] = {}
        for job_id, (own, one) in there.items():
            if job_id not in left_out:
                key = leading.get(one.run.placement, own)
                slowed = view.guardrails.may_slow(one.run.spec)
                below.setdefault((key, book.path[one.run.placement[0][0]][-1], slowed), []).append(one)
        found = []
        for (key, level, slowed), members in below.items():
            nodes = _gpus_of(members)
            name, run = f"{key} below {level}, {slowed}", members[0].run
            share = self._share(view, name, key, nodes, floor_share, run, firm=True)
            found.append(Group(key, share, tuple(one.job_id for one in members)))
        return found

    def softened(self, view: View, groups: Iterable[Group], floor_share: float) -> list[Share]:
        """The same with what they make of less than they need."""
        return [
            self._share(view, g.share.job_id, g.key, g.share.nodes, floor_share, view.run(g.jobs[0]), firm=False)
            for g in groups
        ]

    def waiting(self, view: View, run: JobRun, nodes: NodeCounts, role: Role, floor_share: float) -> Share | None:
        """An instance that is to start; None for anybody else."""
        number = None if view.services is None else view.services.number_of(run.spec.job_id)
        if number is None:
            return None
        share = self._share(view, run.spec.job_id, (number, role), nodes, floor_share, run, firm=False)
        return Share(share.job_id, nodes, share.ask, share.priority, running=False)

    def needed_w(self, view: View, job_id: str, floor_share: float) -> float:
        """Of each GPU of an instance that holds some."""
        key, one = self.instances(view)[job_id]
        return self._share(view, job_id, key, (), floor_share, one.run, firm=True).ask.floor_w

    def more_w(self, view: View, book: PowerRoom, floor_share: float) -> dict[int, float]:
        """Watts by node that instances want above the floors of its GPUs: who starts beside them is not to be stopped
        as soon as they need a little more."""
        more: dict[int, float] = {}
        for group in self.groups(view, book, floor_share):
            for node, gpus in group.share.nodes:
                kind = view.kind_of(((node, gpus),))
                floor_w = 0.0 if kind is None else floor_of(kind, floor_share)
                more[node] = more.get(node, 0.0) + gpus * (group.share.ask.most_w - floor_w)
        return more

    def _leading(self, there: Mapping[str, tuple[Key, InstanceView]]) -> dict[Placement, Key]:
        """Of whom in slices of one GPU the need counts: a board has one cap, and is counted once."""
        found: dict[Placement, Key] = {}
        for key, one in there.values():
            if one.run.base.mig_profile is not None:
                found[one.run.placement] = max(found.get(one.run.placement, key), key, key=self._most)
        return found

    def _most(self, key: Key) -> tuple[float, float, Key]:
        need = self.needs.get(key)
        return (math.inf, math.inf, key) if need is None else (need.firm_w, need.wanted_w, key)

    def _need(self, view: View, key: Key, moment: Moment, floor_share: float, hold_s: float) -> bool:
        least_w, rated_w = _range_w(view, key[0], floor_share)
        need = need_of(moment, key[1], least_w, rated_w, hold_s)
        before = self.needs.get(key)
        if before is not None and _alike(before, need):
            return False
        self.needs[key] = need
        return True

    def _share(
        self, view: View, name: str, key: Key, nodes: NodeCounts, floor_share: float, run: JobRun, *, firm: bool
    ) -> Share:
        least_w, rated_w = _range_w(view, key[0], floor_share)
        need = self.needs.get(key) or Need(least_w, rated_w)
        if not view.guardrails.may_slow(run.spec):
            need, firm = Need(rated_w, rated_w), True
        return Share(name, nodes, ask_of_need(need, least_w, rated_w, firm=firm), run.spec.priority)

    def copy(self) -> Self:
        """An independent copy."""
        twin = type(self)()
        twin.seen, twin.needs, twin.here = self.seen.copy(), dict(self.needs), self.here
        twin.wait = self.wait
        return twin

    def to_plain(self) -> Any:
        """Its parts."""
        return [self.seen.to_plain(), [[*key, *need] for key, need in self.needs.items()], self.here, self.wait]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave."""
        self.seen.load_plain(plain[0])
        self.needs = {
            (number, role): Need(firm_w, wanted_w, tuple((cap_w, load) for cap_w, load in points))
            for number, role, firm_w, wanted_w, points in plain[1]
        }
        self.here, self.wait = tuple((job_id, started_s, percent) for job_id, started_s, percent in plain[2]), plain[3]


def _gpus_of(instances: Iterable[InstanceView]) -> NodeCounts:
    """GPUs by node, each once, whoever has a slice of it."""
    held: dict[int, int] = {}
    for one in instances:
        for node, mask in one.run.placement:
            held[node] = held.get(node, 0) | mask
    return tuple((node, mask.bit_count()) for node, mask in held.items())


def _range_w(view: View, number: int, floor_share: float) -> tuple[float, float]:
    """The least and the most that a GPU of an instance of a service gets."""
    services = view.services
    assert services is not None  # noqa: S101 - who asks has looked
    kind = services.servings[number].model.kind
    rated_w, kept_w = board_w(kind), math.ceil(services.least_w(number) / STEP_W + 1.0) * STEP_W
    return min(max(floor_of(kind, floor_share), kept_w), rated_w), rated_w


def _alike(before: Need, now: Need) -> bool:
    pairs = ((before.firm_w, now.firm_w), (before.wanted_w, now.wanted_w))
    return all(a * (1.0 - FALLEN) <= b <= a * (1.0 + RISEN) for a, b in pairs)
