"""What an instance of a service carries within its promise at each clock: requests a second, as a table.

From the law of its iterations and the lengths of requests seen so far, by the formulas of `service_queueing`, so that a
policy can afford to ask again whenever lengths change: here the greatest load is searched at which as many requests are
on time as is promised. Bursts, imbalance between instances and errors of the law are left to whoever asks: policies
keep a margin and look at what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goodwatt.policies.service_queueing import ALONE, Beside, Lengths, Outcome, Queueing
from goodwatt.power.gpu.model import CAP_KEPT
from goodwatt.simulator.services.promise import PERCENTILE, Promise
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.services.serving import Serving

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
BISECTIONS = 12
LEAST = 1e-3
"""The lightest load that is looked at, as a share of the heaviest."""
CLOCKS = 16
"""Clocks for which it is computed; between them capacity is taken in proportion."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """`rate_per_s[i]`: what one instance carries at the i-th supported clock, rising with it; 0 where nothing.

    `batch[i]`: sequences that decode then, on average. `cap_w[i]`: the least cap under which boards hold that clock.
    """

    clocks_mhz: tuple[float, ...]
    rate_per_s: Floats
    batch: Floats
    cap_w: Floats

    @property
    def full_per_s(self) -> float:
        """At the greatest clock."""
        return float(self.rate_per_s[-1])

    @property
    def full_batch(self) -> float:
        """Sequences that decode at the greatest load and clock."""
        return float(self.batch[-1])

    def at(self, clock_mhz: float) -> float:
        """Requests a second at a clock; between those that are supported in proportion."""
        return float(np.interp(clock_mhz, self.clocks_mhz, self.rate_per_s))

    def clock_for(self, rate_per_s: float) -> float | None:
        """The least clock with which an instance carries a load; None: even the greatest does not."""
        place = int(self.rate_per_s.searchsorted(rate_per_s))
        return self.clocks_mhz[place] if place < len(self.clocks_mhz) else None


def capacity(
    serving: Serving,
    lengths: Lengths,
    role: Role = "both",
    margin: float = 0.0,
    instances: int = 1,
    beside: Beside = ALONE,
) -> Capacity:
    """What one of so many instances carries with latencies a share `margin` below what is promised.

    `beside`: what a co-runner does to it.
    """
    clocks_mhz = serving.model.clocks_mhz
    places = np.unique(np.linspace(0, len(clocks_mhz) - 1, CLOCKS).round().astype(np.int64))
    instance = Queueing(serving, lengths, role, places, instances, beside)
    rate, outcome = _greatest(instance, tightened(serving.service.promise, margin))
    known = np.array(clocks_mhz)[places]
    cap_w = np.minimum(instance.held_w(outcome.batch) / CAP_KEPT, instance.cap_w)
    rising = (np.maximum.accumulate(column) for column in (rate, outcome.batch, cap_w))
    columns = [np.interp(clocks_mhz, known, column) for column in rising]
    return Capacity(clocks_mhz, *columns)


def tightened(promise: Promise, margin: float) -> Promise:
    """Limits a share lower."""
    limits = (promise.ttft_s, promise.tpot_s, promise.latency_s)
    ttft_s, tpot_s, latency_s = (None if limit is None else limit * (1.0 - margin) for limit in limits)
    return Promise(ttft_s=ttft_s, tpot_s=tpot_s, latency_s=latency_s)


def _greatest(instance: Queueing, limits: Promise) -> tuple[Floats, Outcome]:
    """The greatest load by clock that keeps the limits, and what comes of it; 0 where the least does not."""
    high = instance.most_per_s
    low = LEAST * high
    kept_w = CAP_KEPT * instance.cap_w

    def carries(rate: Floats) -> Flags:
        outcome = instance.at(rate, limits)
        return (outcome.on_time >= PERCENTILE / 100.0) & (outcome.watts <= kept_w)

    possible = carries(low)
    for _ in range(BISECTIONS):
        middle = np.sqrt(low * high)
        kept = carries(middle)
        low, high = np.where(kept, middle, low), np.where(kept, high, middle)
    rate = np.where(possible, low, 0.0)
    return rate, instance.at(np.maximum(rate, 1e-9), limits)
