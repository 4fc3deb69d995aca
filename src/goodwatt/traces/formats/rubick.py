"""Workloads of Rubick (MLSys'25): LLM training jobs with run times on 64 A800 GPUs."""

from __future__ import annotations

from goodwatt.traces import cells
from goodwatt.traces.table import Column, table_format

COLUMNS = (
    Column("job_id", "name", cells.TEXT),
    Column("submit_s", "submission_time", cells.SECONDS),
    Column("duration_s", "duration", cells.SPAN),
    Column("num_gpus", "num_gpus", cells.COUNT),
    Column("cpu_milli", "num_cpus", cells.CORES, required=False),
    Column("name", "application", cells.NAME),
)
FORMAT = table_format(
    "rubick",
    "Rubick (MLSys'25) simulator workload",
    COLUMNS,
    notes=("the name of a job is its application; run times are those of 64 A800 GPUs (80 GB)",),
)
