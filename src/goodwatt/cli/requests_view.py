"""How `goodwatt requests` prints lists, checks, statistics and what was written: tables, or JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from goodwatt.cli.traces_stats_view import bar, duration_text
from goodwatt.cli.traces_view import SHOWN_BAD_ROWS, plain_table, print_json, print_parts
from goodwatt.errors import BadRow, InputError
from goodwatt.traces.requests.rate_profile import RateProfile
from goodwatt.traces.requests.request_trace import RequestTrace
from goodwatt.traces.requests.service_classes import service_classes
from goodwatt.traces.requests.statistics import RequestStatistics
from goodwatt.traces.trace import Dropped

BAR = 40


def print_list(as_json: bool) -> None:
    """Classes of services and formats."""
    from goodwatt.traces.requests.formats import PROFILE_FORMATS, REQUEST_FORMATS

    formats = {f.name: f.about for f in REQUEST_FORMATS} | {f.name: f.about for f in PROFILE_FORMATS}
    if as_json:
        listed = [{"name": name, "about": about} for name, about in formats.items()]
        print_json({"classes": [*_class_entries()], "formats": listed})
        return
    classes = plain_table("class", ">per second", ">prompt", ">output", ">peak/trough", "what it is")
    for entry in _class_entries():
        lengths = (f"{entry[key]:,.0f}" for key in ("mean_prompt_tokens", "mean_output_tokens"))
        ratio = f"{entry['peak_to_trough']:g}"
        classes.add_row(entry["name"], f"{entry['rate_per_s']:g}", *lengths, ratio, escape(entry["about"]))
    readable = plain_table("format", "what it is")
    for name, about in formats.items():
        readable.add_row(name, escape(about))
    print_parts(classes, readable)


def _class_entries() -> Iterator[dict[str, Any]]:
    for name, known in service_classes().items():
        lengths = known.token_lengths(name)
        yield {
            "name": name,
            "about": known.about,
            "rate_per_s": known.rate_per_s,
            "mean_prompt_tokens": round(lengths.mean_prompt, 1),
            "mean_output_tokens": round(lengths.mean_output, 1),
            "peak_to_trough": known.rhythm.peak_to_trough,
            "sources": known.sources,
        }


def print_check(content: RequestTrace | RateProfile, skip_bad_rows: bool, as_json: bool) -> None:
    """What a file holds; raises InputError where it has bad rows that are not to be skipped."""
    if as_json:
        print_json(_check_json(content))
    else:
        _print_check_tables(content)
    if content.bad_rows and not skip_bad_rows:
        count = len(content.bad_rows)
        rows = f"{count} bad row{'s' if count > 1 else ''}"
        raise InputError(f"{content.path}: {rows}; mend the file, or go past them with --skip-bad-rows")


def _facts(content: RequestTrace | RateProfile) -> dict[str, Any]:
    """What tells requests from rates."""
    if isinstance(content, RequestTrace):
        return {"requests": len(content), "span_s": content.span_s, "synthetic": list(content.synthetic)}
    facts = {"steps": len(content.t_s), "span_s": content.end_s, "relative": content.relative}
    return {**facts, "mean_per_s": content.mean_per_s, "peak_per_s": content.peak_per_s}


def _check_json(content: RequestTrace | RateProfile) -> dict[str, Any]:
    return {
        "name": content.name,
        "path": str(content.path),
        "format": content.format,
        "sha256": content.sha256,
        **_facts(content),
        "dropped": [{"reason": d.reason, "count": d.count, "first_line": d.first_line} for d in content.dropped],
        "bad_rows": [
            {"file": row.path, "line": row.line, "column": row.column, "expected": row.expected, "got": row.got}
            for row in content.bad_rows
        ],
        "notes": list(content.notes),
    }


def _print_check_tables(content: RequestTrace | RateProfile) -> None:
    left_out = sum(d.count for d in content.dropped)
    facts = plain_table("", "")
    facts.show_header = False
    facts.add_row("name", f"{escape(content.name)}  ({content.format})")
    facts.add_row(*_amount(content))
    facts.add_row("left out", f"{left_out:,} rows" if left_out else "none")
    facts.add_row("bad rows", f"{len(content.bad_rows):,}" if content.bad_rows else "none")
    if isinstance(content, RequestTrace):
        facts.add_row("made up", escape("\n".join(content.synthetic)) or "nothing")
    if content.notes:
        facts.add_row("notes", escape("\n".join(content.notes)))
    facts.add_row("SHA-256", content.sha256)
    print_parts(facts)
    if content.dropped:
        print_parts(_dropped_table(content.dropped))
    if content.bad_rows:
        print_parts(_bad_row_table(content.bad_rows))
    if len(content.bad_rows) > SHOWN_BAD_ROWS:
        print_parts(f"and {len(content.bad_rows) - SHOWN_BAD_ROWS:,} more (--json lists all)")


def _dropped_table(dropped: Sequence[Dropped]) -> Table:
    table = plain_table("left out because", ">rows", ">first line")
    for entry in dropped:
        table.add_row(escape(entry.reason), f"{entry.count:,}", f"{entry.first_line:,}")
    return table


def _bad_row_table(rows: Sequence[BadRow]) -> Table:
    table = plain_table(">line", "column", "expected", "got")
    for row in rows[:SHOWN_BAD_ROWS]:
        table.add_row(f"{row.line:,}", escape(row.column or "-"), escape(row.expected), escape(row.got))
    return table


def _amount(content: RequestTrace | RateProfile) -> tuple[str, str]:
    if isinstance(content, RequestTrace):
        last_s = float(content.arrival_s[-1] - content.arrival_s[0])
        return "requests", f"{len(content):,} over {duration_text(last_s)}"
    height = "the shape only" if content.relative else f"{content.mean_per_s:,.4g} per second on average"
    peak = f"peak {content.peak_per_s / content.mean_per_s:.2f} times the mean"
    return "rates", f"{len(content.t_s):,} steps over {duration_text(content.end_s)}, {height}, {peak}"


def print_statistics(statistics: RequestStatistics, as_json: bool) -> None:
    """All figures of a trace."""
    if as_json:
        print_json(asdict(statistics))
        return
    print_parts(*_headline(statistics), _length_table(statistics))
    if statistics.dispersion:
        print_parts(_dispersion_table(statistics))
    print_parts(_hour_table(statistics))


def _headline(statistics: RequestStatistics) -> Iterator[str]:
    span = duration_text(statistics.span_s)
    yield f"[bold]{escape(statistics.name)}[/bold]: {statistics.requests:,} requests over {span}"
    mean, peak = statistics.mean_per_s, statistics.peak_minute_per_s
    yield f"{mean:,.4g} per second on average, {peak:,.4g} in the busiest minute"
    if statistics.rank_correlation is not None:
        yield f"rank correlation of prompt and output: {statistics.rank_correlation:.2f}"
    if statistics.dropped or statistics.bad_rows:
        yield f"left out: {statistics.dropped:,} rows dropped, {statistics.bad_rows:,} bad rows"
    for label in statistics.synthetic:
        yield f"made up: {escape(label)}"


def _length_table(statistics: RequestStatistics) -> Table:
    names = list(statistics.prompt_tokens.quantiles)
    table = plain_table("tokens", ">mean", *(f">{name}" for name in names), ">total")
    for what, lengths in (("prompt", statistics.prompt_tokens), ("output", statistics.output_tokens)):
        values = (f"{lengths.quantiles[name]:,}" for name in names)
        table.add_row(what, f"{lengths.mean:,.1f}", *values, f"{lengths.total:,}")
    return table


def _dispersion_table(statistics: RequestStatistics) -> Table:
    """Variance over mean of counts; 1 is Poisson."""
    table = plain_table("counted over", ">index of dispersion (Poisson: 1)")
    for interval_s, index in statistics.dispersion.items():
        table.add_row(f"{interval_s} s", f"{index:,.2f}")
    return table


def _hour_table(statistics: RequestStatistics) -> Table:
    """Hours in which nothing came are left out."""
    table = plain_table(">hour of day" if statistics.hour_is_of_day else ">hour since 0 s, of 24", ">requests", "")
    most = max(statistics.requests_by_hour)
    for hour, count in enumerate(statistics.requests_by_hour):
        if count:
            table.add_row(str(hour), f"{count:,}", bar(count, most, BAR))
    return table


def print_written(content: RequestTrace | RateProfile, out: Path, as_json: bool) -> None:
    """What a command wrote."""
    size = out.stat().st_size
    if as_json:
        print_json({"path": str(out), "bytes": size, **_facts(content)})
        return
    what, amount = _amount(content)
    shown = f"{amount.split(' over ')[0]} {what}" if what == "requests" else amount
    print_parts(f"[bold]{escape(str(out))}[/bold]: {shown}, {size:,} bytes")
    if isinstance(content, RequestTrace):
        for label in content.synthetic:
            print_parts(f"  made up: {escape(label)}")
