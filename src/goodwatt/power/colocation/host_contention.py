"""Jobs of one node share its CPU cores and its PCIe: how much slower each runs when they ask for more than there is.

A job's demand says how many cores it keeps busy for each GPU and what it moves over PCIe, at its speed alone: core
seconds and bytes for a unit of work. So its speed is at most what it is granted over what it asks. Granting is
max-min fair with a weight of its GPUs, as cgroup shares of Slurm and Kubernetes are: who asks for less than its part
gets it all, the rest is divided among the others.

Evidence that this is a resource of its own: in gavel_throughputs the input bound Recommendation keeps 0.01 to 0.11
of its speed on a V100 and 0.09 to 0.29 on a P100 beside any neighbour, however light on the GPU, while on the P100 its
neighbours mostly lose less than beside any other. GPU sharing alone explains neither. The data say nothing of cores, so
the form below is conservation of work, not a fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from goodwatt.errors import InputError
from goodwatt.power.workloads.demand import Demand

PCIE_EFFICIENCY = 0.85
"""Share of the nominal rate that bulk copies reach. Assumed: headers of 128 to 256 byte payloads."""
SWITCH_LOSS = 0.1
"""What each unit of oversubscribed cores costs everybody: caches and switches. Assumed."""


def host_slowdown(demands: Sequence[tuple[Demand, int]], cores: float, pcie_gbps: float) -> tuple[float, ...]:
    """Speed of each job relative to a node of its own, above 0 to 1, in the order given.

    `demands`: (demand per GPU, GPUs on this node) of each job; `cores` of the node; `pcie_gbps`: what its GPUs can move
    together, GB/s both ways. 0 cores or GB/s mean that nobody knows: they limit nobody. Raises InputError if negative.
    """
    if cores < 0.0 or pcie_gbps < 0.0:
        raise InputError(f"expected cores and GB/s of 0 or more, got {cores:g} and {pcie_gbps:g}")
    gpus = [count for _, count in demands]
    by_cores = _speeds([d.host_cores * n for d, n in demands], gpus, cores, SWITCH_LOSS)
    by_link = _speeds([d.pcie_gbps * n for d, n in demands], gpus, pcie_gbps * PCIE_EFFICIENCY, 0.0)
    return tuple(min(pair) for pair in zip(by_cores, by_link, strict=True))


def _speeds(wanted: list[float], weights: list[int], there: float, loss: float) -> list[float]:
    total = math.fsum(wanted)
    if there <= 0.0 or total <= there:
        return [1.0] * len(wanted)
    level = _level(wanted, weights, there)
    worse = 1.0 + loss * (total / there - 1.0)
    return [
        min(1.0, level * weight / want) / worse if want > 0.0 else 1.0
        for want, weight in zip(wanted, weights, strict=True)
    ]


def _level(wanted: list[float], weights: list[int], there: float) -> float:
    """The most that anybody gets per unit of weight, such that all of `there` is given out."""
    rest, weight = there, float(sum(weights))
    for want, own in sorted(zip(wanted, weights, strict=True), key=lambda job: job[0] / job[1]):
        if want * weight >= rest * own:
            return rest / weight
        rest, weight = rest - want, weight - own
    return math.inf
