"""What iterations and readings of a window come to: times by kind, clock by kind, watts over time and in the gaps."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from goodwatt.power.device.interface import Reading

Iteration = tuple[str, float, float]
"""Kind, start in seconds of the monotonic clock, milliseconds."""
LEAST_GAP_S, SETTLED_S = 0.05, 0.15
"""Shorter is no gap; watts of a gap count after that, when the energy counter's step holds nothing of the burst."""


def iteration_times(iterations: Sequence[Iteration]) -> dict[str, dict[str, float]]:
    """Count, mean, p50, p99 and greatest of the milliseconds, by kind."""
    found = dict[str, dict[str, float]]()
    for kind in sorted({iteration[0] for iteration in iterations}):
        ms = sorted(iteration[2] for iteration in iterations if iteration[0] == kind)
        found[kind] = {
            "n": len(ms),
            "mean_ms": round(math.fsum(ms) / len(ms), 4),
            "p50_ms": round(_quantile(ms, 0.5), 4),
            "p99_ms": round(_quantile(ms, 0.99), 4),
            "max_ms": round(ms[-1], 4),
        }
    return found


def clocks(iterations: Sequence[Iteration], readings: Sequence[Reading]) -> dict[str, float]:
    """Mean SM clock while iterations of each kind ran, and in `gap`, where none did."""
    starts, seen = [start_s for _, start_s, _ in iterations], dict[str, list[float]]()
    for reading in readings:
        place = bisect_right(starts, reading.t_s) - 1
        if reading.clock_mhz is None or place < 0:
            continue
        kind, start_s, ms = iterations[place]
        quiet = reading.t_s - start_s - ms / 1e3 > LEAST_GAP_S
        seen.setdefault("gap" if quiet else kind, []).append(reading.clock_mhz)
    return {kind: round(math.fsum(values) / len(values), 1) for kind, values in sorted(seen.items())}


def gaps(iterations: Sequence[Iteration]) -> list[tuple[float, float]]:
    """Start and end of every stretch in which nothing ran."""
    spans = [(start_s, start_s + ms / 1e3) for _, start_s, ms in iterations]
    return [(end_s, next_s) for (_, end_s), (next_s, _) in pairwise(spans) if next_s - end_s > LEAST_GAP_S]


def power(readings: Sequence[Reading]) -> list[tuple[float, float, float]]:
    """Start, end and mean watts of every step of the energy counter."""
    moved = [(r.t_s, r.energy_j) for before, r in pairwise(readings)
             if r.energy_j is not None and r.energy_j != before.energy_j]  # fmt: skip
    return [(t0, t1, (e1 - e0) / (t1 - t0)) for (t0, e0), (t1, e1) in pairwise(moved)]


def watts_within(steps: Sequence[tuple[float, float, float]], spans: Sequence[tuple[float, float]]) -> float | None:
    """Mean watts of the steps that lie in a span, its first moments left out; None if none does."""
    inside = [(t1 - t0, watts) for t0, t1, watts in steps if any(a + SETTLED_S <= t0 and t1 <= b for a, b in spans)]
    seconds = math.fsum(length for length, _ in inside)
    return round(math.fsum(length * watts for length, watts in inside) / seconds, 1) if inside else None


def trace(readings: Sequence[Reading]) -> list[tuple[float, float, float]]:
    """Seconds since the first reading, watts and clock, at every step of the energy counter."""
    times = [reading.t_s for reading in readings]
    found = list[tuple[float, float, float]]()
    for _, t1, watts in power(readings):
        clock = readings[min(bisect_right(times, t1), len(times)) - 1].clock_mhz
        found.append((round(t1 - times[0], 3), round(watts, 1), clock or math.nan))
    return found


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
