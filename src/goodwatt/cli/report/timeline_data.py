"""The cluster over time, on one grid per window and seed so that policies lie on top of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from goodwatt.cli.report.job_data import floats
from goodwatt.cli.report.reduction import Floats, bucketed, packed
from goodwatt.simulator.records.result import RunResult

BUCKETS = 1200
FEWEST_BUCKETS = 60
NUMBERS_PER_PAGE = 400_000
SERIES = ("queued", "busy_gpus", "power_w")


def bucket_count(runs: int) -> int:
    """Buckets per run that keep the page within its budget."""
    return max(FEWEST_BUCKETS, min(BUCKETS, NUMBERS_PER_PAGE // (2 * len(SERIES) * max(runs, 1))))


def shared_edges(runs: Sequence[RunResult], count: int) -> dict[tuple[str, int], Floats]:
    """Per window and seed the edges of its buckets, from the first to the last moment that any run recorded."""
    spans: dict[tuple[str, int], tuple[float, float]] = {}
    for run in runs:
        if times := run.timeline.t_s:
            low, high = spans.get((run.window, run.seed), (times[0], times[-1]))
            spans[run.window, run.seed] = (min(low, times[0]), max(high, times[-1]))
    return {pair: np.linspace(low, max(high, low + 1.0), count + 1) for pair, (low, high) in spans.items()}


def timeline_series(run: RunResult, edges: Floats) -> dict[str, Any]:
    """Mean and peak of every series in every bucket."""
    times = floats(run.timeline.t_s)
    data: dict[str, Any] = {"budgets_w": sorted({w for w in run.timeline.budgets_w() if w is not None})}
    for name in SERIES:
        buckets = bucketed(times, floats(getattr(run.timeline, name)), edges)
        data[name] = {"mean": packed(buckets.mean, "f32"), "peak": packed(buckets.peak, "f32")}
    return data
