"""A circuit breaker with an inverse-time curve: not an instant limit but a store of heat that fills and empties.

Thermal image after IEC 60255-149, in units of the heat at which it trips:

    d heat / d t = (p^2 - heat) / tau          p = load / (hold * rating)
    from heat h a constant p > 1 trips after   tau * ln((p^2 - h) / (p^2 - 1))

Current is taken as proportional to power (constant voltage and power factor). It is exact for loads that are constant
between changes. Which breaker carries what is left to `rack_feeds`; facts of racks are in
`cluster.cluster`, trip curves in `cluster.trip_curve`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from goodwatt.cluster.trip_curve import TripCurve

CONTINUOUS_SHARE = 0.8
"""Of its rating, what a breaker may carry for three hours or longer (NEC 210.20(A) and 215.3)."""


class Breaker:
    """One breaker: its heat (1.0: it trips) and whether it is closed. Only whoever advances time writes it."""

    __slots__ = ("_curve", "_full_w", "closed", "heat", "rating_w")

    def __init__(self, rating_w: float, curve: TripCurve, load_w: float = 0.0) -> None:
        """Closed, with the heat of having carried `load_w` for long."""
        self.rating_w = rating_w
        self._curve = curve
        self._full_w = curve.hold * rating_w
        self.closed = True
        self.heat = min(self._settled(load_w), 1.0)

    @property
    def continuous_w(self) -> float:
        """What it may carry for hours."""
        return CONTINUOUS_SHARE * self.rating_w

    def trips_in(self, load_w: float) -> float:
        """Seconds until it trips if `load_w` stays; inf if never (an open breaker carries nothing)."""
        settled = self._settled(load_w)
        if not self.closed or settled <= 1.0:
            return math.inf
        if load_w >= self._curve.instant * self.rating_w:
            return 0.0
        return self._curve.tau_s * math.log1p(max(1.0 - self.heat, 0.0) / (settled - 1.0))

    def advance(self, load_w: float, seconds: float) -> bool:
        """`seconds` at the constant `load_w`; whether it trips within them, their end included.

        After the trip it carries nothing and cools for the rest; so does an open breaker all the time.
        """
        until = self.trips_in(load_w)
        if until > seconds:
            self._drift(load_w if self.closed else 0.0, seconds)
            return False
        self.closed, self.heat = False, 1.0
        self._drift(0.0, seconds - until)
        return True

    def reset(self) -> None:
        """Closed again by hand, as warm as it is."""
        self.closed = True

    def bearable_w(self, seconds: float) -> float:
        """The greatest constant load that it carries from now for `seconds` without tripping; 0 when open."""
        if not self.closed:
            return 0.0
        decay = math.exp(-seconds / self._curve.tau_s)
        if decay >= 1.0:
            return self._curve.instant * self.rating_w
        settled = (1.0 - self.heat * decay) / (1.0 - decay)
        return min(self._full_w * math.sqrt(settled), self._curve.instant * self.rating_w)

    def copy(self) -> Breaker:
        """An independent copy; the curve is a fact and shared."""
        twin = object.__new__(Breaker)
        for name in Breaker.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin

    def to_plain(self) -> dict[str, Any]:
        """What changes, as plain JSON; rating and curve are facts of whoever restores it."""
        return {"heat": self.heat, "closed": self.closed}

    def restore(self, plain: Mapping[str, Any]) -> None:
        """Takes over what `to_plain` gave."""
        self.heat, self.closed = float(plain["heat"]), bool(plain["closed"])

    def _settled(self, load_w: float) -> float:
        """The heat that it reaches if `load_w` stays."""
        return (load_w / self._full_w) ** 2

    def _drift(self, load_w: float, seconds: float) -> None:
        settled = self._settled(load_w)
        self.heat = settled + (self.heat - settled) * math.exp(-seconds / self._curve.tau_s)
