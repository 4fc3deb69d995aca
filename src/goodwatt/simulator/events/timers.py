"""Things that will happen at a known time: a clock that settles, a node that is awake, a breaker that trips.

A timer is plain data, (time, kind, what, arguments), so that it can be copied by a fork and written by a save; what it
does is a function registered under its name. One that has become pointless is cancelled by its number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from simpy.events import Event

from goodwatt.simulator.events.clock import Kind

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation

Action = Callable[..., None]
_ACTIONS: dict[str, Action] = {}


class Timer(NamedTuple):
    """`what` happens at `time_s` with `args`, which are numbers and texts."""

    time_s: float
    kind: int
    what: str
    args: tuple[Any, ...]


def action(function: Action) -> Action:
    """Register a function of the simulation and the timer's arguments under its own name."""
    _ACTIONS[function.__name__] = function
    return function


class Timers:
    """The timers of a run, by number in the order in which they were set; `count` have been set so far."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self.count = 0
        self.waiting: dict[int, Timer] = {}

    def set(self, time_s: float, kind: Kind, what: Action, *args: Any) -> int:
        """Do something at a time; the number by which it can be cancelled."""
        self.count += 1
        self.waiting[self.count] = timer = Timer(time_s, int(kind), what.__name__, args)
        self._start(self.count, timer)
        return self.count

    def cancel(self, number: int) -> None:
        """Let it not happen; nothing if it has."""
        self.waiting.pop(number, None)

    def restart(self) -> None:
        """Put all on a new clock, in their old order."""
        for number, timer in self.waiting.items():
            self._start(number, timer)

    def copy(self, sim: Simulation) -> Timers:
        """The same for a fork; `restart` puts them on its clock."""
        twin = Timers(sim)
        twin.count, twin.waiting = self.count, dict(self.waiting)
        return twin

    def to_plain(self) -> Any:
        """Count and timers as plain data."""
        return [self.count, [[number, *timer] for number, timer in self.waiting.items()]]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave; `restart` comes later."""
        self.count = plain[0]
        self.waiting = {n: Timer(time_s, kind, what, tuple(args)) for n, time_s, kind, what, args in plain[1]}

    def _start(self, number: int, timer: Timer) -> None:
        self._sim.clock.call(timer.time_s, Kind(timer.kind), self._fire, number)

    def _fire(self, event: Event) -> None:
        timer = self.waiting.pop(event._value, None)
        if timer is not None:
            self._sim.account()
            _ACTIONS[timer.what](self._sim, *timer.args)
