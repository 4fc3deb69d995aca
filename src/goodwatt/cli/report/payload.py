"""All data of the page in one tree for JSON; the page computes nothing that is not in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from goodwatt.cli.comparison_view import difference_texts
from goodwatt.cli.report import headline, occupancy_data, service_data, timeline_data
from goodwatt.cli.report.dimensions import Dimensions, dimensions_of, printable, run_labels
from goodwatt.cli.report.job_data import distributions, group_sums, job_arrays, points_per_stratum
from goodwatt.cli.report.reduction import Floats
from goodwatt.policies.comparison_table import Cell, ComparisonTable, Metric, PolicyRow
from goodwatt.simulator.records.result import RunResult

EXACT_IN_JAVASCRIPT = 2**53


def payload(
    runs: Sequence[RunResult], comparison: ComparisonTable | None, manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """The tree: dimensions, runs with their sums, distributions and series, the comparison, where it came from."""
    dimensions = dimensions_of(runs)
    buckets = timeline_data.bucket_count(len(runs))
    edges = timeline_data.shared_edges(runs, buckets)
    arrays = [job_arrays(run, dimensions) for run in runs]
    points = points_per_stratum(arrays)
    charts = occupancy_data.chosen_runs(runs)
    minutes = service_data.service_bucket_count(runs)
    data = [_run_head(run, label, dimensions) for run, label in zip(runs, run_labels(runs), strict=True)]
    for i, run in enumerate(runs):
        grid = edges.get((run.window, run.seed))
        data[i]["groups"] = group_sums(arrays[i])
        data[i]["times"] = distributions(arrays[i], points)
        data[i]["timeline"] = None if grid is None else timeline_data.timeline_series(run, grid)
        data[i]["services"] = [] if grid is None else service_data.service_series(run, grid, minutes)
        data[i]["occupancy"] = _occupancy(run, grid, charts.get(i))
    return {
        "dimensions": _dimension_labels(dimensions, runs),
        "runs": data,
        "grids": {_pair(dimensions, *pair): _grid(grid, _horizon(runs, *pair)) for pair, grid in edges.items()},
        "jobs": _job_facts([runs[i] for i in charts], dimensions, edges),
        "comparison": comparison and _comparison(comparison),
        "limits": {"points": points, "buckets": buckets, "bars": occupancy_data.BARS_PER_RUN},
        "origin": [[title, _json_safe(value)] for title, value in headline.origin(manifest)],
    }


def _run_head(run: RunResult, label: str, dimensions: Dimensions) -> dict[str, Any]:
    return {
        "policy": dimensions.policies.index(label),
        "window": dimensions.windows.index(run.window),
        "seed": dimensions.seeds.index(run.seed),
        "gpus": sum(run.gpus_per_node),
        "summary": _json_safe(run.summary),
    }


def _dimension_labels(dimensions: Dimensions, runs: Sequence[RunResult]) -> dict[str, Any]:
    oracles = {label for run, label in zip(runs, run_labels(runs), strict=True) if run.oracle}
    return {
        "policies": [{"label": label, "oracle": label in oracles} for label in dimensions.policies],
        "windows": [printable(window) for window in dimensions.windows],
        "seeds": _json_safe(dimensions.seeds),
        "gangs": dimensions.gangs.labels,
        "partitions": dimensions.partitions.labels if dimensions.partitions.known else [],
        "users": dimensions.users.labels if dimensions.users.known else [],
    }


def _horizon(runs: Sequence[RunResult], window: str, seed: int) -> float | None:
    """Where energy and work stop counting; the time after it only lets the last jobs end."""
    ends = (run.summary.get("horizon_s") for run in runs if (run.window, run.seed) == (window, seed))
    return max((end for end in ends if end is not None), default=None)


def _grid(edges: Floats, horizon_s: float | None) -> dict[str, float | None]:
    length, horizon = float(edges[-1] - edges[0]), None if horizon_s is None else horizon_s - float(edges[0])
    inside = horizon is not None and 0 < horizon < length
    return {"step_s": float(edges[1] - edges[0]), "length_s": length, "horizon_s": horizon if inside else None}


def _pair(dimensions: Dimensions, window: str, seed: int) -> str:
    return f"{dimensions.windows.index(window)}/{dimensions.seeds.index(seed)}"


def _occupancy(run: RunResult, edges: Floats | None, most: int | None) -> dict[str, Any] | None:
    if most is None or edges is None:
        return None
    return occupancy_data.occupancy_chart(run, float(edges[0]), most)


def _job_facts(
    runs: Sequence[RunResult], dimensions: Dimensions, edges: Mapping[tuple[str, int], Floats]
) -> dict[str, dict[str, Any]]:
    """One list of jobs per window and seed that has a chart of nodes."""
    facts: dict[str, dict[str, Any]] = {}
    for run in runs:
        key, grid = _pair(dimensions, run.window, run.seed), edges.get((run.window, run.seed))
        if key not in facts and grid is not None:
            facts[key] = occupancy_data.job_facts(run.jobs, dimensions, float(grid[0]), run.instances)
    return facts


def _comparison(table: ComparisonTable) -> dict[str, Any]:
    metrics = [{"title": m.title, "unit": m.unit, "better": m.better, "key": m.key} for m in table.metrics]
    rows = [_row(table, row) for row in table.rows]
    return {"metrics": metrics, "rows": rows, "reference": table.reference and table.reference.label}


def _row(table: ComparisonTable, row: PolicyRow) -> dict[str, Any]:
    cells = [_cell(m, row.cells.get(m.key, Cell(None)), table.is_best(row, m), row) for m in table.metrics]
    return {
        "label": printable(row.label),
        "oracle": row.oracle,
        "reference": row.reference,
        "marks": [printable(mark) for mark in row.marks],
        "service": row.service,
        "front": row.front,
        "cells": cells,
    }


def _cell(metric: Metric, cell: Cell, best: bool, row: PolicyRow) -> dict[str, Any]:
    difference, interval = ("", "") if row.reference else difference_texts(metric, cell)
    verdict = None if row.reference else metric.verdict(cell)
    said = {"difference": difference, "interval": interval, "verdict": verdict}
    return {"value": _json_safe(cell.value), "text": metric.text(cell.value), "best": best, **said}


def _json_safe(value: Any) -> Any:
    """Plain JSON types: numbers that JavaScript holds exactly and text as they are, anything else as its text."""
    if isinstance(value, np.generic):
        return _json_safe(value.item())
    if isinstance(value, int) and abs(value) > EXACT_IN_JAVASCRIPT:
        return str(value)
    if isinstance(value, Mapping):
        return {printable(key): _json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json_safe(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else printable(value)
