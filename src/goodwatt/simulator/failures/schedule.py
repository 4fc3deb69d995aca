"""When which component fails, why and for how long: a schedule that is drawn lazily and in order of time.

It depends on the seed, the settings and the names of the components alone, never on a policy or on how far a run goes:
every value is drawn by name (`draws`). Components that have not failed yet cost one number each, which all copies of
a schedule share; only those that failed have a state of their own. Who runs there, and what it costs them, is for the
simulation to say.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import Any

from goodwatt.cluster.cluster import Cluster
from goodwatt.simulator.events.draws import child, exponential, key_of, normal, uniform
from goodwatt.simulator.settings.failure_rates import KINDS, ComponentRates, FailureSettings

HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A component fails. `kind` is one of `failure_rates.KINDS`; `target` names the component: a node, `node/GPU`, a
    rack (its switch, the rack), an NVLink domain, `rack/feed`. It is repaired `repair_s` later."""

    time_s: float
    kind: str
    target: str
    repair_s: float
    cause: str

    @property
    def back_s(self) -> float:
        """When it is repaired."""
        return self.time_s + self.repair_s


@dataclass(frozen=True, slots=True)
class Taken:
    """GPUs that are gone until `until_s`: those of `mask` (a bit per GPU) of the node at position `node`.

    `host`: the whole node is away, so that jobs without GPUs lose it too.
    """

    node: int
    mask: int
    until_s: float
    host: bool


class _Purpose(IntEnum):
    """Streams of one component: what is drawn for one never moves the others."""

    FACTOR = 1
    WAIT = 2
    REPAIR = 3
    CAUSE = 4


_Event = tuple[float, int, int, int, float]
"""(hours since the run began, kind, component, failures before, age in hours of its present part when the run began)"""


class _Sites:
    """The components of a cluster, and for each when it first fails; shared by all copies of a schedule."""

    def __init__(self, cluster: Cluster, settings: FailureSettings, seed: int) -> None:
        self.cluster, self.settings, self.seed = cluster, settings, seed
        self.rates: tuple[ComponentRates, ...] = tuple(getattr(settings, kind) for kind in KINDS)
        names = {node.name: i for i, node in enumerate(cluster.nodes)}
        self.node_number: Mapping[str, int] = names
        racks = tuple(dict.fromkeys(node.rack for node in cluster.nodes if node.rack is not None))
        cliques = tuple(dict.fromkeys(node.clique for node in cluster.nodes if node.clique is not None))
        feeds = tuple((rack, i) for rack in racks for i in range(_feeds(cluster, rack)))
        self.rack_nodes = _members(cluster, "rack")
        self.clique_nodes = _members(cluster, "clique")
        self._feeds = feeds
        self._names = {"node": tuple(names), "switch": racks, "nvlink": cliques, "rack": racks}
        self._gpus = array("q", (node for node, fact in enumerate(cluster.nodes) for _ in range(fact.gpus)))
        self._first_gpu = array("q", _starts(fact.gpus for fact in cluster.nodes))
        self.need_h = tuple(self._needs(kind) for kind in range(len(KINDS)))
        self.order = tuple(array("q", sorted(range(len(need)), key=need.__getitem__)) for need in self.need_h)

    def keys(self, kind: int) -> Iterator[int]:
        """The keys of all components of a kind, in order."""
        name = KINDS[kind]
        if name == "gpu":
            for node in self.cluster.nodes:
                key = key_of(self.seed, "gpu", node.name)
                for gpu in range(node.gpus):
                    yield child(key, gpu)
        elif name == "feed":
            for rack, feed in self._feeds:
                yield child(key_of(self.seed, "feed", rack), feed)
        else:
            for component in self._names[name]:
                yield key_of(self.seed, name, component)

    def key(self, kind: int, component: int) -> int:
        """The key of one component."""
        name = KINDS[kind]
        if name == "gpu":
            node = self._gpus[component]
            key = key_of(self.seed, "gpu", self.cluster.nodes[node].name)
            return child(key, component - self._first_gpu[node])
        if name == "feed":
            rack, feed = self._feeds[component]
            return child(key_of(self.seed, "feed", rack), feed)
        return key_of(self.seed, name, self._names[name][component])

    def name(self, kind: int, component: int) -> str:
        """What people call it."""
        name = KINDS[kind]
        if name == "gpu":
            node = self._gpus[component]
            return f"{self.cluster.nodes[node].name}/{component - self._first_gpu[node]}"
        if name == "feed":
            return "{}/{}".format(*self._feeds[component])
        return self._names[name][component]

    def _needs(self, kind: int) -> array[float]:
        """Mean hazard, in hours of an average old component, that each takes until it first fails."""
        rates = self.rates[kind]
        if rates.per_hour <= 0.0:
            return array("d")
        return array("d", (_need(key, rates, 0, 0) for key in self.keys(kind)))


class Failures:
    """The failures of a run, soonest first. Forks copy it, saved runs hold `to_plain`.

    Hours are counted from `origin_s`, when the components are `settings.age_h` old.
    """

    def __init__(self, cluster: Cluster, settings: FailureSettings, seed: int, origin_s: float = 0.0) -> None:
        self._sites = _Sites(cluster, settings, seed)
        self._origin_s = origin_s
        self._passed = [0] * len(KINDS)
        self._heap: list[_Event] = []
        for kind in range(len(KINDS)):
            self._push_first(kind)

    @property
    def next_s(self) -> float:
        """When the next component fails; infinity if none ever does."""
        return self._origin_s + self._heap[0][0] * HOUR_S if self._heap else math.inf

    def pop(self) -> Failure:
        """The next failure; the schedule goes on behind it. IndexError if there is none."""
        hour, kind, component, count, age_h = heappop(self._heap)
        if count == 0:
            self._push_first(kind)
        sites = self._sites
        rates, key = sites.rates[kind], sites.key(kind, component)
        repair_h = rates.repair_median_s / HOUR_S * math.exp(rates.repair_spread * normal(key, _Purpose.REPAIR, count))
        self._push_again((hour + repair_h, kind, component, count + 1, age_h), key)
        cause = _cause(rates.causes, uniform(key, _Purpose.CAUSE, count))
        time_s = self._origin_s + hour * HOUR_S
        return Failure(time_s, KINDS[kind], sites.name(kind, component), repair_h * HOUR_S, cause)

    def taken(self, failure: Failure) -> tuple[Taken, ...]:
        """What a failure takes down, node by node, in order of nodes.

        A feed takes nothing by itself, see `feed_of`; neither do racks nobody named. A node may be taken by several
        failures at once: it is back when the last of them is over.
        """
        sites = self._sites
        if failure.kind == "gpu":
            return self._taken_gpu(failure)
        if failure.kind == "node":
            nodes: tuple[int, ...] = (sites.node_number[failure.target],)
        elif failure.kind == "nvlink":
            nodes = sites.clique_nodes[failure.target]
        elif failure.kind in {"switch", "rack"}:
            nodes = sites.rack_nodes[failure.target]
        else:
            nodes = ()
        return tuple(Taken(node, self._whole(node), failure.back_s, host=True) for node in nodes)

    def copy(self) -> Failures:
        """An independent copy: a few hundred numbers, the cluster's facts are shared."""
        twin = object.__new__(Failures)
        twin._sites, twin._origin_s = self._sites, self._origin_s
        twin._passed, twin._heap = self._passed[:], self._heap[:]
        return twin

    def to_plain(self) -> dict[str, Any]:
        """Its state as plain content; the cluster, the settings and the seed are not in it."""
        return {"passed": self._passed[:], "heap": [list(event) for event in self._heap]}

    def load_plain(self, plain: Mapping[str, Any]) -> None:
        """Take up a state that `to_plain` wrote. KeyError, TypeError or ValueError if it is damaged."""
        passed = [int(number) for number in plain["passed"]]
        heap = [(float(h), int(kind), int(i), int(count), float(age)) for h, kind, i, count, age in plain["heap"]]
        sizes = [len(order) for order in self._sites.order]
        if len(passed) != len(sizes) or any(not 0 <= n <= size for n, size in zip(passed, sizes, strict=True)):
            raise ValueError("failures of another cluster")
        if any(not (0 <= kind < len(sizes) and 0 <= i < sizes[kind]) for _, kind, i, _, _ in heap):
            raise ValueError("a failure of a component that is not there")
        heapify(heap)
        self._passed, self._heap = passed, heap

    def _push_first(self, kind: int) -> None:
        """Put the next component of a kind that never failed in line."""
        order = self._sites.order[kind]
        at = self._passed[kind]
        if at == len(order):
            return
        self._passed[kind] += 1
        component, rates = order[at], self._sites.rates[kind]
        age_h = self._sites.settings.age_h
        hour = _hours_until(self._sites.need_h[kind][component], rates, age_h)
        heappush(self._heap, (hour, kind, component, 0, age_h))

    def _push_again(self, event: _Event, key: int) -> None:
        """Put a component that is in use again from `event`'s time on in line, old or exchanged for a new one."""
        hour, kind, component, count, age_h = event
        every = self._sites.settings.replace_after
        if every and count % every == 0:
            age_h = -hour
        rates = self._sites.rates[kind]
        need_h = _need(key, rates, count, count // every if every else 0)
        heappush(self._heap, (hour + _hours_until(need_h, rates, age_h + hour), kind, component, count, age_h))

    def _taken_gpu(self, failure: Failure) -> tuple[Taken, ...]:
        name, _, gpu = failure.target.rpartition("/")
        node, takes = self._sites.node_number[name], self._sites.settings.gpu_takes
        if takes == "node":
            return (Taken(node, self._whole(node), failure.back_s, host=True),)
        alone = Taken(node, 1 << int(gpu), failure.back_s, host=False)
        if takes == "gpu":
            return (alone,)
        reset_s = failure.time_s + self._sites.settings.reset_s
        return Taken(node, self._whole(node), reset_s, host=True), alone

    def _whole(self, node: int) -> int:
        return (1 << self._sites.cluster.nodes[node].gpus) - 1


def feed_of(failure: Failure) -> tuple[str, int]:
    """Rack and number of the feed that failed; the rack has the share of its other feeds left."""
    rack, _, feed = failure.target.rpartition("/")
    return rack, int(feed)


def _need(key: int, rates: ComponentRates, count: int, part: int) -> float:
    """Hours of an average old component's hazard until the failure number `count`; `part`: exchanged so often."""
    wait = exponential(key, _Purpose.WAIT, count) / rates.per_hour
    if rates.spread == 0.0:
        return wait
    return wait * math.exp(0.5 * rates.spread**2 - rates.spread * normal(key, _Purpose.FACTOR, part))


def _hours_until(need_h: float, rates: ComponentRates, age_h: float) -> float:
    """Hours x after which a component of `age_h` has used up `need_h` hours of hazard.

    The hazard relative to an old component's is h(a) = 1 + b exp(-a / B) at age a (`burn_in` is 1 + b), so
    x + b B (exp(-age / B) - exp(-(age + x) / B)) = need_h. The left side is concave: Newton's steps from below come
    closer from below.
    """
    extra = (rates.burn_in - 1.0) * math.exp(-age_h / rates.burn_in_h)
    if abs(extra) < 1e-6:
        return need_h
    scale = rates.burn_in_h
    hours = need_h / (1.0 + max(extra, 0.0))
    for _ in range(60):
        fading = math.exp(-hours / scale)
        step = (need_h - hours - extra * scale * (1.0 - fading)) / (1.0 + extra * fading)
        hours += step
        if abs(step) <= 1e-9 * hours:
            break
    return hours


def _cause(causes: tuple[tuple[str, float], ...], at: float) -> str:
    """The cause that a number between 0 and 1 falls on."""
    left = at * math.fsum(weight for _, weight in causes)
    for name, weight in causes:
        left -= weight
        if left < 0.0:
            return name
    return causes[-1][0]


def _feeds(cluster: Cluster, rack: str) -> int:
    return cluster.racks[rack].feeds if rack in cluster.racks else 1


def _members(cluster: Cluster, what: str) -> Mapping[str, tuple[int, ...]]:
    members: dict[str, list[int]] = {}
    for number, node in enumerate(cluster.nodes):
        if (name := getattr(node, what)) is not None:
            members.setdefault(name, []).append(number)
    return {name: tuple(nodes) for name, nodes in members.items()}


def _starts(sizes: Iterator[int]) -> Iterator[int]:
    total = 0
    for size in sizes:
        yield total
        total += size
