"""Writes a trace as goodwatt's own job table: CSV, gzipped CSV or Parquet, by the name of the file.

Columns in which no job says anything are left out. Reading such a file gives the same jobs, and what was made up.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TextIO

from goodwatt.cluster.job import Job
from goodwatt.errors import InputError
from goodwatt.traces.job_table import CELLS, REQUIRED, SYNTHETIC
from goodwatt.traces.trace import Trace

EXACT_WHOLE = 2.0**53
WHOLE_FIELDS = (
    "num_gpus",
    "gpu_milli",
    "cpu_milli",
    "memory_mib",
    "gpu_memory_mib",
    "priority",
    "min_gpus",
    "max_gpus",
)
DEFAULTS = {field.name: field.default for field in fields(Job)}


def write_trace(trace: Trace, path: Path | str) -> None:
    """Writes `.csv`, `.csv.gz` or `.parquet`; the file appears whole or not at all. InputError for other names."""
    path = Path(path)
    write = _writer(path)
    part = path.with_name(f"{path.name}.part")
    try:
        write(trace, part)
        part.replace(path)
    except OSError as problem:
        raise InputError(f"{path}: {problem.strerror or problem}") from problem
    finally:
        part.unlink(missing_ok=True)


def used_columns(jobs: Sequence[Job]) -> list[str]:
    """The required columns, and those in which a job differs from the default."""
    return [name for name in CELLS if name in REQUIRED or any(getattr(job, name) != DEFAULTS[name] for job in jobs)]


def _writer(path: Path) -> Callable[[Trace, Path], None]:
    for ending, write in ((".csv", _write_csv), (".csv.gz", _write_csv_gz), (".parquet", _write_parquet)):
        if path.name.endswith(ending):
            return write
    raise InputError(f"{path}: expected a name that ends in .csv, .csv.gz or .parquet, got {path.name!r}")


def _write_csv(trace: Trace, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as text:
        _write_rows(trace, text)


def _write_csv_gz(trace: Trace, path: Path) -> None:
    with _packed(path) as text:
        _write_rows(trace, text)


@contextmanager
def _packed(path: Path) -> Iterator[TextIO]:
    """Without name and time in the header, the same jobs give the same bytes."""
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as stream,
        io.TextIOWrapper(stream, encoding="utf-8", newline="") as text,
    ):
        yield text


class _Lines:
    """Lines that end in a line feed, from a csv.writer that ends them in both signs: else it would not quote `\\r`."""

    def __init__(self, text: TextIO) -> None:
        self._text = text

    def write(self, line: str) -> int:
        return self._text.write(line[:-2] + "\n")


def _write_rows(trace: Trace, text: TextIO) -> None:
    titles, mark = used_columns(trace.jobs), [trace.mark] if trace.mark else []
    out = csv.writer(_Lines(text), lineterminator="\r\n")
    out.writerow([*titles, SYNTHETIC] if mark else titles)
    for job in trace.jobs:
        out.writerow([_cell(getattr(job, title)) for title in titles] + mark)


def _cell(value: Any) -> str:
    """Floats so that they read back the same, whole ones without a point."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < EXACT_WHOLE else repr(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "|".join(value) if isinstance(value, tuple) else str(value)


def _write_parquet(trace: Trace, path: Path) -> None:
    import polars  # 0.2 s of start-up, for this format only

    titles = used_columns(trace.jobs)
    columns = [polars.Series(t, [_plain(getattr(job, t)) for job in trace.jobs], _dtype(t)) for t in titles]
    mark = [polars.lit(trace.mark).alias(SYNTHETIC)] if trace.mark else []
    polars.DataFrame(columns).with_columns(mark).write_parquet(path)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return "|".join(value) or None
    return str(value) if isinstance(value, str) else value


def _dtype(title: str) -> Any:
    import polars

    if title.endswith("_s"):
        return polars.Float64
    if title in WHOLE_FIELDS:
        return polars.Int64
    return polars.Boolean if title == "preemptible" else polars.String
