"""What a trace format declares, what a caller may ask of a reader, and the first bytes a format is recognised by.

The formats themselves are in `formats/`, one file each; which of them reads a file is decided in `reading`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goodwatt.traces.intake import Intake
    from goodwatt.traces.source import Source

DELIMITERS = ",|\t;"
HEADER_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """`time_zone` (IANA) applies to wall-clock times that name none; `select` picks one workload of several."""

    skip_bad_rows: bool = False
    cpu_only: bool = False
    time_zone: str = "UTC"
    select: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file, decompressed: its first bytes and, read as a table, its first row."""

    path: Path
    start: bytes
    delimiter: str = field(init=False)
    titles: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        first = next(iter(self.start.decode("utf-8-sig", "replace").splitlines()), "")
        delimiter = max(DELIMITERS, key=first.count)
        object.__setattr__(self, "delimiter", delimiter)
        object.__setattr__(self, "titles", split_line(first, delimiter))

    def has(self, titles: tuple[str, ...]) -> int:
        """How many columns were matched: all of `titles`, or 0."""
        return len(titles) if set(titles) <= set(self.titles) else 0

    @property
    def shown(self) -> str:
        """The first row, as a message shows it."""
        row = self.delimiter.join(self.titles)
        return f"the header {row[:HEADER_CHARACTERS]!r}" + ("..." if len(row) > HEADER_CHARACTERS else "")


def split_line(line: str, delimiter: str) -> tuple[str, ...]:
    """The cells of one line; none where it cannot be split."""
    try:
        return tuple(next(csv.reader([line], delimiter=delimiter), ()))
    except csv.Error:
        return ()


@dataclass(frozen=True, slots=True)
class TraceFormat:
    """One way in which the world writes down jobs.

    `recognise` answers how many columns (or how much else) of the head it knows, 0 if the file is not its own:
    the format that knows most reads it. `required` are the columns it cannot do without, for messages.
    `folder_files` are the names of the file to read when a folder is given. `drops` says what is no job here,
    `selects` that one file may hold several workloads.
    """

    name: str
    about: str
    recognise: Callable[[Head], int]
    read: Callable[[Source, Intake], None]
    required: tuple[str, ...] = ()
    folder_files: tuple[str, ...] = ()
    drops: str = "nothing"
    selects: bool = False
