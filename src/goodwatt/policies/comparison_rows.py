"""From the runs of a comparison to its table: means, paired differences, and marks where service fell short."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from goodwatt.policies.bootstrap import paired_difference
from goodwatt.policies.comparison import Comparison
from goodwatt.policies.comparison_table import Cell, ComparisonTable, Metric, PolicyRow
from goodwatt.policies.power_registry import DEFAULT_POWER
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.settings.objective import FLOOR, RELAXED, STRICT, ServiceFloor

HOUR, DAY_S, KWH = 1 / 3600, 86_400.0, 1 / 3.6e6
ENERGY, JCT = "it_energy_j", "mean_jct_s"

METRICS = (
    Metric(JCT, "mean JCT", "h", "low", ",.2f", HOUR),
    Metric("goodput_per_watt_it", "work / IT kJ", "GPU-s", "high", ",.3f"),
    Metric("minutes_kept", "minutes kept", "%", "high", ",.2f", 100.0),
    Metric("attainment", "on time", "%", "high", ",.2f", 100.0),
    Metric("tokens_per_joule_it", "tokens / IT J", "", "high", ",.3f"),
    Metric("service_work_gpu_s", "work of services", "GPU-h", "high", ",.1f", HOUR),
    Metric("mean_replicas", "instances", "", None, ",.1f"),
    Metric("share_of_bound_it", "of the bound", "%", "high", ",.1f", 100.0),
    Metric(ENERGY, "IT energy", "kWh", "low", ",.0f", KWH),
    Metric("energy_cost", "energy cost", "", "low", ",.0f"),
    Metric("co2_kg", "CO2", "kg", "low", ",.0f"),
    Metric("work_weighted_stretch", "stretch", "x", "low", ".3f"),
    Metric("p95_jct_s", "p95 JCT", "h", "low", ",.1f", HOUR),
    Metric("mean_queueing_s", "mean wait", "h", "low", ",.2f", HOUR),
    Metric("p99_queueing_s", "p99 wait", "h", "low", ",.1f", HOUR),
    Metric("work_gpu_s", "work", "GPU-h", "high", ",.0f", HOUR),
    Metric("utilisation", "GPUs in use", "%", None, ",.1f", 100.0),
    Metric("peak_power_w", "peak power", "kW", None, ",.0f", 1e-3),
    Metric("over_budget_s", "over budget", "h", "low", ",.1f", HOUR),
    Metric("fragmentation", "fragmented", "%", "low", ",.1f", 100.0),
    Metric("preemptions", "preempted", "", None, ",.0f"),
    Metric("unfinished", "open at end", "jobs", "low", ",.0f"),
)
OF_SERVICES = ("minutes_kept", "attainment", "tokens_per_joule_it", "service_work_gpu_s", "mean_replicas")
NOT_ALWAYS_KNOWN = ("energy_cost", "co2_kg", "share_of_bound_it", *OF_SERVICES)
OF_JOBS = (
    JCT, "work_weighted_stretch", "p95_jct_s", "mean_queueing_s", "p99_queueing_s", "work_gpu_s", "fragmentation",
    "preemptions", "unfinished",
)  # fmt: skip
"""What says nothing where there are no jobs."""
OF_ENDS = (JCT, "p95_jct_s", "mean_queueing_s", "p99_queueing_s")
"""What says nothing where runs end before their jobs: who finishes more of the long ones would look slow."""
KEPT = 0.99
"""Of the minutes of a service, those that keep its promise: with fewer it is broken."""
LEADING = {
    "goodput_per_watt": "goodput_per_watt_it",
    "goodput": "work_gpu_s",
    "energy": ENERGY,
    "cost": "energy_cost",
    "carbon": "co2_kg",
}
"""The metric that stands first when an objective names its goal."""
ROUNDING_S = 1e-6
"""Two times that are the same may be apart by so much after a subtraction."""

Sums = dict[int, tuple[float, float]]
"""Block: (sum, weight)."""


def comparison_table(
    comparison: Comparison,
    trace: str,
    cluster: str,
    command: str,
    floor: ServiceFloor = FLOOR,
    goal: str | None = None,
) -> ComparisonTable:
    """The table of a comparison; differences are to the reference, over windows and seeds that both finished."""
    runs: dict[tuple[str, str, str], list[RunResult]] = defaultdict(list)
    for result in comparison.results:
        runs[result.policy, result.service_policy, result.power].append(result)
    first = comparison.reference, comparison.service_policies[0], comparison.powers[0]
    named = True, len(comparison.service_policies) > 1, len(comparison.powers) > 1
    rows = [
        _row(" / ".join(itertools.compress(key, named)), runs[key], runs[first], floor, comparison.drained)
        for key in itertools.product(comparison.policies, comparison.service_policies, comparison.powers)
        if runs[key]
    ]
    return ComparisonTable(
        rows=tuple(_with_front(rows) if comparison.drained else rows),
        metrics=_metrics(comparison.results, goal, comparison.drained),
        trace=trace,
        cluster=cluster,
        command=command,
        windows=tuple(window.label for window in comparison.windows),
        seeds=comparison.seeds,
        setting=_setting(comparison),
    )


def _metrics(results: Sequence[RunResult], goal: str | None, drained: bool) -> tuple[Metric, ...]:
    """Those that anybody knows; the goal's first."""
    hidden = set() if any(run.timeline.budget_w is not None for run in results) else {"over_budget_s"}
    hidden |= {key for key in NOT_ALWAYS_KNOWN if all(run.summary.get(key) is None for run in results)}
    hidden |= set(OF_JOBS) if all(not run.summary.get("jobs") for run in results) else set()
    hidden |= set() if drained else set(OF_ENDS)
    titles = {"work_gpu_s": "work of jobs"} if any(run.services for run in results) else {}
    currency = next((run.summary["currency"] for run in results if run.summary.get("currency")), "")
    named = [replace(m, title=titles.get(m.key, m.title)) for m in METRICS if m.key not in hidden]
    shown = [replace(m, unit=currency) if m.key == "energy_cost" else m for m in named]
    leading = LEADING.get(goal or "")
    return tuple(sorted(shown, key=lambda metric: metric.key != leading))


def _setting(comparison: Comparison) -> str:
    """What holds for all rows: the physics where it is not the usual one, the power policy where there is but one."""
    summaries = [run.summary for run in comparison.results]
    said = ["ideal physics"] if any(summary.get("physics") == "ideal" for summary in summaries) else []
    said += ["the model as truth"] if any(summary.get("truth") == "model" for summary in summaries) else []
    only = comparison.powers[0] if len(comparison.powers) == 1 else DEFAULT_POWER
    said += [f"power {only}"] if only != DEFAULT_POWER else []
    served = comparison.service_policies if len(comparison.service_policies) == 1 else ()
    said += [f"services {policy}" for policy in served if policy]
    return ", ".join(said)


def _row(
    label: str, mine: list[RunResult], reference: list[RunResult], floor: ServiceFloor, drained: bool
) -> PolicyRow:
    is_reference = mine is reference
    cells = {metric.key: _cell(metric.key, mine, reference, is_reference) for metric in METRICS}
    pairs = [] if is_reference else _pairs(mine, reference)
    both = [run for run, _ in pairs], [run for _, run in pairs]
    levels = (("strict", STRICT), ("matched", floor), ("relaxed", RELAXED))
    return PolicyRow(
        label=label,
        cells=cells,
        oracle=mine[0].oracle,
        reference=is_reference,
        marks=(*_broken(mine), *_marks(*both, floor, drained)),
        service=_level(mine, next((n for n, level in levels if not any(_marks(*both, level, drained))), "short"))
        if pairs
        else "",
    )


def _level(mine: list[RunResult], level: str) -> str:
    """The level of service, which a broken promise spoils."""
    return "short" if any(_broken(mine)) else level


def _broken(mine: list[RunResult]) -> Iterator[str]:
    """A mark where some run kept its promise in too few minutes."""
    kept = min(
        (run.summary["minutes_kept"] for run in mine if run.summary.get("minutes_kept") is not None), default=1.0
    )
    if kept < KEPT:
        yield f"promise kept in {kept:.1%} of minutes, at least {KEPT:.0%} wanted"


def _with_front(rows: Sequence[PolicyRow]) -> list[PolicyRow]:
    """The rows, those marked that no other one beats in energy without being slower, or the other way round."""
    return [replace(row, front=_on_front(row, [other for other in rows if not other.oracle])) for row in rows]


def _on_front(row: PolicyRow, others: Sequence[PolicyRow]) -> bool:
    mine = _point(row)
    if mine is None or row.oracle:
        return False
    points = [point for other in others if (point := _point(other)) is not None]
    return not any(x <= mine[0] and y <= mine[1] and (x, y) != mine for x, y in points)


def _point(row: PolicyRow) -> tuple[float, float] | None:
    """(energy, mean JCT) of a row."""
    energy, jct = row.cells[ENERGY].value, row.cells[JCT].value
    return None if energy is None or jct is None else (energy, jct)


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


def _marks(mine: list[RunResult], reference: list[RunResult], floor: ServiceFloor, drained: bool) -> Iterator[str]:
    """What speaks against the numbers of a policy: service below the floor, jobs not finished.

    `drained`: runs went on until their jobs had ended; where they stop at a horizon, its work says what was done.
    """
    limits = {
        JCT: floor.mean_jct,
        "p95_jct_s": floor.p95_jct,
        "work_weighted_stretch": floor.stretch,
        "p99_queueing_s": floor.p99_queueing,
    }
    for metric in METRICS:
        limit = limits.get(metric.key)
        value, base = _value(mine, metric.key), _value(reference, metric.key)
        if (
            limit is None
            or (metric.key in OF_ENDS and not drained)
            or value is None
            or base is None
            or value <= limit * base
        ):
            continue
        more = f"{value / base:.2f}x the reference's" if base else f"{metric.text(value)} {metric.unit}, reference 0"
        yield f"{metric.title} {more}, floor {limit:g}x"
    kept, base = _value(mine, "minutes_kept"), _value(reference, "minutes_kept")
    if kept is not None and base is not None and kept < base < KEPT:
        yield f"promise kept in {kept:.2%} of minutes, the reference {base:.2%}"
    unfinished, base, jobs = _value(mine, "unfinished"), _value(reference, "unfinished"), _value(mine, "jobs")
    if drained and jobs and ((unfinished or 0) - (base or 0)) / jobs > floor.unfinished:
        yield f"{unfinished:,.0f} unfinished jobs, the reference {base:,.0f}"
