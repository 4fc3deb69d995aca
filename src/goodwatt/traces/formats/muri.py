"""Traces of Muri (SIGCOMM'22): Philly-derived jobs with models assigned by the authors. Times are milliseconds."""

from __future__ import annotations

from goodwatt.traces import cells
from goodwatt.traces.table import Column, table_format

COLUMNS = (
    Column("job_id", "job_id", cells.TEXT),
    Column("num_gpus", "num_gpu", cells.COUNT),
    Column("submit_s", "submit_time", cells.MILLISECONDS),
    Column("duration_s", "duration", cells.SPAN_IN_MS),
    Column("name", "model_name", cells.NAME),
    Column("priority", "priority", cells.WHOLE, required=False),
)
FORMAT = table_format(
    "muri",
    "Muri (SIGCOMM'22) simulator trace, times in milliseconds",
    COLUMNS,
    signature=("iterations", "interval"),
    notes=("models are assigned by the trace's authors; the name of a job is its model",),
)
