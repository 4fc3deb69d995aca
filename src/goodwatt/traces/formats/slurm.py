"""Slurm accounting as `sacct --parsable2` prints it: columns in any order, separated by `|`, named by a header.

Each record of an allocation is a job. Records of job steps, of jobs that wait or run, and of jobs without GPUs are
none. `sacct --duplicates` shows a requeued job once per run, each with its own submission: the second becomes the
job `ID#2`, and so on. Components of a heterogeneous job (`ID+0`) stay jobs of their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from goodwatt.errors import BadRow
from goodwatt.traces import cells
from goodwatt.traces.cells import Cell, parse_amount, parse_count
from goodwatt.traces.formats.slurm_resources import Resources, parse_gres, parse_tres
from goodwatt.traces.intake import NEVER_STARTED, Intake, NotAJob
from goodwatt.traces.job_states import EXPECTED, parse_state, status_of
from goodwatt.traces.source import Source
from goodwatt.traces.table import Column, Plan, Table, Values, take_rows
from goodwatt.traces.trace_format import Head, TraceFormat
from goodwatt.traces.wall_clock import WallClock, place_in_time

ADVICE = (
    "sacct -aDXP -o JobID,User,Partition,JobName,State,Submit,Start,End,ElapsedRaw,Timelimit,ReqTRES,AllocTRES,NodeList"
)
NO_VALUE = frozenset({"", "Unknown", "None", "None assigned", "N/A", "(null)"})
NO_LIMIT = {"UNLIMITED", "Partition_Limit", "INVALID"}
TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<clock>\d+(?::\d+){0,2})(?:\.\d+)?")
STEP = "job steps (they belong to an allocation)"
ONLY_SHARES = "shares of GPUs (shard, mps): how much of a GPU that is, sacct does not tell"


def parse_time(text: str) -> float:
    """Seconds of `[days-]hours:minutes:seconds` or `minutes:seconds`."""
    found = TIME.fullmatch(text)
    if not found:
        raise ValueError(text)
    parts = [int(part) for part in found["clock"].split(":")]
    if found["days"] is not None:  # then hours come first
        parts += [0] * (3 - len(parts))
    elif len(parts) == 1:  # minutes
        parts.append(0)
    parts = [0] * (3 - len(parts)) + parts
    return float(86_400 * int(found["days"] or 0) + 3600 * parts[0] + 60 * parts[1] + parts[2])


def parse_limit(text: str) -> float | None:
    """Seconds of a time limit; None where there is none of the job's own."""
    return None if text in NO_LIMIT else parse_time(text)


def _limit_in_minutes(text: str) -> float | None:
    return None if text in NO_LIMIT else 60.0 * parse_amount(text)


TRES = Cell("resources such as cpu=8,gres/gpu=2,mem=64G", parse_tres)
GRES = Cell("resources such as gpu:2", parse_gres)
TIME_TEXT = "[days-]hours:minutes:seconds"
COLUMNS = (
    Column("job_id", "JobID", cells.TEXT),
    Column("user", "User", cells.NAME, required=False),
    Column("partition", "Partition", cells.NAME, required=False),
    Column("name", "JobName", cells.NAME, required=False),
    Column("state", "State", Cell(EXPECTED, parse_state), required=False),
    Column("submit_s", "Submit", cells.TEXT),
    Column("observed_start_s", "Start", cells.TEXT, required=False),
    Column("observed_end_s", "End", cells.TEXT, required=False),
    Column("elapsed_s", "ElapsedRaw", Cell("seconds", lambda text: float(parse_count(text))), required=False),
    Column("elapsed_text_s", "Elapsed", Cell(TIME_TEXT, parse_time), required=False),
    Column("requested_s", "Timelimit", Cell(f"{TIME_TEXT}, UNLIMITED or Partition_Limit", parse_limit), required=False),
    Column("requested_raw_s", "TimelimitRaw", Cell("minutes", _limit_in_minutes), required=False),
    Column("allocated", "AllocTRES", TRES, required=False),
    Column("requested", "ReqTRES", TRES, required=False),
    Column("allocated_gres", "AllocGRES", GRES, required=False),
    Column("gres_per_node", "ReqGRES", GRES, required=False),
    Column("nodes", "NNodes", cells.COUNT, required=False),
    Column("observed_nodes", "NodeList", cells.NAME, required=False),
)
TIMES = ("Submit", "Start", "End")
GPU_COLUMNS = ("AllocTRES", "ReqTRES", "AllocGRES", "ReqGRES")
NOTHING = Resources()


class _Log:
    """Turns the records of one log into jobs."""

    def __init__(self, intake: Intake, titles: Sequence[str]) -> None:
        self._intake, self._clock = intake, WallClock(intake)
        self._tells_allocation = "AllocTRES" in titles
        self._runs: dict[str, list[tuple[float, float]]] = {}

    def to_job(self, values: Values) -> None:
        if "." in values["job_id"]:
            raise NotAJob(STEP)
        elapsed_s = values.pop("elapsed_text_s", None)
        elapsed_s = values.pop("elapsed_s", elapsed_s)
        state = values.pop("state", None)
        ran = not self._never_started(values, state, elapsed_s)
        self._set_resources(values)
        if not ran:
            raise NotAJob(NEVER_STARTED)
        if state is not None:
            values["status"] = status_of(state)
        place_in_time(values, self._clock, self._intake)
        self._set_duration(values, elapsed_s)
        self._set_limit(values)
        self._name(values)

    def _never_started(self, values: Values, state: str | None, elapsed_s: float | None) -> bool:
        """Older releases give a job that was cancelled in the queue a start: the time of its cancellation."""
        unplaced = "allocated" not in values and self._tells_allocation
        return "observed_start_s" not in values or (state == "CANCELLED" and elapsed_s == 0 and unplaced)

    def _set_resources(self, values: Values) -> None:
        """GPUs as allocated, else as requested; the GPU type that was requested is a wish, the allocated one a fact."""
        got: Resources = values.pop("allocated", NOTHING)
        asked: Resources = values.pop("requested", NOTHING)
        got_gres: Resources = values.pop("allocated_gres", NOTHING)
        per_node: Resources = values.pop("gres_per_node", NOTHING)
        gpus_by_node = per_node.gpus * max(1, values.pop("nodes", 1))
        values["num_gpus"] = got.gpus or asked.gpus or got_gres.gpus or gpus_by_node
        if not values["num_gpus"] and (got.shares or asked.shares):
            raise NotAJob(ONLY_SHARES)
        self._intake.need_gpu(values["num_gpus"])
        values["cpu_milli"] = got.cpu_milli or asked.cpu_milli
        values["memory_mib"] = got.memory_mib or asked.memory_mib
        wish = asked.kind or per_node.kind
        values["gpu_kind"] = (wish,) if wish else ()
        values["reference_gpu"] = got.kind or got_gres.kind
        values["mig_profile"] = asked.mig_profile or got.mig_profile or got_gres.mig_profile

    def _set_duration(self, values: Values, elapsed_s: float | None) -> None:
        """Elapsed leaves out the time that a job was suspended."""
        if elapsed_s is None:
            return
        if abs(elapsed_s - values["duration_s"]) > 1.0:
            self._intake.count("have an Elapsed that is not End minus Start (suspended?), Elapsed is used")
        values["duration_s"] = elapsed_s

    def _set_limit(self, values: Values) -> None:
        raw_s = values.pop("requested_raw_s", None)
        values["requested_s"] = values.get("requested_s", raw_s)

    def _name(self, values: Values) -> None:
        name, run = values["job_id"], (values["submit_s"], values["observed_start_s"])
        runs = self._runs.setdefault(name, [])
        if run in runs:
            return  # the same record twice: the intake refuses it
        runs.append(run)
        if len(runs) > 1:
            values["job_id"] = f"{name}#{len(runs)}"
            self._intake.count("are later runs of a requeued job, each a job of its own: ID#2, ID#3, ...")
        if "+" in name:
            self._intake.count("are components of a heterogeneous job, each a job of its own")


def _read(source: Source, intake: Intake) -> None:
    table = Table(source, intake, quotes=False)
    if "JobID" not in table.titles and "JobIDRaw" in table.titles:
        table.titles[table.titles.index("JobIDRaw")] = "JobID"
    _check_columns(source, table.titles)
    plan = Plan(source.path, table.titles, COLUMNS, NO_VALUE)
    if plan.unused:
        intake.note(f"columns not used: {', '.join(plan.unused)}")
    take_rows(table, plan, intake, _Log(intake, table.titles).to_job)


def _check_columns(source: Source, titles: Sequence[str]) -> None:
    for title in TIMES:
        if title not in titles:
            raise BadRow(source.path, 1, title, f"a column of this name ({ADVICE})", f"the columns {', '.join(titles)}")
    if not set(GPU_COLUMNS) & set(titles):
        got = f"the columns {', '.join(titles)}"
        raise BadRow(source.path, 1, None, f"a column that tells the GPUs ({' or '.join(GPU_COLUMNS)}): {ADVICE}", got)


def _recognise(head: Head) -> int:
    names = {"JobID", "JobIDRaw"} & set(head.titles)
    known = {column.title for column in COLUMNS} & set(head.titles)
    return len(known) if head.delimiter == "|" and names and len(known) > 1 else 0


FORMAT = TraceFormat(
    "slurm",
    f"Slurm accounting ({ADVICE})",
    _recognise,
    _read,
    ("JobID", *TIMES),
    drops="job steps, CPU-only jobs, jobs that never started, jobs that still run",
)
