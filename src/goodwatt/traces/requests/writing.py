"""Writes a request trace as goodwatt's own request table: CSV, gzipped CSV or Parquet, by the name of the file.

Reading such a file gives the same requests, and what was made up.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import IO

import polars

from goodwatt.errors import InputError
from goodwatt.traces.requests.formats.request_table import SYNTHETIC, TITLES
from goodwatt.traces.requests.rate_profile import RateProfile
from goodwatt.traces.requests.request_trace import RequestTrace

DECIMALS_WRITTEN = 6
"""Times are written to the microsecond."""


def write_request_trace(trace: RequestTrace, path: Path | str) -> None:
    """Writes `.csv`, `.csv.gz` or `.parquet`; the file appears whole or not at all. InputError for other names.

    Arrivals are rounded to the microsecond, in every format alike.
    """
    frame = polars.DataFrame({title: getattr(trace, title) for title in TITLES})
    frame = frame.with_columns(polars.col(TITLES[0]).round(DECIMALS_WRITTEN))
    if trace.mark:
        frame = frame.with_columns(polars.lit(trace.mark).alias(SYNTHETIC))
    _write(frame, Path(path), (".csv", ".csv.gz", ".parquet"))


def write_rate_profile(profile: RateProfile, path: Path | str) -> None:
    """Writes `.csv` or `.csv.gz`, with a last row that says where the profile ends. Raises InputError."""
    frame = polars.DataFrame(
        {"t_s": [*profile.t_s.tolist(), profile.end_s], "rate_per_s": [*profile.rate_per_s.tolist(), None]}
    )
    _write(frame, Path(path), (".csv", ".csv.gz"))


def write(content: RequestTrace | RateProfile, path: Path | str) -> None:
    """Whichever of the two it is. Raises InputError."""
    if isinstance(content, RequestTrace):
        write_request_trace(content, path)
    else:
        write_rate_profile(content, path)


def _write(frame: polars.DataFrame, path: Path, endings: tuple[str, ...]) -> None:
    write = _writer(path, endings)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            write(frame, file)
        part.replace(path)
    except OSError as problem:
        raise InputError(f"{path}: {problem.strerror or problem}") from problem
    finally:
        part.unlink(missing_ok=True)


def _writer(path: Path, endings: tuple[str, ...]) -> Callable[[polars.DataFrame, IO[bytes]], None]:
    writers = {".csv": _write_csv, ".csv.gz": _write_csv_gz, ".parquet": _write_parquet}
    for ending in endings:
        if path.name.endswith(ending):
            return writers[ending]
    raise InputError(f"{path}: expected a name that ends in {', '.join(endings[:-1])} or {endings[-1]}")


def _write_csv(frame: polars.DataFrame, file: IO[bytes]) -> None:
    frame.write_csv(file)


def _write_csv_gz(frame: polars.DataFrame, file: IO[bytes]) -> None:
    """Without name and time in the header, the same requests give the same bytes."""
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0, compresslevel=6) as packed:
        frame.write_csv(packed)  # type: ignore[call-overload] # it writes bytes to any file


def _write_parquet(frame: polars.DataFrame, file: IO[bytes]) -> None:
    frame.write_parquet(file)
