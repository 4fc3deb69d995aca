"""Fits what an 8-GPU A100 node draws beside its GPUs on the servers of Seren (Acme, CC BY 4.0), and tests the fit.

    python benchmarks/calibration/node_power.py

Two distributions are published, not paired: watts of single GPUs (DCGM) and of whole servers (IPMI). Of the model in
`goodwatt.power.facility.supply` two figures are fitted: the host without jobs on the idle end of the servers (5th
percentile), the host with jobs on their mean. Everything else of the distribution is held out: 10th, 50th and 90th
percentile and maximum (10th and 5th are equal, and all were in sight when the figures of fans and supplies, which are
not fitted, were assumed). Assumed to compare them: all GPUs of a server draw alike (the p-th server holds p-th GPUs),
and servers whose GPUs' percentile lies below the share of GPUs that do nothing are without jobs. The figures go into
`goodwatt.cluster.host_power.NODE_TYPES`, by hand, rounded to 5 W.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from measured import SHARED, need, report

from goodwatt.cluster.host_power import NodePower, node_power
from goodwatt.power.facility.supply import node_wall_w

DATA = SHARED / "data" / "acme_2023" / "utilization_power_cdfs.csv.gz"
GPUS = 8
HELD_OUT = (10.0, 50.0, 90.0, 100.0)
IDLE_END = 5.0
STEPS = 400

Points = list[tuple[float, float]]
"""(percentile, value), ascending."""


def rows() -> list[dict[str, Any]]:
    """Model and measurement at each held-out percentile, and at what was fitted."""
    servers, gpus, idle_share = _read()
    facts = fitted(servers, gpus, idle_share)
    shown = node_power("dgx-a100")
    table = []
    for name, percentile in [*((f"p{p:g}", p) for p in HELD_OUT), (f"p{IDLE_END:g}", IDLE_END), ("mean", -1.0)]:
        measured = _mean(servers) if percentile < 0 else _at(servers, percentile)
        fit, catalogue = (_model(f, gpus, idle_share, percentile) for f in (facts, shown))
        table.append(
            {
                "server watts": name,
                "split": "test" if percentile in HELD_OUT else "fit",
                "measured W": measured,
                "fitted W": fit,
                "error %": 100 * (fit / measured - 1),
                "catalogue W": catalogue,
                "its error %": 100 * (catalogue / measured - 1),
            }
        )
    return table


def fitted(servers: Points, gpus: Points, idle_share: float) -> NodePower:
    """The node type with its two host figures fitted, the rest as it is."""
    facts = node_power("dgx-a100")
    idle = _solve(lambda w: _model(replace(facts, host_idle_w=w), gpus, idle_share, IDLE_END), _at(servers, IDLE_END))
    facts = replace(facts, host_idle_w=idle)
    most = _solve(lambda w: _model(replace(facts, host_max_w=w), gpus, idle_share, -1.0), _mean(servers))
    return replace(facts, host_max_w=most)


def _model(facts: NodePower, gpus: Points, idle_share: float, percentile: float) -> float:
    """The watts of a server at a percentile of its GPUs; -1: the mean over all."""
    if percentile < 0:
        middles = [(step + 0.5) * 100 / STEPS for step in range(STEPS)]
        return sum(_model(facts, gpus, idle_share, p) for p in middles) / STEPS
    return node_wall_w(GPUS * _at(gpus, percentile), float(percentile > idle_share), facts)


def _solve(rising: Callable[[float], float], wanted: float) -> float:
    low, high = 0.0, 10_000.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return low


def _read() -> tuple[Points, Points, float]:
    """Servers, GPUs, and the percentage of GPUs that do nothing."""
    found: dict[tuple[str, str], Points] = {}
    with gzip.open(need(DATA), "rt", newline="") as text:
        for row in csv.DictReader(text):
            key = row["source"], row["metric"]
            found.setdefault(key, []).append((float(row["cdf_pct"]), float(row["value"])))
    idle = max(p for p, value in found["util_gpu_seren", "gpu_util_pct"] if value == 0.0)
    return found["server_power", "gpu_node_power_w"], found["gpu_power_seren", "gpu_power_w"], idle


def _at(points: Points, percentile: float) -> float:
    return points[min(bisect_left(points, (percentile, 0.0)), len(points) - 1)][1]


def _mean(points: Points) -> float:
    return sum((late[0] - early[0]) * (early[1] + late[1]) / 2 for early, late in pairwise(points)) / 100


if __name__ == "__main__":
    need(DATA)
    facts = fitted(*_read())
    print(f"fitted: host_idle_w {facts.host_idle_w:.0f}, host_max_w {facts.host_max_w:.0f}")
    report(
        "calibration_node_power",
        "A server of eight A100, Seren (Acme, NSDI 2024)",
        rows(),
        source="acme_2023: distributions of 1,000 points each, servers by IPMI, GPUs by DCGM; not paired",
    )
