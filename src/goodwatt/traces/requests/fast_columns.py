"""Whole columns of a large table of requests at once, three times as fast as row by row and more.

It reads only what is beyond doubt: plain rows of the expected length, plain numbers, plain times. At the first thing
that is not, it gives up, and the file is read row by row, which knows what is wrong and where.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from goodwatt.traces.requests.request_columns import EMPTY, UNANSWERED, Clock, RequestColumns, note_unused
from goodwatt.traces.requests.request_intake import RequestIntake
from goodwatt.traces.requests.request_trace import MOST_TOKENS
from goodwatt.traces.source import BROKEN_STREAM, Source
from goodwatt.traces.wall_clock import WallClock

if TYPE_CHECKING:
    import polars

CHUNK_BYTES = 1 << 25
WALL_TIME = "%Y-%m-%d %H:%M:%S%.f"
UTC_ENDING = "+00:00"


class InDoubtError(Exception):
    """The file is not plain all the way."""


def read_fast(source: Source, intake: RequestIntake, columns: RequestColumns) -> bool:
    """Takes a whole table in; False, and an intake to throw away, where it is not plain."""
    titles = source.head.titles
    if len(set(titles)) != len(titles) or not source.head.has(columns.required) or columns.mark in titles:
        return False
    note_unused(columns, titles, intake)
    intake.from_midnight = columns.from_midnight
    if columns.clock is Clock.WALL:
        WallClock(intake)
    line = 2
    try:
        for number, chunk in enumerate(_chunks(source)):
            line += _take(_frame(chunk, source, number == 0), line, columns, intake)
    except (InDoubtError, *BROKEN_STREAM):
        return False
    return line > 2


def _chunks(source: Source) -> Iterator[bytes]:
    """The stream in pieces that end with a line."""
    rest = b""
    while data := source.stream.read(CHUNK_BYTES):
        whole, end, tail = (rest + data).rpartition(b"\n")
        rest = tail
        if end:
            yield whole + end
    if rest:
        yield rest


def _frame(chunk: bytes, source: Source, is_first: bool) -> polars.DataFrame:
    """A chunk as text columns, all cells of which that matter hold something."""
    import polars

    if b'"' in chunk:
        raise InDoubtError
    titles = list(source.head.titles)
    try:
        frame = polars.read_csv(
            BytesIO(chunk),
            has_header=False,
            skip_rows=int(is_first),
            new_columns=titles,
            separator=source.head.delimiter,
            quote_char=None,
            schema=dict.fromkeys(titles, polars.String),
        )
    except polars.exceptions.NoDataError:
        return polars.DataFrame(schema=dict.fromkeys(titles, polars.String))
    except polars.exceptions.PolarsError:
        raise InDoubtError from None
    if frame[titles[-1]].null_count():  # a row that is too short, or an empty cell
        raise InDoubtError
    return frame


def _take(frame: polars.DataFrame, line: int, columns: RequestColumns, intake: RequestIntake) -> int:
    """The requests of one chunk that begins on `line`; how many rows it had."""
    arrival_s = _seconds(frame[columns.time], columns.clock, intake)
    tokens = [_tokens(frame, title, columns.log) for title in (columns.prompt, columns.output)]
    kept = np.ones(len(frame), bool)
    for counts, reason in ((tokens[1], UNANSWERED), (tokens[0], EMPTY)):
        dropped = kept & (counts == 0)
        if dropped.any():
            intake.drop_many(line + int(dropped.argmax()), reason, int(dropped.sum()))
            kept &= ~dropped
    if kept.all():
        intake.extend(arrival_s, *tokens)
    else:
        intake.extend(arrival_s[kept], tokens[0][kept], tokens[1][kept])
    return len(frame)


def _tokens(frame: polars.DataFrame, title: str, log: bool) -> Any:
    import polars

    if title not in frame.columns:
        return np.ones(len(frame), np.int32)
    values = frame[title].cast(polars.Int64, strict=False)
    if values.null_count() or not values.is_between(0 if log else 1, MOST_TOKENS).all():
        raise InDoubtError
    return values.to_numpy().astype(np.int32)


def _seconds(texts: polars.Series, clock: Clock, intake: RequestIntake) -> Any:
    import polars

    if clock is Clock.WALL:
        return _wall_seconds(texts, intake)
    values = texts.cast(polars.Float64, strict=False)
    if values.null_count() or not (values.is_finite() & (values >= 0.0)).all():
        raise InDoubtError
    seconds = values.to_numpy()
    return seconds / 1000 if clock is Clock.MILLISECONDS else seconds


def _wall_seconds(texts: polars.Series, intake: RequestIntake) -> Any:
    """Seconds since 1970 of times in UTC; times without a zone only where they are to be read as UTC."""
    named = texts.str.ends_with(UTC_ENDING)
    if not named.all():
        if named.any() or intake.options.time_zone != "UTC":
            raise InDoubtError
        intake.note(WallClock(intake)._naive_note())
    times = texts.str.strip_suffix(UTC_ENDING).str.to_datetime(WALL_TIME, time_unit="us", strict=False)
    if times.null_count():
        raise InDoubtError
    return times.to_physical().to_numpy() / 1e6
