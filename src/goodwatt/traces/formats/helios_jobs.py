"""Helios (Hu et al., SC'21), GPU jobs of its cluster Venus as a derived CSV: relative times, run times clamped."""

from __future__ import annotations

from goodwatt.traces import cells
from goodwatt.traces.intake import Intake
from goodwatt.traces.source import Source
from goodwatt.traces.table import Column, Values, read_table
from goodwatt.traces.trace_format import Head, TraceFormat

COLUMNS = (
    Column("job_id", "job_id", cells.TEXT),
    Column("submit_s", "submit_s", cells.SECONDS),
    Column("duration_s", "duration_s", cells.SPAN),
    Column("num_gpus", "num_gpus", cells.COUNT),
    Column("clamped", "duration_clamped", cells.FLAG),
)
REQUIRED = tuple(column.title for column in COLUMNS)


def _read(source: Source, intake: Intake) -> None:
    def to_job(values: Values) -> None:
        if values.pop("clamped"):
            intake.count("ran 48 h or more, the source says exactly 48 h")

    read_table(source, intake, COLUMNS, to_job)


def _recognise(head: Head) -> int:
    return head.has(REQUIRED)


FORMAT = TraceFormat("helios-jobs", "Helios 2020, GPU jobs of Venus (derived CSV)", _recognise, _read, REQUIRED)
