"""Goodwatt's own job table as CSV, and the columns it has in common with Parquet.

Every column is a field of Job under its own name, but `synthetic`: that says, with the same text in every row, which
columns were made up and how, as in `user: enrich seed 0 error 2; name: enrich seed 0 error 2`. A column goes wherever
the table goes, through spreadsheets and converters alike. Writing it is in `writing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from goodwatt.traces import cells
from goodwatt.traces.intake import Intake, UnfitError
from goodwatt.traces.source import Source
from goodwatt.traces.table import Column, Values, read_table
from goodwatt.traces.trace_format import Head, TraceFormat

CELLS = {
    "job_id": cells.TEXT,
    "submit_s": cells.SECONDS,
    "num_gpus": cells.COUNT,
    "duration_s": cells.SPAN,
    "user": cells.NAME,
    "partition": cells.NAME,
    "name": cells.NAME,
    "gpu_kind": cells.ALTERNATIVES,
    "gpu_milli": cells.SHARE,
    "cpu_milli": cells.COUNT,
    "memory_mib": cells.COUNT,
    "gpu_memory_mib": cells.COUNT,
    "priority": cells.WHOLE,
    "status": cells.STATUS,
    "workload": cells.NAME,
    "reference_gpu": cells.NAME,
    "requested_s": cells.SPAN,
    "deadline_s": cells.SECONDS,
    "min_gpus": cells.POSITIVE,
    "max_gpus": cells.POSITIVE,
    "mig_profile": cells.NAME,
    "preemptible": cells.FLAG,
    "checkpoint_interval_s": cells.SPAN,
    "observed_start_s": cells.SECONDS,
    "observed_end_s": cells.SECONDS,
    "observed_nodes": cells.NAME,
}
REQUIRED = ("job_id", "submit_s", "num_gpus", "duration_s")
SYNTHETIC = "synthetic"
COLUMNS = (
    *(Column(name, name, cell, required=name in REQUIRED) for name, cell in CELLS.items()),
    Column(SYNTHETIC, SYNTHETIC, cells.NAME, required=False),
)
TITLES = frozenset(column.title for column in COLUMNS)


def check_order(values: Values) -> None:
    """Pairs of columns that make sense only in order."""
    for low, high in (("min_gpus", "max_gpus"), ("observed_start_s", "observed_end_s")):
        if low in values and high in values and values[high] < values[low]:
            raise UnfitError(high, f"at least {low}, {values[low]:g}", f"{values[high]:g}")


def row_step(titles: Sequence[str], intake: Intake) -> Callable[[Values], None] | None:
    """What is done with the values of each row before they make a job; None where the columns call for nothing."""
    pairs = "max_gpus" in titles or "observed_end_s" in titles
    if SYNTHETIC not in titles:
        return check_order if pairs else None

    def take_mark(values: Values) -> None:
        intake.mark(values.pop(SYNTHETIC, ""))
        if pairs:
            check_order(values)

    return take_mark


def _read(source: Source, intake: Intake) -> None:
    intake.zero_gpus = True
    read_table(source, intake, COLUMNS, row_step(source.head.titles, intake))


def is_plain(head: Head) -> bool:
    """Whether the file is a job table and nothing else could be meant: every column is one of ours."""
    return set(REQUIRED) <= set(head.titles) <= TITLES


def _recognise(head: Head) -> int:
    return head.has(REQUIRED)


FORMAT = TraceFormat(
    "job-table",
    "Goodwatt's own job table: CSV with job_id, submit_s, num_gpus, duration_s",
    _recognise,
    _read,
    REQUIRED,
)
