"""How `goodwatt traces` prints lists, checks and what was written: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from rich import box
from rich.markup import escape
from rich.table import Table

from goodwatt.cli.terminal import console
from goodwatt.errors import BadRow, InputError
from goodwatt.traces import bundled
from goodwatt.traces.trace import Trace

if TYPE_CHECKING:
    from goodwatt.traces.enrich import Enriched
    from goodwatt.traces.generate import Drawn

SHOWN_BAD_ROWS = 20
DAY_S = 86400.0


def print_json(content: Any) -> None:
    """One JSON document."""
    print(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())


def print_parts(*parts: Any) -> None:
    """Tables and lines to stdout."""
    screen = console()
    for part in parts:
        screen.print(part, soft_wrap=isinstance(part, str))


def plain_table(*titles: str) -> Table:
    """A title that starts with > is of a column of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for text in titles:
        number = text.startswith(">")
        table.add_column(text.removeprefix(">"), justify="right" if number else "left", no_wrap=number)
    return table


def print_list(as_json: bool) -> None:
    """Bundled traces, public traces, formats."""
    from goodwatt.traces.fetch_registry import registry
    from goodwatt.traces.formats import FORMATS

    here = [bundled.describe(name) for name in bundled.names()]
    public = registry()
    if as_json:
        shipped = [asdict(trace) for trace in here]
        entries = [{"name": name, **trace.model_dump()} for name, trace in public.items()]
        formats = [{"name": f.name, "about": f.about} for f in FORMATS]
        print_json({"bundled": shipped, "public": entries, "formats": formats})
        return
    bundle = plain_table("bundled", ">jobs", ">days", ">mean GPUs", "what it is")
    for t in here:
        about = escape(f"{t.source} ({t.licence}). {t.note}. {t.paper}.")
        bundle.add_row(t.name, f"{t.jobs:,}", f"{t.days:g}", f"{t.mean_demand_gpus:,.0f}", about)
    fetched = plain_table("to fetch", ">files", "what it is", "licence")
    for name, trace in public.items():
        fetched.add_row(name, str(len(trace.files)), escape(trace.title), escape(trace.licence))
    readable = plain_table("format", "what it is")
    for f in FORMATS:
        readable.add_row(f.name, escape(f.about))
    print_parts(bundle, fetched, readable)


def print_check(trace: Trace, skip_bad_rows: bool, as_json: bool) -> None:
    """What a trace holds; raises InputError where it has bad rows that are not to be skipped."""
    if as_json:
        print_json(_check_json(trace))
    else:
        _print_check_tables(trace)
    if trace.bad_rows and not skip_bad_rows:
        count = len(trace.bad_rows)
        rows = f"{count} bad row{'s' if count > 1 else ''}"
        raise InputError(f"{trace.path}: {rows}; mend the file, or go past them with --skip-bad-rows")


def _check_json(trace: Trace) -> dict[str, Any]:
    return {
        "name": trace.name,
        "path": str(trace.path),
        "format": trace.format,
        "sha256": trace.sha256,
        "jobs": len(trace.jobs),
        "dropped": [{"reason": d.reason, "count": d.count, "first_line": d.first_line} for d in trace.dropped],
        "bad_rows": [_bad_row_json(row) for row in trace.bad_rows],
        "synthetic": list(trace.synthetic),
        "notes": list(trace.notes),
    }


def _bad_row_json(row: BadRow) -> dict[str, Any]:
    return {"file": row.path, "line": row.line, "column": row.column, "expected": row.expected, "got": row.got}


def _print_check_tables(trace: Trace) -> None:
    last_s = trace.jobs[-1].submit_s - trace.jobs[0].submit_s
    left_out = sum(d.count for d in trace.dropped)
    facts = plain_table("", "")
    facts.show_header = False
    facts.add_row("trace", f"{escape(trace.name)}  ({trace.format})")
    facts.add_row("jobs", f"{len(trace.jobs):,} over {last_s / DAY_S:,.1f} days")
    facts.add_row("left out", f"{left_out:,} rows" if left_out else "none")
    facts.add_row("bad rows", f"{len(trace.bad_rows):,}" if trace.bad_rows else "none")
    facts.add_row("made up", escape("\n".join(trace.synthetic)) or "nothing")
    if trace.notes:
        facts.add_row("notes", escape("\n".join(trace.notes)))
    facts.add_row("SHA-256", trace.sha256)
    print_parts(facts)
    if trace.dropped:
        print_parts(_dropped_table(trace))
    if trace.bad_rows:
        print_parts(*_bad_rows(trace.bad_rows))


def _dropped_table(trace: Trace) -> Table:
    table = plain_table("left out because", ">rows", ">first line")
    for dropped in trace.dropped:
        table.add_row(escape(dropped.reason), f"{dropped.count:,}", f"{dropped.first_line:,}")
    return table


def _bad_rows(rows: Sequence[BadRow]) -> list[Any]:
    table = plain_table(">line", "column", "expected", "got")
    for row in rows[:SHOWN_BAD_ROWS]:
        table.add_row(f"{row.line:,}", escape(row.column or "-"), escape(row.expected), escape(row.got))
    more = len(rows) - SHOWN_BAD_ROWS
    return [table, f"and {more:,} more (--json lists all)"] if more > 0 else [table]


def print_written(trace: Trace, out: Path, facts: Mapping[str, Any], as_json: bool) -> None:
    """What a command wrote, and `facts` about it: name to value, in order."""
    if as_json:
        written = {"path": str(out), "bytes": out.stat().st_size, "jobs": len(trace.jobs)}
        print_json({**written, "synthetic": list(trace.synthetic), **facts})
        return
    print_parts(f"[bold]{escape(str(out))}[/bold]: {len(trace.jobs):,} jobs, {out.stat().st_size:,} bytes")
    for name, value in facts.items():
        print_parts(f"  {escape(name.replace('_', ' '))}: {escape(_shown(value))}")
    for label in trace.synthetic:
        print_parts(f"  made up: {escape(label)}")


def print_enriched(result: Enriched, out: Path, as_json: bool) -> None:
    """How well the best predictor does on the made-up columns, as factors."""
    facts = {
        "best_predictor_error": result.error,
        "best_predictor_error_without_requested_times": result.error_by_name,
        "error_of_one_guess_for_all_jobs": result.error_unknowing,
    }
    print_written(result.trace, out, {k: round(v, 3) for k, v in facts.items()}, as_json)


def print_generated(drawn: Drawn, trace: Trace, out: Path, as_json: bool) -> None:
    """How long the drawn trace is, and what it asks for."""
    facts = {
        "model": drawn.model.source,
        "days": round(drawn.span_s / DAY_S, 3),
        "mean_demand_gpus": round(drawn.mean_demand_gpus, 1),
        "assumed": list(drawn.model.assumed),
    }
    print_written(trace, out, {k: v for k, v in facts.items() if v != []}, as_json)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,.10g}" if isinstance(value, float) else str(value)
