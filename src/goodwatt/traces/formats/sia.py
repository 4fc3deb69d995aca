"""Workloads of Pollux (OSDI'21) and Sia (SOSP'23), which say what runs but not for how long.

Their simulators derive the run time from the steps to the target accuracy and the time of a step, both from measured
profiles; the steps are not in the workload, and so no honest run time can be made of it. A column `duration_s`,
added by whoever has the profiles, makes the workload readable.
"""

from __future__ import annotations

from goodwatt.errors import InputError, UnknownNameError
from goodwatt.traces import cells
from goodwatt.traces.intake import Intake, NotAJob
from goodwatt.traces.source import Source
from goodwatt.traces.table import Column, Values, read_table
from goodwatt.traces.trace_format import Head, TraceFormat

COLUMNS = (
    Column("job_id", "name", cells.TEXT),
    Column("submit_s", "time", cells.SECONDS),
    Column("name", "application", cells.NAME),
    Column("num_gpus", "num_replicas", cells.COUNT),
    Column("duration_s", "duration_s", cells.SPAN),
)
OF_SEVERAL = (Column("set", "set", cells.NAME), Column("workload", "workload", cells.NAME))
SIGNATURE = ("name", "time", "application", "num_replicas", "batch_size")


class _Choice:
    """Keeps the rows of the workload that was chosen, as `set/workload`."""

    def __init__(self, chosen: str) -> None:
        self._chosen, self.seen = chosen, set[str]()

    def to_job(self, values: Values) -> None:
        workload = f"{values.pop('set')}/{values.pop('workload')}"
        self.seen.add(workload)
        if workload != self._chosen:
            raise NotAJob("of another workload in the same file")


def _read(source: Source, intake: Intake) -> None:
    if "duration_s" not in source.head.titles:
        raise InputError(_no_duration(source))
    intake.note("the name of a job is its application")
    if "workload" in source.head.titles:
        _read_chosen(source, intake)
    else:
        read_table(source, intake, COLUMNS)


def _read_chosen(source: Source, intake: Intake) -> None:
    choice = _Choice(intake.options.select or "")
    read_table(source, intake, (*COLUMNS, *OF_SEVERAL), choice.to_job)
    if intake.options.select is None:
        examples = ", ".join(sorted(choice.seen)[:3])
        raise InputError(f"{source.path}: {len(choice.seen)} workloads in one file: select one, such as {examples}")
    if intake.options.select not in choice.seen:
        raise UnknownNameError(f"workload of {source.path}", intake.options.select, choice.seen)


def _no_duration(source: Source) -> str:
    return (
        f"{source.path}, line 1: expected a column 'duration_s' (seconds on num_replicas GPUs), "
        f"got the columns {', '.join(source.head.titles)}: workloads of Pollux and Sia hold no run times; "
        "their simulators compute them from profiles (steps to the target accuracy x seconds per step). "
        "Add the column to replay this workload"
    )


def _recognise(head: Head) -> int:
    return head.has(SIGNATURE)


FORMAT = TraceFormat("sia", "Pollux (OSDI'21) and Sia (SOSP'23) workloads", _recognise, _read, SIGNATURE, selects=True)
