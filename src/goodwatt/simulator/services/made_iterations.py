"""How many iterations an instance has made at any moment of a tick, compiled.

Within a tick an instance decodes at one pace, but for stretches in which prompts are computed, whose iterations are
known. Between the points where that changes the count grows evenly: a broken line. Stretches are those of one
instance, in order, inside the tick.
"""

from __future__ import annotations

from typing import Any

from goodwatt.simulator.services.compiled import compiled

Stretches = Any
"""A part of the table of stretches, see `tick_tables`."""


@compiled
def made_at(stretches: Stretches, from_s: float, each_s: float, time_s: float) -> float:
    """Iterations made from `from_s` until a time, at `each_s` seconds for each that only decodes."""
    made, at_s = 0.0, from_s
    for one in stretches:
        if time_s <= one.begin_s:
            break
        made += (one.begin_s - at_s) / each_s
        if time_s < one.end_s:
            return made + one.iterations * (time_s - one.begin_s) / (one.end_s - one.begin_s)
        made += one.iterations
        at_s = one.end_s
    return made + (max(time_s, at_s) - at_s) / each_s


@compiled
def time_when(stretches: Stretches, from_s: float, each_s: float, iterations: float) -> float:
    """The time at which so many have been made, if the instance went on for ever."""
    made, at_s = 0.0, from_s
    for one in stretches:
        decoded = (one.begin_s - at_s) / each_s
        if made + decoded >= iterations:
            break
        made += decoded
        if made + one.iterations >= iterations:
            return one.begin_s + (one.end_s - one.begin_s) * (iterations - made) / one.iterations
        made += one.iterations
        at_s = one.end_s
    return at_s + max(0.0, iterations - made) * each_s
