"""How far arrivals are from Poisson: factors on the rate that change from window to window.

Each scale of `Bursts` multiplies the rate by a gamma factor of mean 1 that holds for one window. For a factor alone the
index of dispersion (variance over mean) of the requests counted in an interval of W seconds is, w being its window and
the phase random,

    1 + excess * g(W / w),   g(x) = x (1 - x / 3) up to x = 1, 1 - 1 / (3 x) beyond

which tends to 1 + excess. The excess is what is kept when the rate changes: more users burst no more together than
fewer did. So the variance of the factor is excess / (rate * window). Factors multiply: at low rates the dispersion of
several is above the sum of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from goodwatt.errors import InputError
from goodwatt.traces.requests.blocks import BLOCK_S
from goodwatt.traces.requests.request_trace import Floats

CELL_S = 1.0
"""The finest window: within a second arrivals are Poisson."""


@dataclass(frozen=True, slots=True)
class Scale:
    """One factor: how long its windows are, and by how much it raises the index of dispersion of long intervals.

    `window_s` divides a block of 60 s, or is a multiple of it; whole seconds. Raises InputError.
    """

    window_s: float
    excess: float

    def __post_init__(self) -> None:
        short, long = BLOCK_S % self.window_s == 0.0, self.window_s % BLOCK_S == 0.0
        if not (short or long) or self.window_s % CELL_S:
            raise InputError(f"expected a window that divides {BLOCK_S:g} s or a multiple, got {self.window_s:g} s")
        if not 0.0 <= self.excess < np.inf:
            raise InputError(f"expected an excess of dispersion of 0 or more, got {self.excess:g}")

    @property
    def is_long(self) -> bool:
        """Whether a window spans several blocks."""
        return self.window_s > BLOCK_S

    def factors(self, expected: Floats, rng: np.random.Generator) -> Floats:
        """One factor for each window, from the requests expected in it."""
        if self.excess == 0.0:
            return np.ones(len(expected))
        shape = np.maximum(expected, 1e-9) / self.excess
        return rng.standard_gamma(shape) / shape


@dataclass(frozen=True, slots=True)
class Bursts:
    """The factors on a rate; none: arrivals are Poisson."""

    scales: tuple[Scale, ...] = ()

    def dispersion(self, interval_s: float) -> float:
        """Index of dispersion of counts in intervals of this length, cross terms between factors left out."""
        return 1.0 + sum(scale.excess * _g(interval_s / scale.window_s) for scale in self.scales)


POISSON = Bursts()


def _g(x: float) -> float:
    return x * (1.0 - x / 3.0) if x <= 1.0 else 1.0 - 1.0 / (3.0 * x)
