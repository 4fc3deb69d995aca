"""What one GPU does over a stretch of time: mean watts from its energy counter, its clock, its counters.

The energy counter moves every 100 ms or so on the kinds that were measured (h200_measured, ramp.csv.gz); so the
stretch is taken from one of its moves to another, which leaves no edge to guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from goodwatt.power.device.interface import Counters, DeviceError, GpuDevice, Reading, Timer

POLL_S = 0.005
LONGEST_STEP_S = 1.0
"""A counter that stands still for longer than that under a context is no counter."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time on one GPU. `start_s` and `end_s` are of the timer; `counters` None where there are none."""

    start_s: float
    end_s: float
    watts: float
    clock_mhz: float
    temperature_c: float
    reasons: frozenset[str]
    counters: Counters | None

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end_s - self.start_s


def measured(device: GpuDevice, timer: Timer, seconds: float) -> Window:
    """Watch the GPU for `seconds` and up to two steps of its energy counter more.

    Raises DeviceError if it tells neither energy nor power, or no clock.
    """
    first = _next_step(device, timer)
    device.counters()
    readings = [first]
    while readings[-1].t_s - first.t_s < seconds:
        timer.sleep(4 * POLL_S)
        readings.append(device.read())
    counters = device.counters()
    readings.append(_next_step(device, timer))
    clocks = [r.clock_mhz for r in readings if r.clock_mhz is not None]
    if not clocks:
        raise DeviceError("this GPU does not tell its SM clock")
    return Window(
        start_s=first.t_s,
        end_s=readings[-1].t_s,
        watts=_watts(readings),
        clock_mhz=math.fsum(clocks) / len(clocks),
        temperature_c=max((r.temperature_c for r in readings if r.temperature_c is not None), default=math.nan),
        reasons=frozenset().union(*(r.reasons for r in readings)),
        counters=counters,
    )


def _next_step(device: GpuDevice, timer: Timer) -> Reading:
    """The first reading after the energy counter's next move; any reading where there is no such counter."""
    before = device.read()
    if before.energy_j is None:
        return before
    while True:
        timer.sleep(POLL_S)
        reading = device.read()
        if reading.energy_j != before.energy_j:
            return reading
        if reading.t_s - before.t_s > LONGEST_STEP_S:
            raise DeviceError(f"the energy counter stands still for {LONGEST_STEP_S:g} s")


def _watts(readings: list[Reading]) -> float:
    first, last = readings[0], readings[-1]
    if first.energy_j is not None and last.energy_j is not None:
        return (last.energy_j - first.energy_j) / (last.t_s - first.t_s)
    powers = [r.power_w for r in readings if r.power_w is not None]
    if not powers:
        raise DeviceError("this GPU tells neither its power nor its energy")
    return math.fsum(powers) / len(powers)
