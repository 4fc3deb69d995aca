"""How fast power may rise: a limit in watts per second, and when the next start fits under it.

A store of allowance fills at the rate of the limit up to a burst and every rise takes from it, so that within any
stretch of time the rises sum to at most burst + rate * time. A single rise larger than the burst waits until it has
saved up for it. Falls give nothing back: a swing up again is a rise. Who starts first is the caller's order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from goodwatt.errors import InputError


@dataclass(frozen=True, slots=True)
class RampLimit:
    """`w_per_s`: how fast the load may rise on average; `window_s`: over how long it is averaged, so that a step of
    `burst_w` is allowed at once.

    The window of 1 s is assumed: the time over which GPU sensors average.
    """

    w_per_s: float
    window_s: float = 1.0

    def __post_init__(self) -> None:
        if not (self.w_per_s > 0.0 and self.window_s >= 0.0):
            raise InputError(f"ramp limit: expected W/s above 0, got {self.w_per_s:g} over {self.window_s:g} s")

    @property
    def burst_w(self) -> float:
        """The step that is allowed at once."""
        return self.w_per_s * self.window_s


class Ramp:
    """The allowance under one limit; `free_s` is when it was, or will be, empty and begins to fill."""

    __slots__ = ("free_s", "limit")

    def __init__(self, limit: RampLimit) -> None:
        """Full in the beginning."""
        self.limit = limit
        self.free_s = -math.inf

    def ready_s(self, now_s: float, watts: float) -> float:
        """When a rise of `watts` may happen, `now_s` at the earliest.

        What is larger than the burst needs a store as large as itself, filled since the last rise.
        """
        if watts <= 0.0:
            return now_s
        empty_s = max(self.free_s, now_s - self.limit.window_s)
        return max(now_s, empty_s + watts / self.limit.w_per_s)

    def rise(self, at_s: float, watts: float) -> None:
        """It happens, not before `ready_s`. A rise of nothing, or a fall, changes nothing."""
        if watts > 0.0:
            seconds = watts / self.limit.w_per_s
            self.free_s = max(self.free_s, at_s - max(self.limit.window_s, seconds)) + seconds

    def plan(self, now_s: float, rises_w: Iterable[float]) -> tuple[float, ...]:
        """When each of some rises may happen, one after the other, and they are taken as done."""
        times = []
        for watts in rises_w:
            now_s = self.ready_s(now_s, watts)
            self.rise(now_s, watts)
            times.append(now_s)
        return tuple(times)

    def allowance_w(self, now_s: float) -> float:
        """The greatest rise that may happen now."""
        return max(min((now_s - self.free_s) * self.limit.w_per_s, self.limit.burst_w), 0.0)

    def copy(self) -> Ramp:
        """An independent copy."""
        twin = Ramp(self.limit)
        twin.free_s = self.free_s
        return twin

    def to_plain(self) -> dict[str, Any]:
        """What changes, as plain JSON."""
        return {"free_s": None if self.free_s == -math.inf else self.free_s}

    def restore(self, plain: Mapping[str, Any]) -> None:
        """Takes over what `to_plain` gave."""
        self.free_s = -math.inf if plain["free_s"] is None else float(plain["free_s"])
