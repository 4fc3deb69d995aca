"""The table of `goodwatt compare` on a terminal, and the same facts for --json.

A cell is a value, a difference and an interval. How they stand, and how many metrics stand side by side, follows
from the width: whatever takes the fewest lines. Nothing is said by colour alone, so NO_COLOR and dumb terminals
lose no fact, and terminals without Unicode get plain signs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.box import SIMPLE_HEAD, Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from goodwatt.policies.comparison_table import Cell, ComparisonTable, Estimate, Metric, PolicyRow

GAP = 2  # between columns: one of padding, one of the box
BLOCK_COST = 6  # a further block costs the reader as much as this many lines
LABEL_SHARE = 0.28
NO_DIFFERENCE = Estimate(0.0, (0.0, 0.0))
ASCII_HEAD = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
VERDICT_STYLE = {"better": "green", "worse": "red", "unclear": "dim", None: "dim"}


def comparison_panel(table: ComparisonTable) -> RenderableType:
    """What to print: it lays itself out for the width of the console that prints it."""
    return _ComparisonPanel(table)


def comparison_json(table: ComparisonTable) -> dict[str, Any]:
    """The table for orjson: metrics once, then per policy the cells by metric key, unscaled."""
    metrics = [{"key": m.key, "title": m.title, "better": m.better} for m in table.metrics]
    policies = [{**asdict(row), "cells": {k: asdict(c) for k, c in row.cells.items()}} for row in table.rows]
    return {
        "trace": table.trace,
        "cluster": table.cluster,
        "setting": table.setting,
        "command": table.command,
        "windows": list(table.windows),
        "seeds": list(table.seeds),
        "metrics": metrics,
        "policies": policies,
    }


@dataclass(frozen=True)
class _Signs:
    """The signs that stand beside names and numbers, within what the terminal can write."""

    oracle: str
    best: str
    mark: str
    front: str
    dot: str


UNICODE_SIGNS = _Signs(oracle="†", best="●", mark="▲", front="◇", dot="·")
ASCII_SIGNS = _Signs(oracle="^", best="*", mark="!", front="o", dot="-")
LEVELS = ("strict", "relaxed")
"""Levels of service beside the floor that the label of a row tells; one that is short has its marks."""


@dataclass(frozen=True)
class _Piece:
    """What one cell says, still unplaced."""

    value: str
    value_style: str
    percent: str = ""
    interval: str = ""
    style: str = "dim"


@dataclass(frozen=True)
class _Column:
    """One metric laid out in a number of lines per cell: the cells as text, the heading, the width both need."""

    heading: Text
    cells: list[Text]
    width: int


@dataclass(frozen=True)
class _ComparisonPanel:
    table: ComparisonTable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        signs = ASCII_SIGNS if options.ascii_only else UNICODE_SIGNS
        yield _title(self.table, signs)
        labels = [_label(row, signs) for row in self.table.rows]
        blocks = _layout(self.table, labels, options.max_width, signs)
        used = max(sum(column.width + GAP for column in block) for block in blocks)
        for i, block in enumerate(blocks):
            shown = labels if i == 0 else [_label(replace(row, marks=()), signs) for row in self.table.rows]
            yield _block(shown, block, min(_widest(labels), options.max_width - used), options.ascii_only)
        yield from _legend(self.table, signs)
        yield from _origin(self.table, signs)


def _title(table: ComparisonTable, signs: _Signs) -> Text:
    where = " on ".join(part for part in (table.trace, table.cluster) if part)
    said = "".join(f" {signs.dot} {part}" for part in (where, table.setting) if part)
    return Text.assemble(("Policies compared", "bold"), said)


def _label(row: PolicyRow, signs: _Signs) -> Text:
    text = Text(row.label, style="bold" if row.reference else "")
    if row.oracle:
        text.append(f" {signs.oracle}", style="magenta")
    if row.front:
        text.append(f" {signs.front}", style="cyan")
    if row.reference:
        text.append(" (ref.)", style="dim not bold")
    if row.service in LEVELS:
        text.append(f" ({row.service})", style="dim not bold")
    for mark in row.marks:
        text.append(f"\n{signs.mark} {mark}", style="yellow not bold")
    return text


def _layout(table: ComparisonTable, labels: list[Text], width: int, signs: _Signs) -> list[list[_Column]]:
    """Blocks of columns in the arrangement (one, two or three lines a cell) that takes the fewest lines."""
    room = width - _label_width(labels, width) - GAP
    arranged = [[_column(table, m, lines, signs) for m in table.metrics] for lines in (1, 2, 3)]
    fitting = [columns for columns in arranged if all(c.width <= room for c in columns)] or arranged[-1:]
    return min((_pack(columns, room) for columns in fitting), key=_cost)


def _label_width(labels: list[Text], width: int) -> int:
    """What the layout grants the names at least; room that it leaves over is theirs as well."""
    return min(_widest(labels), max(12, math.floor(width * LABEL_SHARE)))


def _widest(labels: list[Text]) -> int:
    return max((cell_len(line) for label in labels for line in label.plain.split("\n")), default=1)


def _pack(columns: list[_Column], room: int) -> list[list[_Column]]:
    blocks: list[list[_Column]] = [[]]
    used = 0
    for column in columns:
        if blocks[-1] and used + column.width + GAP > room:
            blocks.append([])
            used = 0
        blocks[-1].append(column)
        used += column.width + GAP
    return blocks


def _cost(blocks: list[list[_Column]]) -> int:
    return sum(BLOCK_COST + _body_lines(block) for block in blocks)


def _body_lines(block: list[_Column]) -> int:
    rows = zip(*(column.cells for column in block), strict=True)
    return sum(max(map(_lines, row)) for row in rows)


def _lines(text: Text) -> int:
    return text.plain.count("\n") + 1


def _column(table: ComparisonTable, metric: Metric, lines: int, signs: _Signs) -> _Column:
    pieces = [_piece(table, row, metric, signs) for row in table.rows]
    widths = [max(map(len, column), default=0) for column in _parts(pieces)]
    cells = [_placed(piece, lines, widths) for piece in pieces]
    body = max((cell_len(line) for cell in cells for line in cell.plain.split("\n")), default=0)
    heading = Text(metric.title, style="bold", justify="right").append(f"\n{metric.unit}", style="dim not bold")
    word = max((cell_len(w) for w in heading.plain.split()), default=0)
    return _Column(heading, cells, max(body, word))


def _parts(pieces: Sequence[_Piece]) -> list[list[str]]:
    return [[p.value for p in pieces], [p.percent for p in pieces], [p.interval for p in pieces]]


def _piece(table: ComparisonTable, row: PolicyRow, metric: Metric, signs: _Signs) -> _Piece:
    cell = row.cells.get(metric.key, Cell(None))
    best = table.is_best(row, metric)
    value = f"{signs.best} {metric.text(cell.value)}" if best else metric.text(cell.value)
    style = "bold green" if best else ""
    if row.reference or (cell.percent is None and cell.difference is None):
        return _Piece(value, style)
    difference, interval = difference_texts(metric, cell)
    return _Piece(value, style, difference, interval, VERDICT_STYLE[metric.verdict(cell)])


def difference_texts(metric: Metric, cell: Cell) -> tuple[str, str]:
    """The difference and its interval: in percent where there is one, otherwise in the metric's unit."""
    if cell.difference == NO_DIFFERENCE:
        return "=", ""
    if cell.percent is not None:
        interval = _interval(cell.percent, _percent_number)
        return _percent_number(cell.percent.value) + "%", interval
    if cell.difference is None:
        return "", ""
    return metric.text(cell.difference.value, "+"), _interval(cell.difference, lambda v: metric.text(v, "+"))


def _percent_number(value: float) -> str:
    return f"{value:+.1f}" if abs(value) < 999.95 else f"{value:+,.0f}"


def _interval(estimate: Estimate, text: Any) -> str:
    return "" if estimate.interval is None else f"[{text(estimate.interval[0])}, {text(estimate.interval[1])}]"


def _placed(piece: _Piece, lines: int, widths: list[int]) -> Text:
    """The pieces of a cell in one line (in sub-columns), two or three; a lone value takes one line."""
    value, percent, interval = widths
    text = Text(justify="right", no_wrap=True)
    if lines == 1:
        text.append(piece.value.rjust(value), style=piece.value_style)
        rest = f"  {piece.percent:>{percent}} {piece.interval:<{interval}}" if percent else ""
        return text.append(rest if interval else rest.rstrip(" "), style=piece.style)
    text.append(piece.value, style=piece.value_style)
    if not piece.percent:
        return text
    between = "\n" if lines == 3 else " "
    joined = piece.percent + (between + piece.interval if piece.interval else "")
    return text.append("\n" + joined, style=piece.style)


def _block(labels: list[Text], columns: list[_Column], width: int, ascii_only: bool) -> RenderableType:
    box = ASCII_HEAD if ascii_only else SIMPLE_HEAD
    grid = Table(box=box, show_edge=False, padding=(0, GAP - 1, 0, 0), pad_edge=False, header_style="")
    grid.add_column("policy", width=width, overflow="fold", vertical="top")
    for column in columns:
        grid.add_column(column.heading, justify="right", width=column.width, vertical="top")
    tall = any(_lines(cell) > 2 for column in columns for cell in column.cells)
    for i, label in enumerate(labels):
        last = i == len(labels) - 1
        grid.add_row(label, *(column.cells[i] for column in columns), end_section=tall and not last)
    return Padding(grid, (1, 0, 0, 0))


def _legend(table: ComparisonTable, signs: _Signs) -> Iterator[RenderableType]:
    entries = []
    if any(table.is_best(row, m) for row in table.rows for m in table.metrics):
        entries.append(f"{signs.best} best of the policies without {signs.oracle} or {signs.mark}")
    if any(row.oracle for row in table.rows):
        entries.append(f"{signs.oracle} oracle, saw true durations")
    if any(row.marks for row in table.rows):
        entries.append(f"{signs.mark} gains do not count")
    if any(row.front for row in table.rows):
        entries.append(f"{signs.front} on the front of IT energy and mean JCT")
    yield Text("")
    yield from (Text(f" {signs.dot} ".join(entries), style="dim") for _ in entries[:1])
    if any(row.service in LEVELS for row in table.rows):
        yield Text("service beside the reference's: strict within 1.02x, relaxed within 1.25x", style="dim")
    if any(metric.key == "minutes_kept" for metric in table.metrics):
        yield Text("services: 99% of the minutes kept, or gains do not count", "dim")
    if reference := table.reference:
        said = f"differences to {reference.label}, paired, with bootstrap 95% intervals"
        yield Text(f"{said}; dim: may be noise", style="dim")


def _origin(table: ComparisonTable, signs: _Signs) -> Iterator[RenderableType]:
    windows = f"windows {', '.join(table.windows)}" if table.windows else ""
    seeds = f"seeds {', '.join(map(str, table.seeds))}" if table.seeds else ""
    said = f" {signs.dot} ".join(part for part in (table.command, windows, seeds) if part)
    if said:
        yield Text(said, style="dim", overflow="fold")
