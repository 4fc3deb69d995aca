"""The formats, one file each. A new one is a file here that defines `FORMAT`, and a line in FORMATS.

Goodwatt's own job table, which needs none of the others, is in `traces.job_table`.
"""

from __future__ import annotations

from goodwatt.traces import job_table
from goodwatt.traces.formats import (
    acme,
    acme_jobs,
    elasticflow,
    helios,
    helios_jobs,
    job_table_parquet,
    muri,
    openb,
    pai_2020,
    philly_jobs,
    philly_log,
    rubick,
    sia,
    slurm,
)
from goodwatt.traces.trace_format import TraceFormat

FORMATS: tuple[TraceFormat, ...] = (
    job_table.FORMAT,
    job_table_parquet.FORMAT,
    slurm.FORMAT,
    philly_log.FORMAT,
    philly_jobs.FORMAT,
    helios.FORMAT,
    helios_jobs.FORMAT,
    pai_2020.FORMAT,
    openb.FORMAT,
    acme.FORMAT,
    acme_jobs.FORMAT,
    muri.FORMAT,
    elasticflow.FORMAT,
    rubick.FORMAT,
    sia.FORMAT,
)
