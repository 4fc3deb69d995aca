"""Acme (Hu et al., NSDI'24): trace_seren.csv and trace_kalos.csv as published.

In trace_kalos.csv the column `duration` holds the time since submission, against the trace's own description;
the run time is therefore always end minus start.
"""

from __future__ import annotations

from goodwatt.traces import cells
from goodwatt.traces.cells import Cell
from goodwatt.traces.intake import Intake
from goodwatt.traces.job_states import EXPECTED, parse_state, status_of
from goodwatt.traces.source import Source
from goodwatt.traces.table import Column, Values, read_table
from goodwatt.traces.trace_format import Head, TraceFormat
from goodwatt.traces.wall_clock import WallClock, compare_duration, place_in_time

COLUMNS = (
    Column("job_id", "job_id", cells.TEXT),
    Column("user", "user", cells.NAME),
    Column("nodes", "node_num", cells.COUNT),
    Column("num_gpus", "gpu_num", cells.COUNT),
    Column("cpu_milli", "cpu_num", cells.CORES, required=False),
    Column("pod_memory_gb", "mem_per_pod_GB", cells.AMOUNT, required=False),
    Column("name", "type", cells.NAME, required=False),
    Column("state", "state", Cell(EXPECTED, parse_state)),
    Column("submit_s", "submit_time", cells.TEXT),
    Column("observed_start_s", "start_time", cells.TEXT, required=False),
    Column("observed_end_s", "end_time", cells.TEXT, required=False),
    Column("told_duration_s", "duration", cells.NUMBER, required=False),
)
SIGNATURE = tuple(column.title for column in COLUMNS if column.title != "mem_per_pod_GB")
MIB_PER_GB = 1e9 / 2**20


def memory_mib(pod_memory_gb: float, pods: int) -> int:
    """Memory of a job of `pods` pods, one to a node."""
    return round(pod_memory_gb * pods * MIB_PER_GB)


def _read(source: Source, intake: Intake) -> None:
    clock = WallClock(intake)

    def to_job(values: Values) -> None:
        intake.need_gpu(values["num_gpus"])
        values["status"] = status_of(values.pop("state"))
        values["memory_mib"] = memory_mib(values.pop("pod_memory_gb", 0.0), values.pop("nodes"))
        place_in_time(values, clock, intake)
        compare_duration(values, intake)

    intake.note("the name of a job is its type (Pretrain, SFT, Evaluation, ...)")
    read_table(source, intake, COLUMNS, to_job)


def _recognise(head: Head) -> int:
    return head.has(SIGNATURE)


FORMAT = TraceFormat(
    "acme",
    "Acme 2023 (trace_seren.csv, trace_kalos.csv)",
    _recognise,
    _read,
    SIGNATURE,
    drops="CPU-only jobs, jobs that never started, jobs without an end",
)
