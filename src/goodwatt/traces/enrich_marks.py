"""How "this was made up" survives in a file: a column `synthetic` with the same text in every row.

The text lists the made-up columns with their maker, as in `user: enrich seed 0 error 2; name: enrich seed 0 error 2`.
A column goes wherever the table goes: through spreadsheets, converters and Parquet alike.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TextIO, cast

from goodwatt.traces.trace import Trace
from goodwatt.traces.writing import write_trace

COLUMN = "synthetic"
SEPARATOR = "; "
UNUSED_NOTE = "columns not used: "


def write_marked(trace: Trace, path: Path) -> None:
    """Write a job table (see write_trace), with the marker where anything is made up."""
    write_trace(trace, path)
    if not trace.synthetic:
        return
    part = path.with_name(f"{path.name}.part")
    add = _add_to_parquet if path.suffix == ".parquet" else _add_to_csv
    try:
        add(path, part, SEPARATOR.join(trace.synthetic))
        part.replace(path)
    except BaseException:  # also Ctrl-C: a table without its marker would pass for a real one
        path.unlink(missing_ok=True)
        raise
    finally:
        part.unlink(missing_ok=True)


def with_marks(trace: Trace) -> Trace:
    """The trace as read from a file, with what its marker says; unchanged where there is none."""
    unused = [note for note in trace.notes if note.startswith(UNUSED_NOTE)]
    titles = [title for note in unused for title in note.removeprefix(UNUSED_NOTE).split(", ")]
    if trace.path is None or COLUMN not in titles:
        return trace
    titles.remove(COLUMN)
    notes = [note for note in trace.notes if note not in unused]
    if titles:
        notes.append(UNUSED_NOTE + ", ".join(titles))
    return replace(trace, synthetic=_marks_of(trace.path), notes=tuple(notes))


def _marks_of(path: Path) -> tuple[str, ...]:
    """The marker in the first row of a job table."""
    if path.suffix == ".parquet":
        import polars  # 0.2 s of start-up, for this format only

        text = polars.scan_parquet(path).select(COLUMN).head(1).collect().item()
    else:
        with _text_of(path) as lines:
            text = next(csv.DictReader(lines)).get(COLUMN)
    return tuple((text or "").split(SEPARATOR)) if text else ()


@contextmanager
def _text_of(path: Path) -> Iterator[TextIO]:
    """Gzipped or not, by the first two bytes."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=file) if packed else file)
        with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            yield text


def _add_to_csv(plain: Path, part: Path, text: str) -> None:
    """Gzipped like the name of `plain` says, again without a time stamp."""
    with _text_of(plain) as lines, part.open("wb") as file:
        stream = cast("IO[bytes]", _packed(file) if plain.suffix == ".gz" else file)
        with io.TextIOWrapper(stream, encoding="utf-8", newline="") as out:
            rows = csv.reader(lines)
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow([*next(rows), COLUMN])
            writer.writerows([*row, text] for row in rows)


def _packed(file: IO[bytes]) -> gzip.GzipFile:
    """Without name and time in the header, the same jobs give the same bytes."""
    return gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0, compresslevel=6)


def _add_to_parquet(plain: Path, part: Path, text: str) -> None:
    import polars  # 0.2 s of start-up, for this format only

    polars.read_parquet(plain).with_columns(polars.lit(text).alias(COLUMN)).write_parquet(part)
