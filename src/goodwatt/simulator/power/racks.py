"""Racks and their feeds during a run: loads, breakers that trip, feeds that are lost, racks that go dark.

The breaker's curve is in `power.facility.breaker`, who carries what in `power.facility.rack_feeds`. Here it gets its
time: when a rack's load changes, its breakers are brought up to now and the next trip is put on the clock anew. A rack
without a feed is dark: its jobs fail, its nodes are away until one of its feeds carries again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from goodwatt.cluster.cluster import Cluster, Rack
from goodwatt.cluster.trip_curve import trip_curve
from goodwatt.power.facility.breaker import Breaker
from goodwatt.power.facility.rack_feeds import RackFeeds, rack_feeds
from goodwatt.simulator import nodes
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action
from goodwatt.simulator.physics.power_meter import MICRO, PowerMeter
from goodwatt.simulator.power import power_control

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation

RESET_S = 3_600.0
"""Assumed: a breaker that tripped is closed again after so long; somebody has to come, look for the cause and do it."""


@dataclass(slots=True)
class FedRack:
    """A rack with feeds: their state as of `since_s`, the load since then, the timer of the next trip (0: none)."""

    feeds: RackFeeds
    load_uw: int
    since_s: float
    timer: int = 0
    dark: bool = False


class RackPower(NamedTuple):
    """What a rack may draw, W: what its feeds that are up carry for ever, and how many these are."""

    limit_w: float
    feeds_up: int


class Racks:
    """The racks of a run whose limits are known, and those that have lost a feed; `trips` of breakers so far."""

    def __init__(self, cluster: Cluster, meter: PowerMeter | None, start_s: float) -> None:
        self._cluster, self.meter = cluster, meter
        self.trips = 0
        self.fed: dict[str, FedRack] = {}
        for rack in cluster.racks.values():
            load_uw = self.load_uw(rack.name)
            feeds = rack_feeds(rack, load_uw / MICRO)
            if feeds is not None:
                self.fed[rack.name] = FedRack(feeds, load_uw, start_s)
        if meter is not None:
            meter.moved.clear()

    def load_uw(self, rack: str) -> int:
        """What a rack's nodes draw now; 0 where the physics has no meter."""
        return 0 if self.meter is None else self.meter.rack_uw[self.meter.racks[rack]]

    def of(self, name: str, now_s: float) -> FedRack:
        """A rack by name; one without limits has breakers that never trip."""
        if name not in self.fed:
            rack = self._cluster.racks.get(name) or Rack(name)
            breakers = tuple(Breaker(math.inf, trip_curve(rack.breaker)) for _ in range(rack.feeds))
            self.fed[name] = FedRack(RackFeeds(breakers), self.load_uw(name), now_s)
        return self.fed[name]

    def moved(self) -> Iterator[str]:
        """Racks with feeds whose load is another since the last call."""
        if self.meter is not None and self.meter.moved:
            moved, self.meter.moved = self.meter.moved, {}
            names = self.meter.rack_names
            yield from (names[rack] for rack in moved if names[rack] in self.fed)

    def shown(self) -> Mapping[str, RackPower]:
        """The racks as policies see them."""
        return {name: RackPower(rack.feeds.continuous_w, len(rack.feeds.up)) for name, rack in self.fed.items()}

    def copy(self, meter: PowerMeter | None) -> Racks:
        """The same over a copy of the meter."""
        twin = object.__new__(Racks)
        twin._cluster, twin.meter, twin.trips = self._cluster, meter, self.trips
        twin.fed = {name: replace(rack, feeds=rack.feeds.copy()) for name, rack in self.fed.items()}
        return twin

    def to_plain(self) -> Any:
        """What changes."""
        racks = [[n, r.feeds.to_plain(), r.load_uw, r.since_s, r.timer, r.dark] for n, r in self.fed.items()]
        return [self.trips, racks]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave."""
        self.trips = int(plain[0])
        for name, feeds, load_uw, since_s, timer, dark in plain[1]:
            rack = self.of(name, since_s)
            rack.feeds.restore(feeds)
            rack.load_uw, rack.since_s, rack.timer, rack.dark = int(load_uw), since_s, int(timer), bool(dark)
        if self.meter is not None:
            self.meter.moved.clear()


def follow(sim: Simulation) -> None:
    """Loads have changed: go on with them."""
    for name in sim.racks.moved():
        rack = sim.racks.fed[name]
        tripped = _bring_up(sim, name, sim.now_s - rack.since_s)
        rack.load_uw = sim.racks.load_uw(name)
        _plan(sim, name)
        if tripped:  # what follows from it must not happen within another event
            sim.timers.cancel(rack.timer)
            rack.timer = sim.timers.set(sim.now_s, Kind.NODE, rack_feeds_changed, name)


@action
def lose_feed(sim: Simulation, name: str, feed: int, back_s: float) -> None:
    """The mains behind a feed fail until `back_s`."""
    _feeds_by_now(sim, name).lose(feed)
    sim.timers.set(back_s, Kind.NODE, feed_is_back, name, feed)
    _changed(sim, name)


@action
def feed_is_back(sim: Simulation, name: str, feed: int) -> None:
    """The mains behind a feed are there again."""
    _feeds_by_now(sim, name).restore_mains(feed)
    _changed(sim, name)


@action
def breaker_is_reset(sim: Simulation, name: str, feed: int) -> None:
    """A breaker is closed again by hand."""
    _feeds_by_now(sim, name).reset(feed)
    _changed(sim, name)


@action
def breaker_trips(sim: Simulation, name: str) -> None:
    """The next breaker of a rack trips; by rounding the heat may be a little short of it."""
    rack = sim.racks.fed[name]
    rack.timer = 0
    _bring_up(sim, name, max(sim.now_s - rack.since_s, rack.feeds.trips_in(rack.load_uw / MICRO)))
    _changed(sim, name)


@action
def rack_feeds_changed(sim: Simulation, name: str) -> None:
    """Breakers of a rack have tripped while its load changed."""
    sim.racks.fed[name].timer = 0
    _changed(sim, name)


def _feeds_by_now(sim: Simulation, name: str) -> RackFeeds:
    """The feeds of a rack, their breakers brought up to now."""
    rack = sim.racks.of(name, sim.now_s)
    _bring_up(sim, name, sim.now_s - rack.since_s)
    return rack.feeds


def _bring_up(sim: Simulation, name: str, seconds: float) -> bool:
    """Bring a rack's breakers up to now; whether any trips. Somebody will come and close it again."""
    rack, load_w = sim.racks.fed[name], sim.racks.fed[name].load_uw / MICRO
    rack.since_s = sim.now_s
    if seconds <= 0.0 < rack.feeds.trips_in(load_w):
        return False
    trips = rack.feeds.advance(load_w, seconds)
    sim.racks.trips += len(trips)
    for trip in trips:
        sim.timers.set(sim.now_s + RESET_S, Kind.NODE, breaker_is_reset, name, trip.feed)
    return bool(trips)


def _plan(sim: Simulation, name: str) -> None:
    """Put the next trip at the present load on the clock."""
    rack = sim.racks.fed[name]
    sim.timers.cancel(rack.timer)
    rack.timer = 0
    if (seconds := rack.feeds.trips_in(rack.load_uw / MICRO)) < math.inf:
        rack.timer = sim.timers.set(sim.now_s + seconds, Kind.NODE, breaker_trips, name)


def _changed(sim: Simulation, name: str) -> None:
    """Other feeds carry a rack now: it goes dark, or is back, and policies may want to know."""
    rack = sim.racks.fed[name]
    members = [i for i, node in enumerate(sim.cluster.nodes) if node.rack == name]
    if not rack.feeds.up and not rack.dark:
        rack.dark = True
        for node in members:
            for run in nodes.jobs_on(sim, node):
                sim.stop(run, failed=True)
            nodes.hold(sim, node)
    elif rack.feeds.up and rack.dark:
        rack.dark = False
        for node in members:
            nodes.free(sim, node)
    _plan(sim, name)
    if sim.book is not None:
        sim.book.set_limit(name, rack.feeds.continuous_w)
        sim.timers.set(sim.now_s, Kind.SETTLE, power_control.room_is_free)
    sim.change_all()
