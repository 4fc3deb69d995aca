"""Acme (Hu et al., NSDI'24), the completed GPU jobs of its cluster Kalos as a derived CSV with relative times."""

from __future__ import annotations

from goodwatt.cluster.job import JobStatus
from goodwatt.traces import cells
from goodwatt.traces.formats.acme import memory_mib
from goodwatt.traces.intake import Intake
from goodwatt.traces.source import Source
from goodwatt.traces.table import Column, Values, read_table
from goodwatt.traces.trace_format import Head, TraceFormat

COLUMNS = (
    Column("job_id", "job_id", cells.TEXT),
    Column("submit_s", "submit_s", cells.SECONDS),
    Column("duration_s", "duration_s", cells.SPAN),
    Column("num_gpus", "num_gpus", cells.COUNT),
    Column("nodes", "num_nodes", cells.COUNT),
    Column("cpus_per_gpu", "cpus_per_gpu", cells.AMOUNT),
    Column("pod_memory_gb", "mem_per_pod_gb", cells.AMOUNT),
)
REQUIRED = tuple(column.title for column in COLUMNS)


def _to_job(values: Values) -> None:
    values["cpu_milli"] = round(1000 * values.pop("cpus_per_gpu") * values["num_gpus"])
    values["memory_mib"] = memory_mib(values.pop("pod_memory_gb"), values.pop("nodes"))
    values["status"] = JobStatus.COMPLETED


def _read(source: Source, intake: Intake) -> None:
    intake.note("only completed jobs are in this derived trace, and no evaluation jobs")
    read_table(source, intake, COLUMNS, _to_job)


def _recognise(head: Head) -> int:
    return head.has(REQUIRED)


FORMAT = TraceFormat("acme-jobs", "Acme 2023, completed jobs of Kalos (derived CSV)", _recognise, _read, REQUIRED)
