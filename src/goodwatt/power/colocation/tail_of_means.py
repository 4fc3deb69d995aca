"""How far the mean of several iterations beside a co-runner is off at its p99, by how far one is.

Iterations are slow for as long as a phase of the neighbour's step lasts, about `PHASE` of them. So d of them are as
many independent ones as there are phases in them, and their mean is off by

    (tail - 1) (PHASE / (PHASE + d - 1))^(1/2)

which is tail - 1 for a single one.
"""

from __future__ import annotations

from typing import Any

PHASE = 16.0
"""Iterations that a phase of a batch job's step lasts: steps of training take 0.1 to 1 s, of which a forward or a
backward pass is a third to a half, iterations 10 to 30 ms. Assumed."""


def tail_of_mean(tail: float, iterations: Any) -> Any:
    """p99 over mean of the mean of so many iterations, 1 or more; `tail`: of one. A float or an array."""
    return 1.0 + (tail - 1.0) * (PHASE / (PHASE - 1.0 + iterations)) ** 0.5
