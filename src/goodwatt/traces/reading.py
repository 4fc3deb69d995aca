"""Reads a job trace from a file or folder; which format it is follows from the content.

What the formats hold is in `formats/`; bundled traces by name, statistics and what a cluster can run are elsewhere.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goodwatt.errors import BadRow, InputError, UnknownNameError
from goodwatt.traces import job_table
from goodwatt.traces.intake import Intake
from goodwatt.traces.source import Source
from goodwatt.traces.trace import Trace
from goodwatt.traces.trace_format import Head, ReadOptions, TraceFormat


def read_trace(
    source: Path | str,
    *,
    format: str | None = None,  # noqa: A002 # the name of the option that people type
    skip_bad_rows: bool = False,
    cpu_only: bool = False,
    time_zone: str = "UTC",
    select: str | None = None,
) -> Trace:
    """The jobs of a trace file (gzip or not), or of a folder that holds one.

    `format` skips recognition. `skip_bad_rows` goes past rows that cannot be used and lists them in
    `Trace.bad_rows`; otherwise the first raises BadRow. `cpu_only` keeps jobs without GPUs. `time_zone` is the zone
    (IANA) of wall-clock times that name none. `select` picks one workload where a file holds several.
    Times are seconds: those of the source where it has such, else since the first submission.
    Raises InputError, of which BadRow is one, for whatever is wrong with the file.
    """
    path = _file_of(Path(source))
    options = ReadOptions(skip_bad_rows, cpu_only, time_zone, select)
    with Source(path) as opened, _collector_paused():
        chosen = recognise(opened.head) if format is None else format_named(format)
        if select is not None and not chosen.selects:
            raise InputError(f"{path}: nothing to select: the format {chosen.name} holds one workload per file")
        intake = Intake(path, options)
        chosen.read(opened, intake)
        return intake.finish(chosen.name, opened.sha256())


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Jobs refer to nothing that refers back; looking for cycles among a million of them costs a fifth of the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def all_formats() -> tuple[TraceFormat, ...]:
    """Every format there is. They are imported when a file is not plainly a job table: start-up is measured."""
    from goodwatt.traces.formats import FORMATS

    return FORMATS


def format_named(name: str) -> TraceFormat:
    """The format of this name; UnknownNameError has the nearest ones."""
    if name == job_table.FORMAT.name:
        return job_table.FORMAT
    for known in all_formats():
        if known.name == name:
            return known
    raise UnknownNameError("trace format", name, [known.name for known in all_formats()])


def recognise(head: Head) -> TraceFormat:
    """The format that knows most of the head; BadRow says what was found if none does."""
    if job_table.is_plain(head):
        return job_table.FORMAT
    known, chosen = max(((f.recognise(head), f) for f in all_formats()), key=lambda pair: pair[0])
    if known:
        return chosen
    from goodwatt.traces.formats.no_traces import what_it_is

    what = what_it_is(head)
    if what is not None:
        raise BadRow(head.path, 1, None, "a job trace", what)
    names = ", ".join(f.name for f in all_formats())
    raise BadRow(head.path, 1, None, f"a known trace format ({names})", f"{head.shown}{_nearest(head)}")


def _nearest(head: Head) -> str:
    """Which format the columns are nearest to, and what they lack of it."""
    titles = set(head.titles)
    shared, near = max(((len(titles.intersection(f.required)), f) for f in all_formats()), key=lambda pair: pair[0])
    if shared < 2:
        return ""
    lacking = ", ".join(title for title in near.required if title not in titles)
    return f"; nearest is {near.name}, which has {lacking} too"


def _file_of(path: Path) -> Path:
    """The file itself, or the one in a folder that a format names."""
    if not path.is_dir():
        return path
    wanted = [name for f in all_formats() for name in f.folder_files]
    for name in wanted:
        for file in (path / name, path / f"{name}.gz"):
            if file.is_file():
                return file
    held = ", ".join(sorted(entry.name for entry in path.iterdir())[:5]) or "nothing"
    raise InputError(f"{path}: expected a file, or a folder with one of {', '.join(wanted)}; got a folder with {held}")
