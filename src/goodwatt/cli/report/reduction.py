"""Fewer numbers that say the same: order statistics of a sample, buckets of a step function.

Both reductions are stated on the page. Neither invents a value: kept points are jobs that exist, a bucket's mean
keeps the integral and its maximum is a value that held for some time.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TYPES: dict[str, np.dtype[Any]] = {
    "u8": np.dtype("<u1"),
    "u16": np.dtype("<u2"),
    "u32": np.dtype("<u4"),
    "f32": np.dtype("<f4"),
}


def packed(values: Any, kind: str) -> dict[str, str]:
    """A column as base64 of little-endian numbers of one of TYPES, half the size of the digits.

    Raises ValueError if an integer does not fit.
    """
    array = np.asarray(values)
    if kind[0] == "u" and array.size and (array.min() < 0 or array.max() > np.iinfo(TYPES[kind]).max):
        raise ValueError(f"{array.min()} to {array.max()} does not fit {kind}")
    return {"type": kind, "base64": base64.b64encode(array.astype(TYPES[kind]).tobytes()).decode("ascii")}


def kept_ranks(count: int, most: int) -> Ints:
    """Which of `count` sorted values to keep: all, or `most` at even ranks with the first and the last.

    The page repeats this integer arithmetic to know how many values each kept one stands for.
    """
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return (2 * np.arange(most, dtype=np.int64) * (count - 1) + most - 1) // (2 * (most - 1))


def quantile_points(values: Floats, most: int) -> Floats:
    """At most `most` (two or more) of the values in ascending order, the smallest and the largest among them."""
    return np.asarray(np.sort(values)[kept_ranks(len(values), most)])


@dataclass(frozen=True)
class Buckets:
    """A step function over equal spans of time; NaN where it is not defined in any part of the bucket."""

    mean: Floats
    peak: Floats


def bucketed(t_s: Floats, values: Floats, edges: Floats) -> Buckets:
    """Reduce a step function (values[i] from t_s[i] to t_s[i + 1]; the last row only ends it) to buckets.

    The mean is over the part of the bucket that the function covers; values that held for no time are left out of
    the peak.
    """
    if len(t_s) < 2:
        return Buckets(*(np.full(len(edges) - 1, np.nan) for _ in range(2)))
    area = np.concatenate([[0.0], np.cumsum(np.diff(t_s) * values[:-1])])
    inside = np.clip(edges, t_s[0], t_s[-1])
    covered = np.diff(inside)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(covered > 0.0, np.diff(np.interp(inside, t_s, area)) / covered, np.nan)
    return Buckets(mean, np.where(covered > 0.0, _peaks(t_s, values, inside), np.nan))


def _peaks(t_s: Floats, values: Floats, edges: Floats) -> Floats:
    lasting = np.flatnonzero(np.diff(t_s) > 0.0)
    if not len(lasting):
        return np.full(len(edges) - 1, np.nan)
    starts, held = t_s[lasting], np.append(values[lasting], -np.inf)
    first = np.maximum(np.searchsorted(starts, edges[:-1], "right") - 1, 0)
    after = np.maximum(np.searchsorted(starts, edges[1:], "left"), first + 1)
    bounds = np.ravel(np.column_stack([first, after]))
    return np.asarray(np.maximum.reduceat(held, bounds)[::2])
