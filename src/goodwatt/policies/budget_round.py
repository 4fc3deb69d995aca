"""One division of a power budget: who takes part, who is stopped where floors do not fit, which caps come of it.

When power is divided, and what is remembered from one division to the next, is for the policy (`power.budget`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from goodwatt.policies.job_budget import STEP_W, Caps, Share, divided, rounded
from goodwatt.simulator.decisions import Preempt
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.power.power_plan import PowerPlan
from goodwatt.simulator.power.power_room import PowerRoom
from goodwatt.simulator.view import View

if TYPE_CHECKING:
    from goodwatt.policies.service_needs import Group, ServiceNeeds

SPARE_STEP = 0.25
"""What a job gets beyond what it asks for is a multiple of this share of its rated power."""
WHY = "its least power does not fit the budget any more"


@dataclass(slots=True)
class Round:
    """`groups`: jobs that share GPUs, by the first of them; `hosts`: instances of services on these GPUs, likewise.

    `jobs`: shares of those, `waiting`: of who waits for power, `needs`: of services, None without any. `stopped`: who
    had to be, for the others to have their floors.
    """

    view: View
    book: PowerRoom
    division: str
    floor_share: float
    groups: Mapping[str, Sequence[JobRun]]
    hosts: Mapping[str, Sequence[str]]
    jobs: list[Share]
    waiting: list[Share]
    needs: ServiceNeeds | None
    stopped: list[Preempt] = field(default_factory=list)
    _served: list[Group] = field(default_factory=list)
    _caps: Caps = field(default_factory=lambda: Caps({}, frozenset()))

    def divide(self) -> None:
        """With what services need as floors."""
        if self.needs is not None:
            beside = [job_id for share in self.jobs for job_id in self.hosts.get(share.job_id, ())]
            self._served = self.needs.groups(self.view, self.book, self.floor_share, beside)
        firm = [group.share for group in self._served]
        self._caps = divided(self.view, self.book, [*firm, *self.jobs, *self.waiting], self.division)

    @property
    def short(self) -> bool:
        """Whether somebody has not got his floor."""
        return bool(self._caps.short)

    @property
    def services_short(self) -> bool:
        """Whether that is an instance of a service: one that is to start, or does not get what it needs, also beside a
        job, whose floor that is then."""
        services, served = self.view.services, {group.share.job_id for group in self._served}
        return services is not None and any(
            name in served or name in self.hosts or services.number_of(name) is not None for name in self._caps.short
        )

    def stop_one(self) -> bool:
        """The youngest is stopped, with all on his GPUs, and power divided without him; whether there was one."""
        last = self._youngest()
        if last is None:
            return False
        self.jobs.remove(last)
        self.stopped += [Preempt(run.spec.job_id, WHY) for run in self.groups[last.job_id]]
        services = self.view.services
        self.waiting = [
            one for one in self.waiting if services is not None and services.number_of(one.job_id) is not None
        ]
        self.divide()
        return True

    def soften(self) -> None:
        """Where not even services get what they need, power goes where it carries the most of their load."""
        if self.needs is not None and any(group.share.job_id in self._caps.short for group in self._served):
            less = self.needs.softened(self.view, self._served, self.floor_share)
            self._served = [group._replace(share=share) for group, share in zip(self._served, less, strict=True)]
            self._caps = divided(self.view, self.book, [*less, *self.jobs, *self.waiting], self.division)

    def caps(self) -> Iterator[tuple[str, float | None, float]]:
        """(job or instance, its cap, its floor) of all that run; None: the rated power."""
        for share, members in self._members():
            cap_w = cap_of(self._caps.cap_w[share.job_id], share)
            for job_id in members:
                yield job_id, cap_w, share.ask.floor_w

    def _members(self) -> Iterator[tuple[Share, Sequence[str]]]:
        for share in self.jobs:
            runs = self.groups[share.job_id]
            yield share, [*(run.spec.job_id for run in runs), *self.hosts.get(share.job_id, ())]
        for group in self._served:
            yield group.share, group.jobs

    def _youngest(self) -> Share | None:
        """Who started last of those that may be stopped and whose watts are missing; jobs beside instances after all
        others, because what these need is no less without them."""
        tight = self._caps.tight
        may_stop = [
            share
            for share in self.jobs
            if all(self.view.may_stop(run) for run in self.groups[share.job_id])
            and (not tight or any(not tight.isdisjoint(self.book.path[node]) for node, _ in share.nodes))
        ]
        return max(
            may_stop,
            key=lambda share: (share.job_id not in self.hosts, self.view.run(share.job_id).started_s),
            default=None,
        )


def hosts_of(groups: Mapping[str, Sequence[JobRun]], instances: Sequence[JobRun]) -> dict[str, tuple[str, ...]]:
    """Instances of services on the GPUs of jobs, by the first of these."""
    there: dict[int, list[tuple[int, str]]] = {}
    for instance in instances:
        for node, mask in instance.placement:
            there.setdefault(node, []).append((mask, instance.spec.job_id))
    found = {
        first: dict.fromkeys(
            job_id
            for run in runs
            for node, mask in run.placement
            for held, job_id in there.get(node, ())
            if held & mask
        )
        for first, runs in groups.items()
    }
    return {first: tuple(jobs) for first, jobs in found.items() if jobs}


def highest(plan: PowerPlan, share: Share) -> float:
    """The highest cap for which there is power; there is for the floor."""
    floor_w, most_w = share.ask.floor_w, share.ask.most_w
    if plan.shortage(share.nodes, most_w) is None:
        return most_w
    low, high = 0, math.ceil((most_w - floor_w) / STEP_W)  # steps above the floor; low fits
    while high - low > 1:
        middle = (low + high) // 2
        if plan.shortage(share.nodes, floor_w + STEP_W * middle) is None:
            low = middle
        else:
            high = middle
    return floor_w + STEP_W * low


def cap_of(cap_w: float, share: Share) -> float | None:
    """A cap in whole steps, down, but not below the floor; None at the rated power."""
    ask = share.ask
    if cap_w > ask.most_w:  # what nobody needs: not worth a command for every step
        cap_w = max(ask.most_w, math.floor(cap_w / (SPARE_STEP * ask.rated_w)) * SPARE_STEP * ask.rated_w)
    cap_w = max(rounded(cap_w), ask.floor_w)
    return None if cap_w >= share.ask.rated_w else cap_w
