"""Bringing the instances of a service to a number: who starts where, who drains, which nodes wake for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from goodwatt.cluster.packed import packed_gpus
from goodwatt.policies.idle_nodes import sleeping, wake_for
from goodwatt.policies.service_reclaim import Reclaim
from goodwatt.policies.wiring import tightest_node
from goodwatt.simulator.decisions import Decision, Drain, Place, Wake
from goodwatt.simulator.nodes import ASLEEP, WAKING
from goodwatt.simulator.services.service import Role, Service
from goodwatt.simulator.services.services_view import InstanceView
from goodwatt.simulator.view import View


def sized(view: View, wanted: Sequence[dict[Role, int]], reason: str) -> list[Decision]:
    """Decisions that bring each service to so many instances of each role; what does not fit is tried again later, when
    a node that sleeps has been woken for it. Where no GPUs are free batch jobs give theirs back, those that lose
    least by it (`service_reclaim`).

    Places are tried on the view's state, so that two instances do not get the same GPUs.
    """
    services = view.services
    assert services is not None  # noqa: S101 - a service policy is asked where there are services
    decisions: list[Decision] = []
    reclaim = Reclaim(view)
    with view.what_if():
        for number, roles in enumerate(wanted):
            instances = services.instances(number)
            for role, count in roles.items():
                decisions += _changes(view, reclaim, instances, role, count, reason)
    return decisions


def within(service: Service, role: Role, count: int) -> int:
    """A number of instances as far as the service allows it."""
    least, most = service.pools[role]
    return min(max(count, least), most)


def active(instances: Sequence[InstanceView], role: Role) -> list[InstanceView]:
    """Those that serve in a role, or will soon."""
    return [one for one in instances if one.state in {"starting", "serving"} and one.role == role]


def _changes(
    view: View, reclaim: Reclaim, instances: Sequence[InstanceView], role: Role, count: int, reason: str
) -> Iterator[Decision]:
    here = active(instances, role)
    idle = [one for one in instances if one.state == "idle" and one.job_id not in view.state.placements]
    missing = idle[: max(0, count - len(here))]
    for place, one in enumerate(missing):
        node = tightest_node(one.run.base, view.state)
        if node is None:
            if (group := reclaim.room_for(one, role, reason)) is not None:
                yield group
                continue
            yield from _woken(view, missing[place:], reason)
            return
        nodes = ((node, one.run.base.num_gpus),)
        view.state.allocate(one.run.base, nodes)
        yield Place(one.job_id, nodes, role=role)
    surplus = len(here) - count
    for one in sorted(here, key=lambda one: _least_missed(one, view))[:surplus] if surplus > 0 else ():
        yield Drain(one.job_id, reason)


def _woken(view: View, missing: Sequence[InstanceView], reason: str) -> Iterator[Wake]:
    """Sleeping nodes for those who find no room, as far as those that wake already do not hold them."""
    asleep, woken = sleeping(view, ASLEEP), list[int]()
    coming = {node: view.state.capacity[node] for node in sleeping(view, WAKING)}
    for one in missing if asleep else ():
        wake_for(one.run.base, view.state, asleep, coming, woken)
    yield from (Wake(node, reason) for node in woken)


def _least_missed(one: InstanceView, view: View) -> tuple[bool, bool, int, int, int]:
    """Those that still start go first, then those that have their GPUs for themselves, then those on the node with the
    most free GPUs, which may sleep once it is empty, then those with the fewest requests."""
    node, mask = one.run.placement[0]
    shared = bool(packed_gpus(view.state.packed[node]) & mask)
    return one.state == "serving", shared, -view.state.free_mask[node].bit_count(), node, one.outstanding
