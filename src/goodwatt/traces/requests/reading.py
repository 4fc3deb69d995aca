"""Reads a request trace or a rate profile from a file; which format it is follows from the content.

What the formats hold is in `formats/`. Large tables are read whole columns at a time (`fast_columns`), with the same
result.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from goodwatt.errors import BadRow, InputError, UnknownNameError
from goodwatt.traces.requests.fast_columns import read_fast
from goodwatt.traces.requests.formats import PROFILE_FORMATS, REQUEST_FORMATS
from goodwatt.traces.requests.profile_intake import ProfileIntake
from goodwatt.traces.requests.rate_profile import RateProfile
from goodwatt.traces.requests.request_columns import read_rows
from goodwatt.traces.requests.request_format import ProfileFormat, RequestFormat
from goodwatt.traces.requests.request_intake import RequestIntake
from goodwatt.traces.requests.request_trace import RequestTrace
from goodwatt.traces.source import Source
from goodwatt.traces.trace_format import Head, ReadOptions

TRACE, PROFILE = "a request trace", "a rate profile"
FAST_FROM_BYTES = 1 << 20
"""Below this a table is read row by row: loading the library that reads columns takes longer."""

AnyFormat = TypeVar("AnyFormat", RequestFormat, ProfileFormat)


class _RequestFile(Source):
    """A source that calls what it expects by its name."""

    def _checked(self, start: bytes) -> bytes:
        try:
            return super()._checked(start)
        except BadRow as problem:
            raise BadRow(self.path, problem.line, None, f"{TRACE} or {PROFILE}", problem.got) from None


def read_request_trace(
    path: Path | str,
    *,
    format: str | None = None,  # noqa: A002 # the name of the option that people type
    skip_bad_rows: bool = False,
    time_zone: str = "UTC",
    fast: bool | None = None,
) -> RequestTrace:
    """The requests of a file (gzip or not).

    `format` skips recognition. `skip_bad_rows` goes past rows that cannot be used and lists them in `bad_rows`;
    otherwise the first raises BadRow. `time_zone` is the zone (IANA) of wall-clock times that name none. `fast` says
    whether to try reading whole columns first; by default large files are. Raises InputError, of which BadRow is one.
    """
    path = Path(path)
    options = ReadOptions(skip_bad_rows=skip_bad_rows, time_zone=time_zone)
    with _RequestFile(path) as opened:
        chosen = _format(opened.head, REQUEST_FORMATS, TRACE, format)
        intake = RequestIntake(path, options)
        if chosen.read is not None:
            chosen.read(opened, intake)
            return intake.requests(chosen.name, opened.sha256())
        assert chosen.columns is not None, "a format has columns or a reader"  # noqa: S101
        if fast is None:
            fast = path.is_file() and path.stat().st_size >= FAST_FROM_BYTES
        if not fast:
            read_rows(opened, intake, chosen.columns)
            return intake.requests(chosen.name, opened.sha256())
        if read_fast(opened, intake, chosen.columns):
            return intake.requests(chosen.name, opened.sha256())
    return read_request_trace(path, format=format, skip_bad_rows=skip_bad_rows, time_zone=time_zone, fast=False)


def read_rate_profile(
    path: Path | str,
    *,
    format: str | None = None,  # noqa: A002
    skip_bad_rows: bool = False,
    select: str | None = None,
) -> RateProfile:
    """The rate profile of a file (gzip or not); `select` picks one where a file holds several. Raises InputError."""
    path = Path(path)
    with _RequestFile(path) as opened:
        chosen = _format(opened.head, PROFILE_FORMATS, PROFILE, format)
        if select is not None and not chosen.selects:
            raise InputError(f"{path}: nothing to select: the format {chosen.name} holds one profile per file")
        intake = ProfileIntake(path, ReadOptions(skip_bad_rows=skip_bad_rows, select=select))
        chosen.read(opened, intake)
        return intake.profile(chosen.name, opened.sha256())


def is_profile(path: Path | str) -> bool:
    """Whether a file holds a rate profile and no requests. Raises InputError where it cannot be read."""
    with _RequestFile(Path(path)) as opened:
        return any(known.recognise(opened.head) for known in PROFILE_FORMATS)


def _format(head: Head, formats: Sequence[AnyFormat], what: str, name: str | None) -> AnyFormat:
    """The format that was named, or the one that knows most of the head."""
    if name is not None:
        return _named(name, formats, what)
    known, chosen = max(((f.recognise(head), f) for f in formats), key=lambda pair: pair[0])
    if known:
        return chosen
    raise BadRow(head.path, 1, None, f"{what} ({', '.join(f.name for f in formats)})", _what_it_is(head, formats, what))


def _named(name: str, formats: Sequence[AnyFormat], what: str) -> AnyFormat:
    for known in formats:
        if known.name == name:
            return known
    raise UnknownNameError(f"format of {what}", name, [known.name for known in formats])


def _what_it_is(head: Head, formats: Sequence[AnyFormat], what: str) -> str:
    """What the file is instead, or what it lacks of the nearest format."""
    if what == TRACE and any(f.recognise(head) for f in PROFILE_FORMATS):
        return f"{PROFILE}, which tells how many requests come and not which"
    if what == PROFILE and any(f.recognise(head) for f in REQUEST_FORMATS):
        return f"{TRACE}, which tells every request"
    titles = set(head.titles)
    shared, near = max(((len(titles.intersection(f.required)), f) for f in formats), key=lambda pair: pair[0])
    if not shared:
        return head.shown
    lacking = ", ".join(title for title in near.required if title not in titles)
    return f"{head.shown}; nearest is {near.name}, which has {lacking} too"
