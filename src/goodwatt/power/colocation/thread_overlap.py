"""Which SMs clients of MPS under limits of threads have in common: shares of a GPU, from the limits alone.

A limit gives a client a part of the SMs and does not say which. Taken is that they lie as far apart as the limits
allow: two clients have max(0, T_1 + T_2 - 1) in common. Of more than two not all pairs can be that far apart at once:
an SM that is given out n times has n (n - 1) ordered pairs of clients, which is least in sum if every SM has as many
clients as the next, give or take one. What that sum is above the sum over pairs by themselves goes to the pairs that
still have room. How clients that have SMs in common treat each other is `interference_law`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=1024)
def common_shares(threads: tuple[float, ...]) -> tuple[tuple[float, ...], ...]:
    """Share of i's own SMs that j may use too, by i and j: 1 for all where nobody is limited."""
    if min(threads) >= 1.0:
        return ((1.0,) * len(threads),) * len(threads)
    return tuple(tuple([sms / own for sms in row]) for own, row in zip(threads, common_sms(threads), strict=True))


def common_sms(threads: Sequence[float]) -> list[list[float]]:
    """Share of the GPU's SMs that i and j both may use, for i and j in turn; 0 where i is j.

    `threads`: limits, above 0 to 1. Symmetric, continuous in every limit, at most the lesser of two limits.
    """
    apart = [[max(0.0, a + b - 1.0) if i != j else 0.0 for j, b in enumerate(threads)] for i, a in enumerate(threads)]
    more = _least_pairs(math.fsum(threads)) - math.fsum(map(math.fsum, apart))
    if len(threads) < 3 or more <= 1e-12:
        return apart
    rooms = [[min(a, b) - apart[i][j] if i != j else 0.0 for j, b in enumerate(threads)] for i, a in enumerate(threads)]
    part = more / max(math.fsum(map(math.fsum, rooms)), more)
    return [[x + part * room for x, room in zip(*rows, strict=True)] for rows in zip(apart, rooms, strict=True)]


def _least_pairs(given: float) -> float:
    """Ordered pairs of clients by SM, over all SMs, where SMs are given out `given` times on average."""
    whole = math.floor(given)
    return whole * (2.0 * given - whole - 1.0)
