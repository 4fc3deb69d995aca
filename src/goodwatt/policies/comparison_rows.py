"""From the runs of a comparison to its table: means, paired differences, and marks where service fell short."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

from goodwatt.policies.bootstrap import paired_difference
from goodwatt.policies.comparison import Comparison
from goodwatt.policies.comparison_table import Cell, ComparisonTable, Metric, PolicyRow
from goodwatt.simulator.result import RunResult

HOUR, DAY_S, MWH = 1 / 3600, 86_400.0, 1 / 3.6e9

METRICS = (
    Metric("mean_jct_s", "mean JCT", "h", "low", ",.2f", HOUR),
    Metric("p95_jct_s", "p95 JCT", "h", "low", ",.1f", HOUR),
    Metric("mean_queueing_s", "mean wait", "h", "low", ",.2f", HOUR),
    Metric("p99_queueing_s", "p99 wait", "h", "low", ",.1f", HOUR),
    Metric("utilisation", "GPUs in use", "%", "high", ",.1f", 100.0),
    Metric("goodput_per_watt_it", "work / IT kJ", "GPU-s", "high", ",.3f"),
    Metric("it_energy_j", "IT energy", "MWh", None, ",.2f", MWH),
    Metric("peak_power_w", "peak power", "kW", None, ",.0f", 1e-3),
    Metric("over_budget_s", "over budget", "h", "low", ",.1f", HOUR),
    Metric("fragmentation", "fragmented", "%", "low", ",.1f", 100.0),
    Metric("preemptions", "preempted", "", None, ",.0f"),
    Metric("unfinished", "open at end", "jobs", "low", ",.0f"),
)

FLOOR = {"mean_jct_s": 1.05, "p95_jct_s": 1.10, "p99_queueing_s": 1.10}
"""Matched service: at most so many times the reference's figure, else a gain elsewhere does not count."""
FLOOR_UNFINISHED = 0.005
"""Unfinished jobs may be so many more than the reference's, as a share of all."""

ROUNDING_S = 1e-6
"""Two times that are the same may be apart by so much after a subtraction."""

Sums = dict[int, tuple[float, float]]
"""Block: (sum, weight)."""


def comparison_table(comparison: Comparison, trace: str, cluster: str, command: str) -> ComparisonTable:
    """The table of a comparison; differences are to the reference, over windows and seeds that both finished."""
    by_policy: dict[str, list[RunResult]] = defaultdict(list)
    for result in comparison.results:
        by_policy[result.policy].append(result)
    reference = by_policy[comparison.reference]
    rows = tuple(
        _row(policy, by_policy[policy], reference, policy == comparison.reference)
        for policy in comparison.policies
        if by_policy[policy]
    )
    return ComparisonTable(
        rows=rows,
        metrics=tuple(m for m in METRICS if m.key != "over_budget_s" or _has_budget(comparison)),
        trace=trace,
        cluster=cluster,
        command=command,
        windows=tuple(window.label for window in comparison.windows),
        seeds=comparison.seeds,
    )


def _has_budget(comparison: Comparison) -> bool:
    return any(result.timeline.budget_w is not None for result in comparison.results)


def _row(policy: str, mine: list[RunResult], reference: list[RunResult], is_reference: bool) -> PolicyRow:
    cells = {metric.key: _cell(metric.key, mine, reference, is_reference) for metric in METRICS}
    pairs = [] if is_reference else _pairs(mine, reference)
    return PolicyRow(
        label=policy,
        cells=cells,
        oracle=mine[0].oracle,
        reference=is_reference,
        marks=tuple(_marks([run for run, _ in pairs], [run for _, run in pairs])),
    )


def _cell(key: str, mine: list[RunResult], reference: list[RunResult], is_reference: bool) -> Cell:
    value = _value(mine, key)
    pairs = _pairs(mine, reference)
    if is_reference or value is None or not pairs:
        return Cell(value)
    columns = _columns(_BLOCKS.get(key, _per_run(key)), pairs)
    return Cell(value, *paired_difference(*columns)) if columns[0] else Cell(value)


def _columns(blocks: Callable[[RunResult], Sums], pairs: Sequence[tuple[RunResult, RunResult]]) -> list[list[float]]:
    """(my sums, the reference's, weights) per window and block, added up over seeds.

    Seeds repeat a window, they do not make another one: a policy without chance gives the same numbers for each.
    """
    total: dict[tuple[str, int], list[list[float]]] = {}
    for mine, reference in pairs:
        for block, entry in _aligned(blocks(mine), blocks(reference)).items():
            for column, part in zip(total.setdefault((mine.window, block), [[], [], []]), entry, strict=True):
                column.append(part)
    return [[math.fsum(columns[i]) for columns in total.values()] for i in range(3)]


def _value(runs: Sequence[RunResult], key: str) -> float | None:
    """The mean over all blocks: over jobs where blocks are days, over runs where each is one."""
    blocks = _BLOCKS.get(key, _per_run(key))
    sums = [entry for run in runs for entry in blocks(run).values()]
    weight = math.fsum(weight for _, weight in sums)
    return math.fsum(total for total, _ in sums) / weight if weight else None


def _pairs(mine: Sequence[RunResult], reference: Sequence[RunResult]) -> list[tuple[RunResult, RunResult]]:
    of_reference = {(r.window, r.seed): r for r in reference}
    return [(r, of_reference[r.window, r.seed]) for r in mine if (r.window, r.seed) in of_reference]


def _per_run(key: str) -> Callable[[RunResult], Sums]:
    """The whole run as one block."""
    return lambda run: {} if run.summary.get(key) is None else {0: (float(run.summary[key]), 1.0)}


def _per_day(until: str) -> Callable[[RunResult], Sums]:
    """Blocks are days of submission after the warm-up: sum of times from submission until start or end, and jobs."""

    def blocks(run: RunResult) -> Sums:
        sums: Sums = {}
        counted_s = run.summary["horizon_s"] - run.summary["span_s"] - ROUNDING_S
        for submit_s, time_s in zip(run.jobs.submit_s, getattr(run.jobs, until), strict=True):
            if time_s is not None and submit_s >= counted_s:
                total, jobs = sums.get(int(submit_s // DAY_S), (0.0, 0.0))
                sums[int(submit_s // DAY_S)] = total + time_s - submit_s, jobs + 1.0
        return sums

    return blocks


_BLOCKS = {"mean_jct_s": _per_day("end_s"), "mean_queueing_s": _per_day("start_s")}


def _aligned(mine: Sums, reference: Sums) -> dict[int, tuple[float, float, float]]:
    """(my sum, the reference's, weight) of the blocks that both have."""
    return {block: (mine[block][0], reference[block][0], mine[block][1]) for block in mine if block in reference}


def _marks(mine: list[RunResult], reference: list[RunResult]) -> list[str]:
    """What speaks against the numbers of a policy: service below the floor, jobs not finished."""
    marks = []
    for metric in METRICS:
        limit = FLOOR.get(metric.key)
        value, base = _value(mine, metric.key), _value(reference, metric.key)
        if limit is None or value is None or base is None or value <= limit * base:
            continue
        more = f"{value / base:.2f}x the reference's" if base else f"{metric.text(value)} {metric.unit}, reference 0"
        marks.append(f"{metric.title} {more}, floor {limit:g}x")
    unfinished, base, jobs = _value(mine, "unfinished"), _value(reference, "unfinished"), _value(mine, "jobs")
    if jobs and ((unfinished or 0) - (base or 0)) / jobs > FLOOR_UNFINISHED:
        marks.append(f"{unfinished:,.0f} unfinished jobs, the reference {base:,.0f}")
    return marks
