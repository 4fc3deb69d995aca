"""Traces of ElasticFlow (ASPLOS'23): jobs of one Philly virtual cluster, with models and deadlines made up."""

from __future__ import annotations

from goodwatt.traces import cells
from goodwatt.traces.table import Column, table_format

COLUMNS = (
    Column("job_id", "job_id", cells.TEXT),
    Column("submit_s", "submit_time", cells.SECONDS),
    Column("duration_s", "duration", cells.SPAN),
    Column("num_gpus", "num_gpu", cells.COUNT),
    Column("deadline_s", "ddl", cells.SECONDS, required=False),
    Column("name", "model_name", cells.NAME),
)
FORMAT = table_format(
    "elasticflow",
    "ElasticFlow (ASPLOS'23) trace with deadlines",
    COLUMNS,
    signature=("ddl",),
    notes=(
        "models and deadlines are assigned by the trace's authors; the name of a job is its model",
        "deadlines suppose that a job may run on more GPUs than num_gpu; many are shorter than the run time",
    ),
)
