"""Goodwatt's own job table as Parquet. Polars is imported when such a file is read, not before.

A "line" is the number of the row here. Values pass through the same cells as those of the CSV.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from goodwatt.errors import BadRow
from goodwatt.traces.intake import Intake
from goodwatt.traces.job_table import COLUMNS, row_step
from goodwatt.traces.source import BROKEN_STREAM, Source, broken
from goodwatt.traces.table import Plan, Row, take_rows
from goodwatt.traces.trace_format import Head, TraceFormat

if TYPE_CHECKING:
    import polars

MAGIC = b"PAR1"


class _ParquetRows:
    """Rows as text, so that they pass through the same plan as those of a CSV."""

    def __init__(self, source: Source) -> None:
        self.path = source.path
        self._frame = _frame(source)
        self.titles = list(self._frame.columns)

    def rows(self) -> Iterator[Row]:
        for number, row in enumerate(self._frame.iter_rows(), start=1):
            yield number, [_text(value) for value in row]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)


def _frame(source: Source) -> polars.DataFrame:
    import polars  # 0.2 s of start-up, for this format only

    try:
        return polars.read_parquet(BytesIO(source.stream.read()))
    except BROKEN_STREAM as problem:
        raise broken(source.path, 1, problem) from problem
    except (polars.exceptions.PolarsError, OSError) as problem:
        raise BadRow(source.path, 1, None, "a sound Parquet file", str(problem)) from problem


def _read(source: Source, intake: Intake) -> None:
    rows = _ParquetRows(source)
    plan = Plan(source.path, rows.titles, COLUMNS)
    if plan.unused:
        intake.note(f"columns not used: {', '.join(plan.unused)}")
    intake.zero_gpus = True
    take_rows(rows, plan, intake, row_step(rows.titles, intake))


def _recognise(head: Head) -> int:
    return len(COLUMNS) if head.start.startswith(MAGIC) else 0


FORMAT = TraceFormat("job-table-parquet", "Goodwatt's own job table as Parquet", _recognise, _read)
