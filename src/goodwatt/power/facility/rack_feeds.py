"""The feeds of a rack: they share its load evenly, and when one is lost the others carry all of it.

A feed is up while the mains behind it are there and its breaker is closed. What a dark rack does to jobs, and who
lowers the load in time, is left to the simulator and the power policies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from goodwatt.cluster.cluster import Rack
from goodwatt.cluster.trip_curve import trip_curve
from goodwatt.power.facility.breaker import CONTINUOUS_SHARE, Breaker


@dataclass(frozen=True, slots=True)
class Trip:
    """A breaker that opened: which feed, and how many seconds after the time that `advance` started from."""

    feed: int
    after_s: float


class RackFeeds:
    """All feeds of one rack, each with a breaker, all mains there in the beginning."""

    __slots__ = ("_mains", "breakers")

    def __init__(self, breakers: tuple[Breaker, ...]) -> None:
        self.breakers = breakers
        self._mains = [True] * len(breakers)

    @property
    def up(self) -> tuple[int, ...]:
        """The feeds that carry load now."""
        return tuple(i for i, breaker in enumerate(self.breakers) if breaker.closed and self._mains[i])

    @property
    def continuous_w(self) -> float:
        """What the rack may draw for hours from the feeds that are up."""
        up = self.up
        return len(up) * min((self.breakers[i].continuous_w for i in up), default=0.0)

    def bearable_w(self, seconds: float) -> float:
        """The greatest constant load of the rack that trips nothing for `seconds`; 0 when it is dark."""
        up = self.up
        return len(up) * min((self.breakers[i].bearable_w(seconds) for i in up), default=0.0)

    def trips_in(self, load_w: float) -> float:
        """Seconds until the next breaker trips if the rack's load stays; inf if none does."""
        up = self.up
        return min((self.breakers[i].trips_in(load_w / len(up)) for i in up), default=math.inf)

    def advance(self, load_w: float, seconds: float) -> tuple[Trip, ...]:
        """`seconds` at a constant load of the rack; what trips, in order, with the load passed on each time."""
        trips: list[Trip] = []
        passed = 0.0
        while (until := self.trips_in(load_w)) <= seconds - passed:
            tripped = self._step(load_w, until)
            passed += until
            trips += [Trip(feed, passed) for feed in tripped]
        self._step(load_w, seconds - passed)
        return tuple(trips)

    def lose(self, feed: int) -> None:
        """The mains behind a feed fail."""
        self._mains[feed] = False

    def restore_mains(self, feed: int) -> None:
        """They are back; a breaker that tripped stays open until `reset`."""
        self._mains[feed] = True

    def reset(self, feed: int) -> None:
        """Its breaker is closed again by hand."""
        self.breakers[feed].reset()

    def copy(self) -> RackFeeds:
        """An independent copy."""
        twin = RackFeeds(tuple(breaker.copy() for breaker in self.breakers))
        twin._mains = self._mains.copy()
        return twin

    def to_plain(self) -> dict[str, Any]:
        """What changes, as plain JSON."""
        return {"mains": self._mains.copy(), "breakers": [breaker.to_plain() for breaker in self.breakers]}

    def restore(self, plain: Mapping[str, Any]) -> None:
        """Takes over what `to_plain` gave."""
        self._mains = [bool(there) for there in plain["mains"]]
        for breaker, state in zip(self.breakers, plain["breakers"], strict=True):
            breaker.restore(state)

    def _step(self, load_w: float, seconds: float) -> list[int]:
        """No feed is lost in between; those that trip do so at the end."""
        up = self.up
        share = load_w / len(up) if up else 0.0
        return [i for i, b in enumerate(self.breakers) if b.advance(share if i in up else 0.0, seconds)]


def feed_limit_w(rack: Rack) -> float | None:
    """What one feed of the rack carries for ever; None if nobody says."""
    if rack.feed_limit_w is not None:
        return rack.feed_limit_w
    return None if rack.power_limit_w is None else rack.power_limit_w / rack.feeds


def rack_feeds(rack: Rack, load_w: float = 0.0) -> RackFeeds | None:
    """The feeds of a rack that has carried `load_w` for long; None where its limits are not known.

    The rating of each breaker is what its feed carries for ever over the 80% that a breaker may.
    """
    limit = feed_limit_w(rack)
    if limit is None or limit <= 0.0:
        return None
    curve, share = trip_curve(rack.breaker), load_w / rack.feeds
    return RackFeeds(tuple(Breaker(limit / CONTINUOUS_SHARE, curve, share) for _ in range(rack.feeds)))
