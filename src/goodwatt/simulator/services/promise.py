"""What a service promises those who send requests, and who got it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

PERCENTILE = 99.0
"""Of the requests that a promise speaks of."""
ENOUGH = 20
"""Requests of which a single late one is no broken promise of a percentile. Assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Limits in seconds that 99% of the requests keep; None where nothing is promised.

    `ttft_s`: from arrival to the first token. `tpot_s`: mean time per output token after the first; a request of a
    single token keeps it. `latency_s`: from arrival to the end.
    """

    ttft_s: float | None = None
    tpot_s: float | None = None
    latency_s: float | None = None

    def within(self, share: float) -> Promise:
        """The same with limits that are this share of these."""
        limits = (self.ttft_s, self.tpot_s, self.latency_s)
        ttft_s, tpot_s, latency_s = (None if limit is None else limit * share for limit in limits)
        return Promise(ttft_s=ttft_s, tpot_s=tpot_s, latency_s=latency_s)

    @property
    def first_s(self) -> float:
        """A request that has had nothing for so long is late; infinite where that is not promised."""
        return min((limit for limit in (self.ttft_s, self.latency_s) if limit is not None), default=math.inf)

    def kept(self, ttft_s: Any, tpot_s: Any, latency_s: Any) -> Any:
        """Whether a request keeps every limit; arrays of requests give an array."""
        kept: Any = latency_s >= 0.0
        for limit, value in ((self.ttft_s, ttft_s), (self.tpot_s, tpot_s), (self.latency_s, latency_s)):
            if limit is not None:
                kept = kept & (value <= limit)
        return kept
