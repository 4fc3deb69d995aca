"""Goodwatt's own request table as Parquet: columns of numbers, read at once. A "line" is the number of the row here."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goodwatt.errors import BadRow
from goodwatt.traces.requests.formats.request_table import COLUMNS, SYNTHETIC
from goodwatt.traces.requests.request_columns import note_unused, read_table_rows
from goodwatt.traces.requests.request_format import RequestFormat
from goodwatt.traces.requests.request_intake import RequestIntake
from goodwatt.traces.requests.request_trace import MOST_TOKENS
from goodwatt.traces.source import BROKEN_STREAM, Source, broken
from goodwatt.traces.table import Row

if TYPE_CHECKING:
    import polars

MAGIC = b"PAR1"


class _ParquetRows:
    """Rows as text, so that a wrong one is reported like one of a CSV."""

    def __init__(self, path: Path, frame: polars.DataFrame) -> None:
        self.path, self._frame = path, frame

    def rows(self) -> Iterator[Row]:
        for number, row in enumerate(self._frame.iter_rows(), start=1):
            yield number, ["" if value is None else str(value) for value in row]


def _read(source: Source, intake: RequestIntake) -> None:
    frame = _frame(source)
    if not _take(frame, intake):
        read_table_rows(_ParquetRows(source.path, frame), frame.columns, intake, COLUMNS)


def _frame(source: Source) -> polars.DataFrame:
    import polars

    try:
        return polars.read_parquet(BytesIO(source.stream.read()))
    except BROKEN_STREAM as problem:
        raise broken(source.path, 1, problem) from problem
    except (polars.exceptions.PolarsError, OSError) as problem:
        raise BadRow(source.path, 1, None, "a sound Parquet file", str(problem)) from problem


def _take(frame: polars.DataFrame, intake: RequestIntake) -> bool:
    """Whole columns; False where a value is missing or wrong, for the rows to say which."""
    import polars

    if COLUMNS.time not in frame.columns:
        return False
    times = frame[COLUMNS.time]
    if not times.dtype.is_numeric() or times.null_count():
        return False
    times = times.cast(polars.Float64)
    tokens = [_tokens(frame, title) for title in (COLUMNS.prompt, COLUMNS.output)]
    if tokens[0] is None or tokens[1] is None or not (times.is_finite() & (times >= 0.0)).all():
        return False
    note_unused(COLUMNS, frame.columns, intake)
    if SYNTHETIC in frame.columns:
        for mark in frame[SYNTHETIC].drop_nulls().cast(polars.String).unique(maintain_order=True):
            intake.mark(mark)
    intake.extend(times.to_numpy(), tokens[0], tokens[1])
    return True


def _tokens(frame: polars.DataFrame, title: str) -> Any:
    import numpy as np

    if title not in frame.columns:
        return np.ones(len(frame), np.int32)
    values = frame[title]
    if not values.dtype.is_integer() or values.null_count() or not values.is_between(1, MOST_TOKENS).all():
        return None
    return values.to_numpy().astype(np.int32)


FORMAT = RequestFormat(
    "request-table-parquet",
    "Goodwatt's own request table as Parquet",
    lambda head: len(MAGIC) if head.start.startswith(MAGIC) else 0,
    read=_read,
)
