"""Prices, carbon intensity and other things that change over time: series of steps over the seconds of a trace.

A value holds from its time to the next. Before the first time the first value holds, after the last the last, unless
the series repeats (a typical day or week): such values are carried, and `StepSeries.carried_s` says for how long.
Reading files is left to `energy_price_file`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from goodwatt.errors import InputError

J_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class StepSeries:
    """`values[i]` from `starts_s[i]` on. `period_s`: it repeats from its first start on, forwards and backwards."""

    starts_s: tuple[float, ...]
    values: tuple[float, ...]
    period_s: float | None = None
    _sums: tuple[float, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises InputError unless times rise, fit into the period and every time has a value."""
        starts, values = self.starts_s, self.values
        if not starts or len(starts) != len(values):
            raise InputError(
                f"series: expected as many values as times, at least one, got {len(values)} and {len(starts)}"
            )
        if any(late <= early for early, late in pairwise(starts)):
            raise InputError("series: expected times that rise")
        if self.period_s is not None and not starts[-1] - starts[0] < self.period_s:
            raise InputError(
                f"series: expected a period longer than {starts[-1] - starts[0]:g} s, got {self.period_s:g}"
            )
        last = 0.0 if self.period_s is None else starts[0] + self.period_s - starts[-1]
        widths = [late - early for early, late in pairwise(starts)] + [last]
        areas = (value * width for value, width in zip(values, widths, strict=True))
        object.__setattr__(self, "_sums", tuple(accumulate(areas, initial=0.0)))

    def value_at(self, time_s: float) -> float:
        """The value that holds at this time; at a step the new one."""
        return self.values[self._step(time_s)[0]]

    def next_change_s(self, time_s: float) -> float:
        """The first step after this time, inf if there is none; at a step the next one."""
        inside, turns = self._within(time_s)
        i = bisect_right(self.starts_s, inside)
        if self.period_s is None:
            return self.starts_s[i] if i < len(self.starts_s) else math.inf
        local = self.starts_s[i] if i < len(self.starts_s) else self.starts_s[0] + self.period_s
        later = local + turns * self.period_s
        return later if later > time_s else self.next_change_s(math.nextafter(time_s, math.inf))

    def integral(self, from_s: float, to_s: float) -> float:
        """The value times the seconds from one time to another; stretches inside one step are exact products."""
        if to_s < from_s:
            return -self.integral(to_s, from_s)
        (first, start, turns), (last, end, more_turns) = self._step(from_s), self._step(to_s)
        if (first, turns) == (last, more_turns):
            return self.values[first] * (to_s - from_s)
        before = self.values[first] * (self._end(first) - start)
        whole = self._sums[last] - self._sums[first + 1] + (more_turns - turns) * self._sums[-1]
        return before + whole + self.values[last] * (end - self.starts_s[last])

    def mean(self, from_s: float, to_s: float) -> float:
        """The average from one time to another; at one instant its value."""
        return self.integral(from_s, to_s) / (to_s - from_s) if to_s > from_s else self.value_at(from_s)

    @property
    def usual_step_s(self) -> float:
        """The median of the seconds from one time to the next; inf where there is but one time."""
        widths = sorted(late - early for early, late in pairwise(self.starts_s))
        return widths[(len(widths) - 1) // 2] if widths else math.inf

    @property
    def covered(self) -> tuple[float, float]:
        """The times of which the series speaks: from the first to a usual step after the last; all if it repeats or
        has but one value."""
        if self.period_s is not None or len(self.starts_s) == 1:
            return -math.inf, math.inf
        return self.starts_s[0], self.starts_s[-1] + self.usual_step_s

    def carried_s(self, from_s: float, to_s: float) -> float:
        """Seconds between two times at which the series does not speak and its first or last value is carried on."""
        first_s, end_s = self.covered
        return max(0.0, min(to_s, first_s) - from_s) + max(0.0, to_s - max(from_s, end_s))

    def _within(self, time_s: float) -> tuple[float, int]:
        """The time moved into the first period, and by how many periods."""
        if self.period_s is None:
            return time_s, 0
        turns = math.floor((time_s - self.starts_s[0]) / self.period_s)
        return time_s - turns * self.period_s, turns

    def _step(self, time_s: float) -> tuple[int, float, int]:
        """Which step holds, the time moved into the first period, and by how many periods."""
        inside, turns = self._within(time_s)
        return max(bisect_right(self.starts_s, inside) - 1, 0), inside, turns

    def _end(self, step: int) -> float:
        """When a step ends; the last one of a series that does not repeat has no end."""
        if step + 1 < len(self.starts_s):
            return self.starts_s[step + 1]
        return math.inf if self.period_s is None else self.starts_s[0] + self.period_s


def constant(value: float) -> StepSeries:
    """The same value for ever."""
    return StepSeries((0.0,), (value,))


@dataclass(frozen=True, slots=True)
class EnergyPrice:
    """What energy costs at the meter of the facility: money per kWh, and grams of CO2 per kWh.

    `currency` is for people. None: nobody says, and the figure is not reported.
    """

    per_kwh: StepSeries | None = None
    gco2_per_kwh: StepSeries | None = None
    currency: str = ""


def cheapest_start_s(series: StepSeries, seconds: float, from_s: float, until_s: float) -> float:
    """When to start something of `seconds` between two times so that the series' mean over it is least; the earliest.

    The mean is linear between the moments at which one of its ends meets a step, so only those are looked at.
    """
    moments: Sequence[float] = sorted(
        {from_s, until_s, *_steps(series, from_s, until_s)}
        | {step - seconds for step in _steps(series, from_s + seconds, until_s + seconds)}
    )
    return min(moments, key=lambda start: (series.integral(start, start + seconds), start))


def _steps(series: StepSeries, from_s: float, until_s: float) -> list[float]:
    steps = []
    while (from_s := series.next_change_s(from_s)) <= until_s and from_s < math.inf:
        steps.append(from_s)
    return steps
