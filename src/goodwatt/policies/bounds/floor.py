"""The energy floor: every job at its best clock on the best GPU that it may use, at once, without fragments.

What a held GPU costs is its context, its part of the host and, where nodes may sleep, its part of a node that is awake;
what nobody uses sleeps, or idles where nodes may not sleep. Of the lines below a node's curve that one is taken which
says most.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from goodwatt.policies.bounds.groups import Needy
from goodwatt.policies.bounds.pools import Pool
from goodwatt.policies.bounds.program import Site

Floats = NDArray[np.float64]
TOUCHES_AT = (1.0, 0.97, 0.9, 0.8, 0.65, 0.5, 0.3, 0.0)
"""Shares of the work offered at which lines touch the curve of the cheapest jobs first."""


def floor_lines(
    jobs: Sequence[Needy],
    pools: Sequence[Pool],
    sites: Sequence[Site],
    scope: str,
    sleep: bool,
    start_s: float,
    end_s: float,
) -> list[tuple[float, float]]:
    """(slope, intercept): joules of the scope, `it` or `gpu`, are at least slope x work + intercept."""
    offered = np.array([job.done_by(end_s) for job in jobs])
    choices = range(max(len(pool.lines) for pool in pools)) if scope == "it" else range(1)
    found = [_by_line(jobs, offered, pools, sites, scope, sleep, end_s - start_s, i) for i in choices]
    costs, base_j = max(found, key=lambda entry: float(offered @ entry[0]) + entry[1])
    return _touching(costs, offered, base_j)


def _by_line(
    jobs: Sequence[Needy],
    offered: Floats,
    pools: Sequence[Pool],
    sites: Sequence[Site],
    scope: str,
    sleep: bool,
    span_s: float,
    line: int,
) -> tuple[Floats, float]:
    """(joules of each job per unit of work, joules of the cluster without any work), by one line of every pool."""
    prices = [_price(pool, scope, sleep, line) for pool in pools]
    base_w = sum(pool.nodes * _unused_w(pool, scope, sleep, line) for pool in pools)
    costs = np.array([_cheapest(job, sites, prices) for job in jobs]) if len(offered) else np.zeros(0)
    return costs, base_w * span_s


def _price(pool: Pool, scope: str, sleep: bool, line: int) -> tuple[float, float]:
    """(joules that one joule of heat costs, joules that a second of a held GPU costs beside its work)."""
    if scope == "gpu":
        return 1.0, pool.held_w + (pool.idle_w if sleep else 0.0)
    chosen = pool.lines[min(line, len(pool.lines) - 1)]
    held_w = chosen.slope * pool.hold_w
    if sleep and pool.gpus:
        held_w += max(pool.awake_w(chosen) - pool.asleep_w, 0.0) / pool.gpus
    return chosen.slope, held_w


def _unused_w(pool: Pool, scope: str, sleep: bool, line: int) -> float:
    """What a node draws that nobody uses."""
    if scope == "gpu":
        return 0.0 if sleep else pool.gpus * pool.idle_w
    awake_w = pool.awake_w(pool.lines[min(line, len(pool.lines) - 1)])
    return min(awake_w, pool.asleep_w) if sleep else awake_w


def _cheapest(job: Needy, sites: Sequence[Site], prices: Sequence[tuple[float, float]]) -> float:
    return min(
        slope * support_at(joules, sites[site].prices, held_s, held_w / slope)
        for site, joules, held_s in zip(job.sites, job.joules, job.held_s, strict=True)
        for slope, held_w in [prices[sites[site].pool]]
    )


def support_at(joules: Floats, prices: Sequence[float], held_s: float, price: float) -> float:
    """min (e + price s) at least, from its values at `prices`: it is concave in the price, so chords lie below."""
    if price >= prices[-1]:
        return float(joules[-1]) + (price - prices[-1]) * held_s
    return float(np.interp(price, prices, joules))


def _touching(costs: Floats, offered: Floats, base_j: float) -> list[tuple[float, float]]:
    """Lines below the joules of doing the cheapest jobs first."""
    order = np.argsort(costs, kind="stable")
    done = np.cumsum(offered[order])
    if not len(done) or done[-1] <= 0.0:
        return [(0.0, base_j)]
    found = {}
    for share in TOUCHES_AT:
        slope = float(costs[order[min(int(np.searchsorted(done, share * done[-1])), len(order) - 1)]])
        found[slope] = base_j - float(np.maximum(slope - costs, 0.0) @ offered)
    return list(found.items())
