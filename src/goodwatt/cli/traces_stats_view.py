"""How `goodwatt traces stats` prints: small tables and bar charts for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from rich.markup import escape
from rich.table import Table

from goodwatt.cli.traces_view import plain_table, print_json, print_parts
from goodwatt.traces.statistics import Durations, Owners, TraceStatistics

EIGHTHS = " ▁▂▃▄▅▆▇█"
PARTS = " ▏▎▍▌▋▊▉█"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_S, HOUR_S = 86400.0, 3600.0
CHART_COLUMNS, CHART_ROWS = 64, 6
TOP_SHOWN = 5
UNITS = ((2 * DAY_S, DAY_S, "d"), (2 * HOUR_S, HOUR_S, "h"), (120.0, 60.0, "min"), (0.0, 1.0, "s"))


def print_statistics(statistics: TraceStatistics, as_json: bool) -> None:
    """All figures of a trace."""
    if as_json:
        print_json(asdict(statistics))
        return
    print_parts(*_facts(statistics))
    print_parts(_arrivals(statistics), _duration_table(statistics), _size_table(statistics))
    for what, owners in (("partition", statistics.partitions), ("user", statistics.users)):
        if owners.count:
            print_parts(_owner_table(what, owners, statistics.gpu_hours))
    print_parts(*_demand(statistics))


def duration_text(seconds: float) -> str:
    """In the largest unit that leaves a number from two up."""
    for least, unit_s, name in UNITS:
        if seconds >= least:
            value = seconds / unit_s
            return f"{value:,.0f} {name}" if value >= 10 or unit_s == 1.0 else f"{value:.1f} {name}"
    return f"{seconds:,.0f} s"


def bar(value: float, most: float, width: int) -> str:
    """A horizontal bar in eighths of a character."""
    eighths = round(width * 8 * value / most) if most > 0 else 0
    return "█" * (eighths // 8) + PARTS[eighths % 8].strip()


def columns(values: Sequence[float], most: float, rows: int) -> Iterator[str]:
    """A column chart, its rows from the top down, in eighths of a character."""
    heights = [round(rows * 8 * value / most) if most > 0 else 0 for value in values]
    for row in reversed(range(rows)):
        yield "".join(EIGHTHS[min(8, max(0, height - 8 * row))] for height in heights)


def _facts(statistics: TraceStatistics) -> Iterator[str]:
    demand, load = statistics.demand, statistics.load
    yield f"[bold]{escape(statistics.name)}[/bold]: {statistics.jobs:,} jobs over {duration_text(statistics.span_s)}"
    yield (
        f"{statistics.gpu_hours:,.0f} GPU-hours; if nothing waited, {demand.mean_gpus:,.0f} GPUs in use on average, "
        f"{demand.peak_gpus:,.0f} at most"
    )
    if load is not None:
        yield (
            f"load on {escape(load.cluster)} ({load.gpus:,} GPUs): [bold]{load.load:.2f}[/bold]; "
            f"demand exceeds it {load.above:.0%} of the time"
        )
        if load.too_large:
            yield f"[bold]{load.too_large:,} jobs ask for more GPUs than they could ever have there[/bold]"
    if statistics.observed_wait_s is not None:
        p50, p90, mean = map(duration_text, statistics.observed_wait_s)
        yield f"waited in reality: median {p50}, p90 {p90}, mean {mean}"
    if statistics.requested_over_duration is not None:
        typical, high, _ = statistics.requested_over_duration
        yield f"requested time over duration: median {typical:,.1f}, p90 {high:,.1f}"
    for label in statistics.synthetic:
        yield f"made up: {escape(label)}"


def _arrivals(statistics: TraceStatistics) -> Table:
    """Hours of the day as a row of columns, days of the week as bars, side by side."""
    hours = statistics.arrivals_per_hour
    table = plain_table(f"jobs per hour of day (most: {max(hours):,.0f})", "jobs per day, by weekday")
    chart = ["".join(c * 2 for c in row) for row in columns(hours, max(hours), 6)]
    chart.append("".join(f"{hour:<6}" for hour in range(0, 24, 3)))
    days = statistics.arrivals_per_day
    week = [f"{day} {bar(rate, max(days), 16):<16} {rate:,.0f}" for day, rate in zip(DAYS, days, strict=True)]
    table.add_row("\n".join(chart), "\n".join(week))
    if not statistics.origin_known:
        table.caption = "as if the trace began on a Monday at 00:00; --origin tells the real time"
    return table


def _duration_table(statistics: TraceStatistics) -> Table:
    table = plain_table("duration", ">jobs", ">p50", ">p90", ">p99", ">mean", ">longest", ">GPU-hours")
    for row in statistics.durations:
        times = map(duration_text, (row.p50_s, row.p90_s, row.p99_s, row.mean_s, row.max_s))
        table.add_row(row.label, f"{row.jobs:,}", *times, _share(row.gpu_hours, statistics.gpu_hours))
    return table


def _size_table(statistics: TraceStatistics) -> Table:
    table = plain_table(">GPUs", ">jobs", "", ">GPU-hours", "", ">p50", ">mean")
    most_jobs = max(row.jobs for row in statistics.sizes)
    most_hours = max(row.gpu_hours for row in statistics.sizes)
    for row in statistics.sizes:
        table.add_row(
            row.label,
            *_shares(row, statistics, most_jobs, most_hours),
            duration_text(row.p50_s),
            duration_text(row.mean_s),
        )
    return table


def _shares(row: Durations, statistics: TraceStatistics, most_jobs: int, most_hours: float) -> tuple[str, ...]:
    return (
        _share(row.jobs, statistics.jobs),
        f"{bar(row.jobs, most_jobs, 12):<12}",
        _share(row.gpu_hours, statistics.gpu_hours),
        f"{bar(row.gpu_hours, most_hours, 12):<12}",
    )


def _owner_table(what: str, owners: Owners, gpu_hours: float) -> Table:
    table = plain_table(f"{what} ({owners.count:,} in all)", ">jobs", ">GPU-hours", "")
    most = owners.top[0].gpu_hours
    for owner in owners.top[:TOP_SHOWN]:
        share = _share(owner.gpu_hours, gpu_hours)
        table.add_row(escape(owner.name), f"{owner.jobs:,}", share, f"{bar(owner.gpu_hours, most, 24):<24}")
    return table


def _demand(statistics: TraceStatistics) -> Iterator[Any]:
    """GPUs in use over time; the line of the cluster, where there is one, stands at the left."""
    values = resampled(statistics.demand.gpus, CHART_COLUMNS)
    most = max(values)
    yield "\nGPUs in use over time, if nothing waited"
    for number, row in enumerate(columns(values, most, CHART_ROWS)):
        yield f"{most * (CHART_ROWS - number) / CHART_ROWS:>8,.0f} {row}"
    yield f"{'':>8} 0 d{duration_text(statistics.span_s):>{max(1, len(values) - 3)}}"


def resampled(values: Sequence[float], count: int) -> list[float]:
    """Means over `count` equal parts, or the values where there are fewer."""
    if len(values) <= count:
        return list(values)
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]


def _share(part: float, whole: float) -> str:
    """A per cent, with a digit more where it is small."""
    share = part / whole if whole else 0.0
    return f"{share:.0%}" if share >= 0.1 or share == 0 else f"{share:.1%}"
