"""Bootstrap 95% intervals of paired differences.

Pairs are resampled whole (Efron and Tibshirani, "An introduction to the bootstrap", 1993, percentile method): where
only few windows were run, the blocks are the days of submission inside them, because jobs of one day share a queue
and are no independent samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from goodwatt.policies.comparison_table import Estimate

RESAMPLES = 2000
FEWEST = 3
"""With fewer blocks an interval would pretend."""


def paired_difference(
    mine: Sequence[float], reference: Sequence[float], weights: Sequence[float]
) -> tuple[Estimate, Estimate | None]:
    """(difference of the weighted means, the same in percent of the reference) with intervals over the blocks.

    `mine[i]` and `reference[i]` are sums over block i, `weights[i]` what they are sums of (jobs, or 1).
    """
    a, b, w = (np.asarray(values, dtype=float) for values in (mine, reference, weights))
    picks = _picks(len(a))
    difference = Estimate(_ratio(a.sum() - b.sum(), w.sum()), _interval((a - b), w, picks))
    if b.sum() == 0:
        return difference, None
    return difference, Estimate(100 * _ratio(a.sum() - b.sum(), b.sum()), _interval(100 * (a - b), b, picks))


def _picks(blocks: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]] | None:
    if blocks < FEWEST:
        return None
    return np.random.default_rng(0).integers(0, blocks, size=(RESAMPLES, blocks))


def _interval(
    parts: np.ndarray[tuple[int], np.dtype[np.float64]],
    wholes: np.ndarray[tuple[int], np.dtype[np.float64]],
    picks: np.ndarray[tuple[int, int], np.dtype[np.int64]] | None,
) -> tuple[float, float] | None:
    if picks is None:
        return None
    sums = wholes[picks].sum(axis=1)
    ratios = parts[picks].sum(axis=1)[sums != 0] / sums[sums != 0]
    low, high = np.percentile(ratios, (2.5, 97.5)) if len(ratios) else (np.nan, np.nan)
    return float(low), float(high)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
