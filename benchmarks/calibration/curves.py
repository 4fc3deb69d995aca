"""The formulas of `goodwatt.power.gpu.model` over arrays, and a least-squares fit of many small problems at once.

Fits of benchmarks/calibration search with these; what they found is judged by predictions of the package itself.
Arrays are [job, ...]; a job here is a row of (SM watts at the greatest clock, DRAM watts there, kappa).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goodwatt.power.gpu.model import CAP_KEPT

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    """What a fit may change of a kind, and its clocks."""

    low_mhz: float
    top_mhz: float
    context_w: float
    knee_mhz: float
    rise: float
    spread: float = 0.0
    """Relative distance of a job's light and heavy thirds from its mean SM watts."""

    def core(self, clock_mhz: Array) -> Array:
        """x V^2, relative to the greatest clock."""
        over = np.maximum(0.0, (clock_mhz - self.knee_mhz) / (self.top_mhz - self.knee_mhz))
        voltage: Array = 1.0 + (self.rise - 1.0) * over
        return clock_mhz / self.top_mhz * (voltage / self.rise) ** 2


def on_gpu(figures: Figures, clock_mhz: Array, sm_w: Array, dram_w: Array, kappa: Array) -> tuple[Array, Array]:
    """(time relative to the greatest clock, watts), each [job, clock]."""
    time = (1.0 - kappa[:, None]) + kappa[:, None] * (figures.top_mhz / clock_mhz)
    return time, figures.context_w + sm_w[:, None] * figures.core(clock_mhz) + dram_w[:, None] / time


CONTEXT_STEP_W, KNEE_STEP_MHZ = 3.0, 25.0
RISES = tuple(np.arange(1.1, 2.55, 0.1).round(1).tolist())
"""Up to 2.5. That is more than any voltage rises: it stands for whatever of the SM watts falls with the voltage."""


def figures_by_least_squares(low_mhz: float, idle_w: float, clock_mhz: Array, time: Array, watts: Array) -> Figures:
    """Context, knee and rise that leave least of the relative error of watts [kernel, clock] at every clock.

    Each kernel has SM and DRAM watts of its own, 0 or more; how often it reads DRAM is taken from its measured `time`.
    `idle_w` is the least that a context draws. The greatest clock is the last.
    """
    top = float(clock_mhz[-1])
    rate = time[:, -1:] / time
    contexts = np.arange(idle_w, 0.98 * float(watts.min()), CONTEXT_STEP_W)
    knees = np.arange(max(low_mhz, float(clock_mhz[0]) - 100.0), top - 150.0, KNEE_STEP_MHZ)
    tries = (
        Figures(low_mhz, top, float(context), float(knee), rise)
        for context, knee, rise in itertools.product(contexts, knees, RISES)
    )
    return min(tries, key=lambda figures: _left(figures, clock_mhz, rate, watts))


def _left(figures: Figures, clock_mhz: Array, rate: Array, watts: Array) -> float:
    """Mean square of the relative error of watts with the best SM and DRAM watts of each kernel."""
    sm, dram = figures.core(clock_mhz)[None] / watts, rate / watts
    wanted = 1.0 - figures.context_w / watts
    a, b, c = (sm * sm).sum(1), (sm * dram).sum(1), (dram * dram).sum(1)
    p, q = (sm * wanted).sum(1), (dram * wanted).sum(1)
    det = a * c - b * b
    x, y = (p * c - q * b) / det, (q * a - p * b) / det
    x, y = np.where(y < 0.0, p / a, x), np.where(x < 0.0, q / c, np.maximum(y, 0.0))
    left = np.maximum(x, 0.0)[:, None] * sm + y[:, None] * dram - wanted
    return float((left * left).mean())


def at_caps(time: Array, watts: Array, caps_w: Array) -> tuple[Array, Array]:
    """(time, watts) [job, cap] at the greatest clock that keeps each cap, between clocks by interpolation."""
    rows = np.arange(len(time))
    out_time, out_watts = np.empty((len(time), len(caps_w))), np.empty((len(time), len(caps_w)))
    last = time.shape[1] - 1
    for i, cap in enumerate(caps_w * CAP_KEPT):
        below = (watts <= cap).sum(1)
        a = np.clip(below - 1, 0, last - 1)
        low, high = watts[rows, a], watts[rows, a + 1]
        share = np.clip((cap - low) / np.maximum(high - low, 1e-9), 0.0, 1.0)
        share = np.where(below > last, 1.0, np.where(below == 0, 0.0, share))
        out_watts[:, i] = low + share * (high - low)
        out_time[:, i] = time[rows, a] + share * (time[rows, a + 1] - time[rows, a])
    return out_time, out_watts


def least_squares(
    residuals: Callable[[Array], Array], start: Array, low: Array, high: Array, rounds: int = 25
) -> tuple[Array, Array]:
    """Levenberg-Marquardt on many problems at once: parameters [job, k] -> residuals [job, n].

    Returns (parameters, sum of squares of each job). Bounds are kept by clipping.
    """
    best = np.clip(start, low, high)
    value = residuals(best)
    cost = (value * value).sum(1)
    damping = np.full(len(best), 1e-2)
    for _ in range(rounds):
        slope = _slope(residuals, best, value, high)
        normal = np.einsum("jmk,jml->jkl", slope, slope)
        right = np.einsum("jmk,jm->jk", slope, value)
        scale = 1e-6 + np.einsum("jkk->jk", normal)
        normal = normal + np.eye(best.shape[1]) * (1e-9 + damping[:, None] * scale)[:, None, :]
        trial = np.clip(best - np.linalg.solve(normal, right[..., None])[..., 0], low, high)
        trial_value = residuals(trial)
        trial_cost = (trial_value * trial_value).sum(1)
        better = trial_cost < cost
        best, value = np.where(better[:, None], trial, best), np.where(better[:, None], trial_value, value)
        cost, damping = np.where(better, trial_cost, cost), np.where(better, damping * 0.3, damping * 4)
    return best, cost


def coordinate_search(
    score: Callable[[Array], float], start: Array, steps: Array, rounds: int = 4, shrink: float = 0.55
) -> Array:
    """Parameters of the least score: walks along one axis after the other, with ever smaller steps."""
    best, value, steps = start.copy(), score(start), steps.copy()
    for _ in range(rounds):
        for i in np.flatnonzero(steps):
            for sign in (1.0, -1.0):
                while True:
                    trial = best.copy()
                    trial[i] += sign * steps[i]
                    found = score(trial)
                    if found >= value - 1e-6:
                        break
                    best, value = trial, found
        steps *= shrink
    return best


def _slope(residuals: Callable[[Array], Array], at: Array, value: Array, high: Array) -> Array:
    slope = np.empty((*value.shape, at.shape[1]))
    for k in range(at.shape[1]):
        moved = at.copy()
        step = np.where(moved[:, k] + 1e-4 > high[k], -1e-4, 1e-4)
        moved[:, k] += step
        slope[:, :, k] = (residuals(moved) - value) / step[:, None]
    return slope


def centred(values: Array) -> Array:
    """Each job's values less their mean: a scale of time that nobody knows drops out of logarithms."""
    out: Any = values - values.mean(1, keepdims=True)
    return np.asarray(out)
