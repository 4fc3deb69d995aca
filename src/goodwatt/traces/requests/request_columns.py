"""Tables of requests: which column is what, and how a row becomes a request.

One declaration serves two ways of reading: row by row, which can say what is wrong where (here), and whole columns of
large files at once, which gives up at the first doubt (`fast_columns`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from goodwatt.traces import cells
from goodwatt.traces.cells import Cell
from goodwatt.traces.intake import NotAJob
from goodwatt.traces.requests.request_intake import RequestIntake
from goodwatt.traces.requests.request_trace import MOST_TOKENS
from goodwatt.traces.source import Source
from goodwatt.traces.table import Column, Plan, Rows, Table, Values, take_rows
from goodwatt.traces.wall_clock import WallClock

UNANSWERED = "failed: it has no output tokens"
EMPTY = "it has no prompt tokens"


class Clock(Enum):
    """What the times of a source are."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    WALL = "wall"


def _tokens_from(least: int) -> Cell:
    def parse(text: str) -> int:
        value = cells.parse_whole(text)
        if not least <= value <= MOST_TOKENS:
            raise ValueError(text)
        return value

    return Cell(f"a whole number of tokens, {least} to {MOST_TOKENS}", parse)


SOME, ANY = _tokens_from(1), _tokens_from(0)
TIMES = {
    Clock.SECONDS: cells.SPAN,
    Clock.MILLISECONDS: cells.SPAN_IN_MS,
    Clock.WALL: cells.TEXT,
}


@dataclass(frozen=True, slots=True)
class RequestColumns:
    """Titles of the columns with the time of arrival and the tokens.

    `log`: the source is a log in which requests without tokens happen; they are dropped and counted. Otherwise 0 tokens
    are an error. `has_tokens`: the columns of tokens must be there. `ignored` are columns of the format that are not
    used and need no note; `mark` is one that says what is made up. `from_midnight`: see RequestIntake.
    """

    time: str
    prompt: str
    output: str
    clock: Clock
    log: bool = True
    has_tokens: bool = True
    from_midnight: bool = False
    ignored: tuple[str, ...] = ()
    mark: str | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """Titles that must be there."""
        return (self.time, self.prompt, self.output) if self.has_tokens else (self.time,)

    def plan_columns(self, titles: Sequence[str]) -> tuple[Column, ...]:
        """The columns with their cells, for a plan; where a column of tokens is there, its cells hold something."""
        cell = ANY if self.log else SOME
        mark = () if self.mark is None else (Column("synthetic", self.mark, cells.TEXT, required=False),)
        return (
            Column("arrival_s", self.time, TIMES[self.clock]),
            Column("prompt_tokens", self.prompt, cell, required=self.has_tokens or self.prompt in titles),
            Column("output_tokens", self.output, cell, required=self.has_tokens or self.output in titles),
            *mark,
        )

    def unused(self, titles: Sequence[str]) -> tuple[str, ...]:
        """Titles that nobody expects."""
        expected = {self.time, self.prompt, self.output, self.mark, *self.ignored}
        return tuple(title for title in titles if title and title not in expected)


def note_unused(columns: RequestColumns, titles: Sequence[str], intake: RequestIntake) -> None:
    """What stays out, for whoever looks at the trace."""
    unused = columns.unused(titles)
    if unused:
        intake.note(f"columns not used: {', '.join(unused)}")


def read_rows(source: Source, intake: RequestIntake, columns: RequestColumns) -> None:
    """A table with a header, row by row."""
    table = Table(source, intake)
    read_table_rows(table, table.titles, intake, columns)


def read_table_rows(table: Rows, titles: Sequence[str], intake: RequestIntake, columns: RequestColumns) -> None:
    """The rows of whatever is a table."""
    plan = Plan(table.path, titles, columns.plan_columns(titles))
    note_unused(columns, titles, intake)
    intake.from_midnight = columns.from_midnight
    clock = WallClock(intake) if columns.clock is Clock.WALL else None

    def to_request(values: Values) -> None:
        if clock is not None:
            values["arrival_s"] = clock.seconds("arrival_s", values["arrival_s"])
        if "synthetic" in values:
            intake.mark(values.pop("synthetic"))
        check_answered(values)

    take_rows(table, plan, intake, to_request)


def check_answered(values: Values) -> None:
    """NotAJob for a request of a log that has no tokens."""
    if values.get("output_tokens") == 0:
        raise NotAJob(UNANSWERED)
    if values.get("prompt_tokens") == 0:
        raise NotAJob(EMPTY)
