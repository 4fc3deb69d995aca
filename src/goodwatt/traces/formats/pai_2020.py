"""Alibaba PAI 2020 (cluster-trace-gpu-v2020, NSDI'22): the tables of jobs, tasks and instances, without headers.

The task table is the one that cannot be missed: it says how many GPUs, in percent of one, each instance gets.
The job table beside it adds users, submission and status, the instance table the machines. A job becomes one gang:
the sum of its tasks' GPUs, a share of one GPU if that is less than one, else rounded up to whole GPUs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobStatus
from goodwatt.errors import BadRow, InputError
from goodwatt.traces import cells
from goodwatt.traces.cells import Cell
from goodwatt.traces.intake import NEVER_STARTED, STILL_RUNNING, Intake, NotAJob, UnfitError, shown
from goodwatt.traces.source import Source
from goodwatt.traces.table import Column, Plan, Table, Values, take_rows
from goodwatt.traces.trace_format import Head, TraceFormat
from goodwatt.traces.wall_clock import set_run

STATUS = {
    "Terminated": JobStatus.COMPLETED,
    "Failed": JobStatus.FAILED,
    "Running": JobStatus.UNKNOWN,
    "Waiting": JobStatus.UNKNOWN,
}
TITLES = {
    "job": ("job_name", "inst_id", "user", "status", "start_time", "end_time"),
    "task": (
        "job_name",
        "task_name",
        "inst_num",
        "status",
        "start_time",
        "end_time",
        "plan_cpu",
        "plan_mem",
        "plan_gpu",
        "gpu_type",
    ),
    "instance": (
        "job_name",
        "task_name",
        "inst_name",
        "worker_name",
        "inst_id",
        "status",
        "start_time",
        "end_time",
        "machine",
    ),
}
PERCENT = 100
MIB_PER_GIB = 1024
GPU_KINDS = {"T4": "T4", "P100": "P100", "V100": "V100M16", "V100M32": "V100M32"}
"""GPU kinds by the trace's types. V100, named beside V100M32, is taken for the one with 16 GB; MISC is several."""

FIRST_TABLES = ("pai_task_table.csv", "pai_job_table.csv")


def _status(text: str) -> JobStatus:
    if text not in STATUS:
        raise ValueError(text)
    return STATUS[text]


STATUS_CELL = Cell(f"a status ({', '.join(STATUS)})", _status)
TASK_COLUMNS = (
    Column("job_id", "job_name", cells.TEXT),
    Column("instances", "inst_num", cells.COUNT, required=False),
    Column("status", "status", STATUS_CELL),
    Column("start_s", "start_time", cells.SPAN, required=False),
    Column("end_s", "end_time", cells.SPAN, required=False),
    Column("cpu_percent", "plan_cpu", cells.AMOUNT, required=False),
    Column("memory_gib", "plan_mem", cells.AMOUNT, required=False),
    Column("gpu_percent", "plan_gpu", cells.AMOUNT, required=False),
    Column("gpu_type", "gpu_type", cells.NAME, required=False),
)
JOB_COLUMNS = (
    Column("job_id", "job_name", cells.TEXT),
    Column("user", "user", cells.NAME, required=False),
    Column("status", "status", STATUS_CELL),
    Column("submit_s", "start_time", cells.SPAN, required=False),
)


@dataclass(slots=True)
class _Span:
    """From the first start to the last end of some tasks; no end if one has none. A time of 0 stands for none,
    as in the analysis of the trace's authors.
    """

    start_s: float = math.inf
    end_s: float | None = 0.0

    def add(self, task: Values) -> None:
        self.start_s = min(self.start_s, task.get("start_s") or math.inf)
        end_s = task.get("end_s")
        self.end_s = max(self.end_s, end_s) if end_s and self.end_s is not None else None


@dataclass(slots=True)
class _Gang:
    """What the tasks of one job add up to. `span` is that of its tasks with GPUs, if it has such."""

    line: int
    gpu_percent: float = 0.0
    cpu_percent: float = 0.0
    memory_gib: float = 0.0
    span: _Span = field(default_factory=_Span)
    failed: bool = False
    spoiled: bool = False
    taken: bool = False
    gpu_type: str | None = None

    def add(self, task: Values) -> None:
        instances = task.get("instances", 0)
        gpu_percent = instances * task.get("gpu_percent", 0.0)
        if gpu_percent and not self.gpu_percent:
            self.span, self.gpu_type = _Span(), task.get("gpu_type")
        if gpu_percent or not self.gpu_percent:
            self.span.add(task)
            self.gpu_type = self.gpu_type if self.gpu_type == task.get("gpu_type") else None
        self.gpu_percent += gpu_percent
        self.cpu_percent += instances * task.get("cpu_percent", 0.0)
        self.memory_gib += instances * task.get("memory_gib", 0.0)
        self.failed |= task["status"] is JobStatus.FAILED


class _Pai:
    """The tables of one trace, read in turn: tasks, then instances, then jobs."""

    def __init__(self, source: Source, intake: Intake) -> None:
        self._source, self._intake = source, intake
        self._given = next((kind for kind in TITLES if _is_table(source.head, kind)), "task")
        self._gangs: dict[str, _Gang] = {}
        self._machines: dict[str, set[str]] = {}

    def read(self) -> None:
        with self._table("task") as tasks:
            if tasks is None:
                raise InputError(
                    f"{self._source.path}: expected pai_task_table.csv beside it, which tells the GPUs; got none"
                )
            self._add_tasks(tasks)
        with self._table("instance") as instances:
            if instances is not None:
                self._add_machines(instances)
        with self._table("job") as jobs:
            if jobs is None:
                self._jobs_from_tasks()
            else:
                take_rows(jobs, Plan(jobs.path, jobs.titles, JOB_COLUMNS), self._intake, self._to_job)
                self._drop_the_rest()

    def _drop_the_rest(self) -> None:
        for gang in self._gangs.values():
            if not gang.taken:
                self._intake.drop(gang.line, "tasks of a job that the job table does not hold")

    @contextmanager
    def _table(self, kind: str) -> Iterator[Table | None]:
        path = self._source.path if kind == self._given else _beside(self._source.path, kind)
        if path is None:
            yield None
        elif path == self._source.path:
            yield Table(self._source, self._intake, TITLES[kind])
        else:
            with self._source.beside(path) as part:
                if not _is_table(part.head, kind):
                    raise BadRow(path, 1, None, f"the columns {', '.join(TITLES[kind])}", part.head.shown)
                yield Table(part, self._intake, TITLES[kind])

    def _add_tasks(self, table: Table) -> None:
        plan = Plan(table.path, table.titles, TASK_COLUMNS)
        for line, row in table.rows():
            gang = self._gangs.setdefault(row[0], _Gang(line))
            try:
                gang.add(plan.values(row))
            except UnfitError as unfit:
                gang.spoiled = True
                self._intake.bad(BadRow(table.path, line, plan.title(unfit.column), unfit.expected, unfit.got))

    def _add_machines(self, table: Table) -> None:
        for _, row in table.rows():
            gang = self._gangs.get(row[0])
            if row[-1] and gang is not None and gang.gpu_percent:
                self._machines.setdefault(row[0], set()).add(row[-1])

    def _jobs_from_tasks(self) -> None:
        self._intake.note("no job table: jobs count as submitted when their first task starts, users are not known")
        for name, gang in self._gangs.items():
            try:
                status = JobStatus.FAILED if gang.failed else JobStatus.UNKNOWN
                values = {"job_id": name, "status": status}
                self._to_job(values)
                self._intake.add(gang.line, values)
            except NotAJob as no_job:
                self._intake.drop(gang.line, no_job.reason)
            except UnfitError as unfit:
                self._intake.bad(BadRow(self._source.path, gang.line, unfit.column, unfit.expected, unfit.got))

    def _to_job(self, values: Values) -> None:
        gang = self._gangs.get(values["job_id"])
        if gang is None:
            raise NotAJob("a job without tasks")
        if gang.taken:
            raise UnfitError("job_id", "each job once", f"{shown(values['job_id'])} again")
        gang.taken = True
        if gang.spoiled:
            raise NotAJob("a task of it is a bad row")
        self._intake.need_gpu(gang.gpu_percent)
        if gang.span.start_s == math.inf:
            raise NotAJob(NEVER_STARTED)
        if gang.span.end_s is None:
            raise NotAJob(STILL_RUNNING)
        start_s = gang.span.start_s
        set_run(values, self._intake, values.get("submit_s") or start_s, start_s, gang.span.end_s)
        self._set_request(values, gang)

    def _set_request(self, values: Values, gang: _Gang) -> None:
        gpus = gang.gpu_percent / PERCENT
        whole = gpus == 0 or gpus >= 1
        values["num_gpus"] = math.ceil(gpus) if whole else 1
        values["gpu_milli"] = WHOLE_GPU_MILLI if whole else max(1, round(gpus * WHOLE_GPU_MILLI))
        values["cpu_milli"] = round(gang.cpu_percent * 1000 / PERCENT)
        values["memory_mib"] = round(gang.memory_gib * MIB_PER_GIB)
        values["observed_nodes"] = ",".join(sorted(self._machines.get(values["job_id"], ()))) or None
        values["reference_gpu"] = GPU_KINDS.get(gang.gpu_type or "")
        if whole and not gpus.is_integer():
            self._intake.count("share GPUs among instances, their GPUs are rounded up to whole ones")


def _is_table(head: Head, kind: str) -> bool:
    """By the number of columns and the status where it belongs."""
    titles = TITLES[kind]
    if head.titles == titles:
        return True
    return len(head.titles) == len(titles) and head.titles[titles.index("status")] in STATUS


def _beside(path: Path, kind: str) -> Path | None:
    names = (f"pai_{kind}_table.csv", f"pai_{kind}_table.csv.gz")
    return next((path.parent / name for name in names if (path.parent / name).is_file()), None)


def _read(source: Source, intake: Intake) -> None:
    intake.note("gpu_type is what a job got, not what it asked for: it is the reference GPU of its run time")
    _Pai(source, intake).read()


def _recognise(head: Head) -> int:
    return max(len(titles) if _is_table(head, kind) else 0 for kind, titles in TITLES.items())


FORMAT = TraceFormat(
    "pai-2020",
    "Alibaba PAI 2020 (pai_task_table.csv, with pai_job_table.csv and pai_instance_table.csv beside it)",
    _recognise,
    _read,
    TITLES["task"],
    folder_files=FIRST_TABLES,
    drops="CPU-only jobs, jobs that never started, jobs without an end",
)
