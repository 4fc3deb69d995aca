"""The first lines of the page: what was replayed, and what came out, in one sentence computed from the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from goodwatt.cli.comparison_view import difference_texts
from goodwatt.cli.counted import counted
from goodwatt.cli.report.dimensions import printable, run_labels
from goodwatt.policies.comparison_table import ComparisonTable, Metric, PolicyRow
from goodwatt.simulator.records.result import RunResult

# Keys of the manifest that the page names and orders; any other key follows under its own name.
ORIGIN = {
    "command": "Command",
    "version": "Version",
    "commit": "Commit",
    "created": "Made at",
    "trace": "Trace",
    "cluster": "Cluster",
    "seed": "Seed",
    "seeds": "Seeds",
    "windows": "Windows",
    "inputs": "Inputs (SHA-256)",
    "machine": "Machine",
    "cpu_s": "CPU seconds",
    "wall_s": "Wall seconds",
}
DURATIONS = ((172_800.0, 86_400.0, "d"), (7_200.0, 3_600.0, "h"), (120.0, 60.0, "min"), (0.0, 1.0, "s"))


def title(runs: Sequence[RunResult], manifest: Mapping[str, Any]) -> str:
    """Policies, trace and cluster in a few words."""
    policies = list(dict.fromkeys(run_labels(runs)))
    shown = " vs ".join(policies) if len(policies) <= 3 else f"{len(policies)} policies"
    trace = f" on {printable(manifest['trace'])}" if manifest.get("trace") else ""
    return printable(f"{shown}{trace}")


def scope(runs: Sequence[RunResult], manifest: Mapping[str, Any]) -> str:
    """How much was replayed, on what and when."""
    policies, windows, seeds = (len(set(v)) for v in _axes(runs))
    counts = [counted(policies, "policy", "policies"), counted(windows, "window"), counted(seeds, "seed")]
    counts = counts if len(runs) > 1 else [f"seed {runs[0].seed}"]
    jobs = sum(len(run.jobs.job_id) for run in runs)
    cluster = ", ".join(dict.fromkeys(f"{run.cluster} ({_machines(run)})" for run in runs))
    parts = [cluster, " \u00d7 ".join(counts), f"{jobs:,} jobs replayed", printable(manifest.get("created") or "")]
    return printable(" \u00b7 ".join(part for part in parts if part))


def _axes(runs: Sequence[RunResult]) -> tuple[list[str], list[str], list[int]]:
    return run_labels(runs), [run.window for run in runs], [run.seed for run in runs]


def _machines(run: RunResult) -> str:
    return f"{counted(len(run.node_names), 'node')}, {sum(run.gpus_per_node):,} GPUs"


def finding(runs: Sequence[RunResult], comparison: ComparisonTable | None) -> str:
    """The main finding; what nobody measured is left out."""
    sentences = [_compared(comparison)] if comparison else [_single(run) for run in runs[:1] if len(runs) == 1]
    sentences = sentences or [_ranking(runs)]
    return printable(" ".join(s for s in [*sentences, _unfinished(runs)] if s))


def _compared(table: ComparisonTable) -> str:
    """The leading metric: who is best without being an oracle, and by how much; then the best for energy."""
    reference = table.reference
    if reference is None or not table.metrics:
        return ""
    leading = next((m for m in table.metrics if m.better), None)
    energy = next((m for m in table.metrics if m.better and "per_watt" in m.key and m != leading), None)
    return " ".join(_leader(table, metric, reference) for metric in (leading, energy) if metric)


def _leader(table: ComparisonTable, metric: Metric, reference: PolicyRow) -> str:
    what = f"{'lowest' if metric.better == 'low' else 'highest'} {metric.title}"
    best = next((row for row in table.rows if table.is_best(row, metric)), None)
    if best is None:
        return f"No policy stands out on {metric.title}."
    has = f"{best.label} has the {what} ({metric.text(best.cells[metric.key].value)} {metric.unit})"
    if best.reference:
        return f"{has}: no policy without oracle or mark beats the reference."
    return f"{has}, {_margin(metric, best, reference)}."


def _margin(metric: Metric, row: PolicyRow, reference: PolicyRow) -> str:
    cell = row.cells[metric.key]
    difference, interval = difference_texts(metric, cell)
    if not difference:
        return f"next to {reference.label}"
    sure = {"better": "", "worse": "", "unclear": ", which may be noise"}.get(metric.verdict(cell) or "", "")
    margin = f"{difference} against {reference.label}"
    return f"{margin} (95% interval {interval[1:-1].replace(', ', ' to ')}){sure}" if interval else margin


def _single(run: RunResult) -> str:
    jct, queueing = mean_times(run)
    waited = f", {queueing / jct:.0%} of it queueing" if jct and queueing is not None else ""
    parts = [f"mean JCT {duration(jct)}{waited}"] if jct else ["no job finished"] if run.jobs.job_id else []
    parts += [_served(service.name, service.facts) for service in run.services]
    parts += [f"GPUs {_busy(run):.0%} busy"] if len(run.timeline.t_s) > 1 else []
    parts += [f"mean power {watts(run.summary['mean_power_w'])}"] if run.summary.get("mean_power_w") else []
    budgets = [budget for budget in run.timeline.budgets_w() if budget is not None]
    if budgets and run.summary.get("over_budget_s") is not None:
        lowest, highest = min(budgets), max(budgets)
        of = watts(lowest) if lowest == highest else f"{watts(lowest)} to {watts(highest)}"
        parts.append(f"{duration(run.summary['over_budget_s'])} above the budget of {of}")
    return f"{run_labels([run])[0]}: {'; '.join(parts)}."


def _served(name: str, facts: Mapping[str, Any]) -> str:
    if facts["attainment"] is None:
        return f"nobody asked {name}"
    kept = f"{facts['minutes_kept']:.1%} of its minutes kept"
    return f"{name} answered {facts['attainment']:.2%} of {facts['requests']:,} requests on time, {kept}"


def mean_times(run: RunResult) -> tuple[float | None, float | None]:
    """Mean JCT and mean queueing delay of the finished jobs."""
    jobs = run.jobs
    ended = [i for i, end in enumerate(jobs.end_s) if end is not None]
    if not ended:
        return None, None
    jct = math.fsum((jobs.end_s[i] or 0.0) - jobs.submit_s[i] for i in ended) / len(ended)
    return jct, math.fsum(jobs.queueing_s[i] or 0.0 for i in ended) / len(ended)


def _busy(run: RunResult) -> float:
    times, busy = run.timeline.t_s, run.timeline.busy_gpus
    held = math.fsum(busy[i] * (times[i + 1] - times[i]) for i in range(len(times) - 1))
    return held / max((times[-1] - times[0]) * sum(run.gpus_per_node), 1e-9)


def _ranking(runs: Sequence[RunResult]) -> str:
    """Without a paired comparison: the lowest mean of the runs' mean JCT, with no claim beyond that."""
    means: dict[str, list[float]] = {}
    for run, label in zip(runs, run_labels(runs), strict=True):
        jct, _ = mean_times(run)
        if jct is not None and not run.oracle:
            means.setdefault(label, []).append(jct)
    order = sorted((math.fsum(v) / len(v), label) for label, v in means.items())
    if len(order) < 2:
        return ""
    (best, first), (worst, last) = order[0], order[-1]
    return f"Mean JCT runs from {duration(best)} ({first}) to {duration(worst)} ({last})."


def _unfinished(runs: Sequence[RunResult]) -> str:
    counts: dict[str, int] = {}
    for run, label in zip(runs, run_labels(runs), strict=True):
        counts[label] = counts.get(label, 0) + sum(end is None for end in run.jobs.end_s)
    open_jobs = {label: n for label, n in counts.items() if n}
    if not any(run.jobs.job_id for run in runs):
        return ""
    if not open_jobs:
        return "All jobs finished in the end."
    if len(counts) == 1:
        return f"{sum(counts.values()):,} of {sum(len(r.jobs.job_id) for r in runs):,} jobs were left unfinished."
    return f"Unfinished jobs: {', '.join(f'{label} {n:,}' for label, n in counts.items())}."


def duration(seconds: float) -> str:
    """A time in the largest unit that it holds twice."""
    size, unit = next((size, unit) for least, size, unit in DURATIONS if seconds >= least or unit == "s")
    return f"{seconds / size:,.1f} {unit}"


def watts(power_w: float) -> str:
    """Power in W, kW or MW."""
    if power_w < 1e3:
        return f"{power_w:.0f} W"
    return f"{power_w / 1e6:,.2f} MW" if power_w >= 1e6 else f"{power_w / 1e3:,.1f} kW"


def origin(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What made the numbers: known keys first, under their names; every other key as it is."""
    known = [(name, manifest[key]) for key, name in ORIGIN.items() if key in manifest]
    return iter([*known, *((printable(key), value) for key, value in manifest.items() if key not in ORIGIN)])
