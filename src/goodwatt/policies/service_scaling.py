"""How many instances of a role a service needs: by load and capacity, by what is under way, by what goes wrong.

Where prompts and decoding have instances of their own, each pool is sized by what bounds it: a prompt's instance
carries so many requests a second by its prompt tokens, a decoding one by sequences and KV cache; `service_capacity`
knows both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from goodwatt.cluster.state import Placement
from goodwatt.policies.service_memory import ALIKE, MINUTE_S, Seen, service_memory
from goodwatt.policies.service_sizing import active, sized, within
from goodwatt.policies.service_trust import believe, doubt, trust
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.services.promise import PERCENTILE, Promise
from goodwatt.simulator.services.recent_requests import Recent
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.services.services_view import InstanceView, ServicesView
from goodwatt.simulator.services.serving import Serving
from goodwatt.simulator.view import View

MARGIN = 0.2
"""Latencies stay this share below the promise when instances are counted, twice as far as where the guardrail of
promises acts (`latency_book.TIGHT`)."""
EATEN = 0.8
"""Share of a margin that is left when a measured p99 has eaten into it: then clocks and watts go up, and jobs beside
instances leave."""
ENOUGH = 50
"""Requests of which a percentile says something."""
QUEUED_SHARE = 0.5
"""Of the time within which a first token is promised: with more work than that in the queue there are too few."""
PROMPT_S = 1.0
"""That time, where it is not promised."""


class Moment(NamedTuple):
    """One service at a control. `recent`: who was done in the last minute, `queued`: of whom nothing is computed,
    `at_risk`: the guardrail of its promise acts, so nothing is slowed and nobody drains; `threads`: per cent of the SMs
    of jobs beside instances, by instance."""

    seen: Seen
    serving: Serving
    instances: list[InstanceView]
    recent: Recent
    queued: int
    at_risk: bool
    threads: dict[str, float]


Need = Callable[[Moment, Role], int]
"""How many instances of a role a service wants now."""


def moments(view: View) -> list[Moment]:
    """All services, with what the memory of the policy has seen of them up to now."""
    services = view.services
    assert services is not None  # noqa: S101 - a service policy is asked where there are services
    seen = service_memory(view).look(view)
    guarded = view.guardrails.promises
    there = {run.placement: run for pool in view.pools for run in pool.running.values() if run.sharing == "mps"}
    return [_moment(services, number, known, view.now_s, guarded, there) for number, known in enumerate(seen)]


def scaled(view: View, need: Need, down_s: float, reason: str) -> list[Decision]:
    """As many instances as are needed, and no fewer than were needed at any time within `down_s`."""
    wanted = []
    for moment in moments(view):
        service = moment.serving.service
        roles = {
            role: int(moment.seen.most_wanted(role, within(service, role, need(moment, role)), down_s))
            for role in service.pools
        }
        wanted.append(roles)
    return sized(view, wanted, reason)


def needed(moment: Moment, role: Role, rate_per_s: float, target: float) -> int:
    """The fewest instances of which this load takes a share `target` of what they carry; the most while unknown."""
    _, most = moment.serving.service.pools[role]
    believed = target * trust(moment.seen, role)
    for alike in ALIKE:
        carried = moment.seen.capacity(moment.serving, role, MARGIN, alike)
        if carried is None or carried.full_per_s <= 0.0:
            return most
        count = max(alike, math.ceil(rate_per_s / (believed * carried.full_per_s)))
        if count < 2 * alike or alike == ALIKE[-1]:
            return min(count, most)
    return most


def needed_now(moment: Moment, role: Role, target: float) -> int:
    """By the load of the last minute, by the sequences under way, and one more while it goes wrong; no fewer while the
    guardrail of the promise would let nobody go."""
    count = needed(moment, role, moment.seen.rate(MINUTE_S), target)
    here = active(moment.instances, role)
    serving = sum(one.state == "serving" for one in here)
    carried = moment.seen.capacity(moment.serving, role, MARGIN, max(1, serving))
    if carried is None:
        return count
    if carried.full_batch >= 1.0:
        outstanding = sum(one.outstanding for one in here)
        count = max(count, math.ceil(outstanding / (carried.full_batch / target)))
    if in_trouble(moment, role, serving * carried.full_per_s):
        doubt(moment.seen, role)
        return max(count, serving + 1 if serving == len(here) else len(here))
    if moment.at_risk:
        return max(count, len(here))
    believe(moment.seen, role, 1.0)
    return count


def in_trouble(moment: Moment, role: Role, carried_per_s: float) -> bool:
    """Whether the promise is broken, or about to be: too much waits."""
    if role != "decode" and too_long(moment, carried_per_s):
        return True
    return strain(moment.recent, moment.serving.service.promise, role) > 1.0


def too_long(moment: Moment, carried_per_s: float) -> bool:
    """Whether the queue takes too much of the time within which a first token is promised."""
    patience_s = QUEUED_SHARE * (moment.serving.service.promise.ttft_s or PROMPT_S)
    return moment.queued > 2 + carried_per_s * patience_s


def strain(recent: Recent, promise: Promise, role: Role) -> float:
    """The greatest share that a recent p99 takes of its limit, of those that a role answers for; 0 where unknown."""
    import numpy as np

    if len(recent.end_s) < ENOUGH:
        return 0.0
    limits = {"ttft_s": promise.ttft_s, "tpot_s": promise.tpot_s, "latency_s": promise.latency_s}
    others = {"prefill": "tpot_s", "decode": "ttft_s"}.get(role)
    asked = [(name, limit) for name, limit in limits.items() if limit is not None and name != others]
    return max((float(np.percentile(getattr(recent, name), PERCENTILE)) / limit for name, limit in asked), default=0.0)


def _moment(
    services: ServicesView, number: int, seen: Seen, now_s: float, guarded: bool, there: dict[Placement, JobRun]
) -> Moment:
    instances = services.instances(number)
    hosts = (one for one in instances if one.run.placement in there) if there else ()
    return Moment(
        seen,
        services.servings[number],
        instances,
        services.done_since(number, now_s - MINUTE_S),
        services.queued(number),
        guarded and services.at_risk(number),
        {one.job_id: there[one.run.placement].thread_percent for one in hosts},
    )
