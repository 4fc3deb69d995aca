"""The services of a run over time, in buckets of the axis that the charts of the cluster have.

A minute in which nothing was answered has no latency: it is left out of a bucket's mean, and a bucket of such minutes
has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from goodwatt.cli.report.dimensions import printable
from goodwatt.cli.report.job_data import floats
from goodwatt.cli.report.reduction import Buckets, Floats, bucketed, packed
from goodwatt.simulator.records.result import RunResult, ServiceResult

BUCKETS, FEWEST_BUCKETS = 720, 48
NUMBERS_PER_PAGE = 300_000
SERIES = ("rate_per_s", "instances", "clock_mhz", "power_w", "ttft_p99_s", "tpot_p99_s", "latency_p99_s", "on_time")


def service_bucket_count(runs: Sequence[RunResult]) -> int:
    """Buckets for each service and run that keep the page within its budget."""
    services = sum(len(run.services) for run in runs)
    return max(FEWEST_BUCKETS, min(BUCKETS, NUMBERS_PER_PAGE // (2 * len(SERIES) * max(services, 1))))


def service_series(run: RunResult, grid: Floats, count: int) -> list[dict[str, Any]]:
    """Name, promise and series of each service, mean and peak of every bucket."""
    edges = np.linspace(grid[0], grid[-1], count + 1)
    step_s = float(edges[1] - edges[0])
    end_s = run.timeline.t_s[-1]
    return [
        {
            "name": printable(service.name),
            "limits_s": dict(zip(("ttft_p99_s", "tpot_p99_s", "latency_p99_s"), service.limits_s, strict=True)),
            "step_s": step_s,
            "series": _series(service, end_s, edges),
        }
        for service in run.services
    ]


def _series(service: ServiceResult, end_s: float, edges: Floats) -> dict[str, Any]:
    times = floats([*service.timeline["t_s"], max(end_s, *service.timeline["t_s"][-1:], edges[0])])
    found = {}
    for name in SERIES:
        values = floats([*_column(service.timeline, name), None])
        buckets = known_buckets(times, values, edges)
        found[name] = {"mean": packed(buckets.mean, "f32"), "peak": packed(buckets.peak, "f32")}
    return found


def _column(timeline: Mapping[str, Sequence[Any]], name: str) -> Sequence[Any]:
    if name != "instances":
        return timeline[name]
    states = (timeline[state] for state in ("serving", "starting", "draining"))
    return [sum(counts) for counts in zip(*states, strict=True)]


def known_buckets(t_s: Floats, values: Floats, edges: Floats) -> Buckets:
    """As `bucketed`, over the parts in which the values are known."""
    known = ~np.isnan(values)
    share = bucketed(t_s, known.astype(np.float64), edges).mean
    filled = bucketed(t_s, np.where(known, values, 0.0), edges)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(share > 0.0, filled.mean / share, np.nan)
    return Buckets(mean, np.where(share > 0.0, filled.peak, np.nan))
