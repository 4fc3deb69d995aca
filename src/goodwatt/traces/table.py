"""Tables as sources of jobs: header, rows of equal length, and a plan that turns a row into fields of Job.

A format gives the columns; what a row means beyond its cells is in the format's own function.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from goodwatt.errors import BadRow
from goodwatt.traces.cells import Cell
from goodwatt.traces.intake import Intake, NotAJob, UnfitError, shown
from goodwatt.traces.source import BROKEN_STREAM, Source, broken
from goodwatt.traces.trace_format import TraceFormat

Values = dict[str, Any]
Row = tuple[int, list[str]]
NO_VALUE = frozenset({""})


@dataclass(frozen=True, slots=True)
class Column:
    """`title` in the source becomes `field`; a column that is not `required` may be absent or empty."""

    field: str
    title: str
    cell: Cell
    required: bool = True


class Rows(Protocol):
    """Where jobs come from row by row, each with its line."""

    path: Path

    def rows(self) -> Iterator[Row]:
        """Line and cells of every row."""


class Table:
    """An opened table. `titles` are given for files that mostly have no header."""

    def __init__(self, source: Source, intake: Intake, titles: Sequence[str] = (), *, quotes: bool = True) -> None:
        self.path, self._intake = source.path, intake
        self._reader = csv.reader(
            source.text(),
            delimiter=source.head.delimiter,
            quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
        )
        if not titles or source.head.titles == tuple(titles):
            self.titles = self._header()
        else:
            self.titles = list(titles)

    def rows(self) -> Iterator[Row]:
        """Line (the first, where a cell spans several) and cells of every row that is as long as the header."""
        line, going = self._reader.line_num, True
        while going:
            try:
                for row in self._reader:
                    if len(row) == len(self.titles):
                        yield line + 1, row
                    elif row:
                        self._wrong_length(line + 1, row)
                    line = self._reader.line_num
                going = False
            except csv.Error as problem:
                self._intake.bad(BadRow(self.path, line + 1, None, "a row of a table", str(problem)))
                line = self._reader.line_num
            except BROKEN_STREAM as problem:
                raise broken(self.path, line + 1, problem) from problem

    def _header(self) -> list[str]:
        try:
            titles = next(self._reader, [])
        except csv.Error as problem:
            raise BadRow(self.path, 1, None, "a header", str(problem)) from problem
        except BROKEN_STREAM as problem:
            raise broken(self.path, 1, problem) from problem
        for title in titles:
            if titles.count(title) > 1:
                raise BadRow(self.path, 1, title, "each column once", f"it {titles.count(title)} times")
        return titles

    def _wrong_length(self, line: int, row: list[str]) -> None:
        self._intake.bad(BadRow(self.path, line, None, f"{len(self.titles)} cells", f"{len(row)}"))


class Plan:
    """Which cell of a row becomes which field."""

    def __init__(
        self, path: Path, titles: Sequence[str], columns: Sequence[Column], no_value: frozenset[str] = NO_VALUE
    ) -> None:
        place = {title: index for index, title in enumerate(titles)}
        for column in columns:
            if column.required and column.title not in place:
                raise BadRow(path, 1, column.title, "a column of this name", f"the columns {', '.join(titles)}")
        self._no_value = no_value
        self._no_value_words = no_value if no_value > NO_VALUE else None
        self._columns = [column for column in columns if column.title in place]
        self._steps = [(c.field, place[c.title], c.cell.parse, c.required) for c in self._columns]
        self._titles = {column.field: column.title for column in columns}
        used = {column.title for column in columns}
        self.unused = tuple(title for title in titles if title and title not in used)

    def values(self, row: list[str]) -> Values:
        """Fields of the cells that hold something."""
        values: Values = {}
        words = self._no_value_words
        try:
            for name, index, parse, required in self._steps:
                text = row[index]
                if text and (words is None or text not in words):
                    values[name] = parse(text)
                elif required:
                    raise ValueError(text)
        except (ValueError, OverflowError):
            raise self._unfit(row) from None
        return values

    def _unfit(self, row: list[str]) -> UnfitError:
        """Which cell it was; looked for only when there is one."""
        for column, (_, index, parse, required) in zip(self._columns, self._steps, strict=True):
            text = row[index]
            try:
                if text not in self._no_value:
                    parse(text)
                elif required:
                    return UnfitError(column.field, column.cell.expected, shown(text) if text else "nothing")
            except (ValueError, OverflowError):
                return UnfitError(column.field, column.cell.expected, shown(text))
        return UnfitError(None, "cells that can be read", shown(",".join(row)))

    def title(self, field: str | None) -> str | None:
        """What the source calls a field."""
        return self._titles.get(field, field) if field else None


def take_rows(table: Rows, plan: Plan, intake: Intake, to_job: Callable[[Values], None] | None) -> None:
    """Every row into the intake; `to_job` makes fields of Job, in place, from what the plan found."""
    for line, row in table.rows():
        try:
            values = plan.values(row)
            if to_job is not None:
                to_job(values)
            intake.add(line, values)
        except NotAJob as no_job:
            intake.drop(line, no_job.reason)
        except UnfitError as unfit:
            intake.bad(BadRow(table.path, line, plan.title(unfit.column), unfit.expected, unfit.got))


def read_table(
    source: Source,
    intake: Intake,
    columns: Sequence[Column],
    to_job: Callable[[Values], None] | None = None,
    no_value: frozenset[str] = NO_VALUE,
) -> None:
    """A whole table with a header, one job per row; columns that stay out are noted."""
    table = Table(source, intake)
    plan = Plan(source.path, table.titles, columns, no_value)
    if plan.unused:
        intake.note(f"columns not used: {', '.join(plan.unused)}")
    take_rows(table, plan, intake, to_job)


def table_format(
    name: str,
    about: str,
    columns: Sequence[Column],
    *,
    signature: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> TraceFormat:
    """A format whose rows are jobs as they stand: the columns say it all.

    It is recognised by its required columns and those of `signature`.
    """
    required = tuple(column.title for column in columns if column.required)
    known = tuple(dict.fromkeys((*required, *signature)))

    def read(source: Source, intake: Intake) -> None:
        for note in notes:
            intake.note(note)
        read_table(source, intake, columns)

    return TraceFormat(name, about, lambda head: head.has(known), read, required)
