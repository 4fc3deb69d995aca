"""SimPy's environment with exact times and named kinds of events.

SimPy schedules by delay; now + (t - now) is not always t in floating point, and ends and arrivals that share an
instant must meet in it. So events are put at absolute times here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from heapq import heappush
from operator import attrgetter
from typing import Any

import simpy
from simpy.events import Event


class Kind(IntEnum):
    """What happens first when several things happen at one instant; 0 is SimPy's own start of processes."""

    END = 1
    NODE = 2
    ARRIVAL = 3
    WAKE = 4
    SETTLE = 5
    DECIDE = 8
    HORIZON = 9


class Clock(simpy.Environment):
    """Events at absolute times, ordered by (time, kind, sequence)."""

    # The same property as SimPy's, without a Python call: it is read ten times per job.
    now = property(attrgetter("_now"))

    def at(self, time_s: float, kind: Kind, value: Any = None) -> Event:
        """An event that happens at `time_s`, for a process to wait for."""
        event = Event(self)
        self.fire(event, time_s, kind, value)
        return event

    def fire(self, event: Event, time_s: float, kind: Kind, value: Any = None) -> None:
        """Let an event, which processes may wait for already, happen at `time_s`, or now if that is in the past."""
        event._ok, event._value = True, value
        time_s = max(time_s, self._now)
        heappush(self._queue, (time_s, kind, next(self._eid), event))  # type: ignore[misc] # SimPy has a type of its own for priorities

    def call(self, time_s: float, kind: Kind, function: Callable[[Event], None], value: Any) -> None:
        """Call `function` at `time_s` with an event that carries `value`."""
        event = Event(self)
        event.callbacks.append(function)
        self.fire(event, time_s, kind, value)
