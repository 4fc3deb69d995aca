"""A job trace in memory: the jobs in order of submission, and what the reader has to say about them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from goodwatt.cluster.job import Job
from goodwatt.errors import BadRow

MARK_SEPARATOR = "; "


@dataclass(frozen=True, slots=True)
class Dropped:
    """Rows of the source that are no jobs of this trace, counted by reason; `first_line` is an example."""

    reason: str
    count: int
    first_line: int


@dataclass(frozen=True, slots=True)
class Trace:
    """Jobs sorted by (submit_s, order in the file).

    `lines[i]` is the line of `jobs[i]` in the file, 0 where there is none. `dropped` counts what the format
    holds but a replay has no use for (CPU-only jobs, jobs that never started); `bad_rows` are the errors that
    `--skip-bad-rows` went past. `synthetic` has a label for each column that was made up: by whom, with which seed.
    """

    name: str
    jobs: Sequence[Job]
    format: str = "memory"
    path: Path | None = None
    sha256: str = ""
    lines: array[int] = field(default_factory=lambda: array("L"))
    dropped: tuple[Dropped, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    notes: tuple[str, ...] = ()
    synthetic: tuple[str, ...] = ()

    def line_of(self, index: int) -> int:
        """The line in the file that `jobs[index]` came from; 0 if it came from no file."""
        return self.lines[index] if index < len(self.lines) else 0

    @property
    def mark(self) -> str:
        """`synthetic` as the one text that a job table carries in every row; empty where nothing is made up."""
        return MARK_SEPARATOR.join(label.replace(MARK_SEPARATOR, ", ") for label in self.synthetic)


def labels_of_mark(mark: str) -> tuple[str, ...]:
    """The labels that `Trace.mark` joined."""
    return tuple(mark.split(MARK_SEPARATOR))
