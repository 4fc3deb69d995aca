"""Helios (Hu et al., SC'21): cluster_log.csv of one of its clusters as published."""

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
    Column("partition", "vc", cells.NAME),
    Column("name", "jobname", cells.NAME, required=False),
    Column("num_gpus", "gpu_num", cells.COUNT),
    Column("cpu_milli", "cpu_num", cells.CORES, required=False),
    Column("state", "state", Cell(EXPECTED, parse_state)),
    Column("submit_s", "submit_time", cells.TEXT),
    Column("observed_start_s", "start_time", cells.TEXT, required=False),
    Column("observed_end_s", "end_time", cells.TEXT, required=False),
    Column("told_duration_s", "duration", cells.NUMBER, required=False),
)
SIGNATURE = ("job_id", "user", "vc", "gpu_num", "state", "submit_time", "start_time", "end_time")
NO_VALUE = frozenset({"", "None", "NaT"})


def _read(source: Source, intake: Intake) -> None:
    clock = WallClock(intake)

    def to_job(values: Values) -> None:
        intake.need_gpu(values["num_gpus"])
        values["status"] = status_of(values.pop("state"))
        place_in_time(values, clock, intake)
        compare_duration(values, intake)

    read_table(source, intake, COLUMNS, to_job, NO_VALUE)


def _recognise(head: Head) -> int:
    return head.has(SIGNATURE)


FORMAT = TraceFormat(
    "helios",
    "Helios 2020 (cluster_log.csv)",
    _recognise,
    _read,
    SIGNATURE,
    folder_files=("cluster_log.csv",),
    drops="CPU-only jobs, jobs that never started, jobs without an end",
)
