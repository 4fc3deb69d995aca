"""Philly (Jeon et al., ATC'19): cluster_job_log, a JSON array of jobs with their attempts, as published.

A job runs in attempts, each on its own GPUs; its run time is the sum of theirs, without the gaps in between.
The machine list beside the log describes the cluster and is no business of this reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from goodwatt.cluster.job import JobStatus
from goodwatt.errors import BadRow
from goodwatt.traces import cells
from goodwatt.traces.intake import NEVER_STARTED, STILL_RUNNING, Intake, NotAJob, UnfitError, shown
from goodwatt.traces.json_array import JsonArray
from goodwatt.traces.source import Source
from goodwatt.traces.trace_format import Head, TraceFormat
from goodwatt.traces.wall_clock import WallClock, set_run

STATUS = {"Pass": JobStatus.COMPLETED, "Killed": JobStatus.CANCELLED, "Failed": JobStatus.FAILED}
KEYS = ("status", "vc", "jobid", "attempts", "submitted_time", "user")
NO_TIME = (None, "", "None")
GREATEST_RECOGNITION = 100


@dataclass(frozen=True, slots=True)
class _Attempt:
    start_s: float
    end_s: float


def _job(entry: Any, clock: WallClock, intake: Intake) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise UnfitError(None, "a JSON object for each job", shown(repr(entry)))
    values: dict[str, Any] = {
        "job_id": _text(entry, "jobid"),
        "user": _text(entry, "user"),
        "partition": _text(entry, "vc"),
        "status": _status(entry),
    }
    attempts = _list(entry, "attempts")
    if entry.get("submitted_time") in NO_TIME:
        raise NotAJob("no time of submission")
    submit_s = clock.seconds("submitted_time", _text(entry, "submitted_time"))
    if not attempts:
        raise NotAJob(NEVER_STARTED)
    _set_times(values, [_times(a, clock, submit_s) for a in attempts], submit_s, intake)
    _set_gpus(values, attempts, intake)
    return values


def _set_times(values: dict[str, Any], attempts: list[_Attempt | None], submit_s: float, intake: Intake) -> None:
    if attempts[-1] is None:
        raise NotAJob(STILL_RUNNING)
    timed = [attempt for attempt in attempts if attempt is not None]
    if len(timed) < len(attempts):
        intake.count("have attempts without start or end, which count nothing")
    if len(timed) > 1:
        intake.count("ran in several attempts, the run time is their sum")
    set_run(values, intake, submit_s, timed[0].start_s, attempts[-1].end_s)
    values["duration_s"] = sum(attempt.end_s - attempt.start_s for attempt in timed)


def _times(attempt: Any, clock: WallClock, submit_s: float) -> _Attempt | None:
    if not isinstance(attempt, dict):
        raise UnfitError("attempts", "a JSON object for each attempt", shown(repr(attempt)))
    if attempt.get("start_time") in NO_TIME or attempt.get("end_time") in NO_TIME:
        return None
    start_s = clock.seconds("start_time", _text(attempt, "start_time"), submit_s)
    end_s = clock.seconds("end_time", _text(attempt, "end_time"), start_s)
    if end_s < start_s:
        raise UnfitError("end_time", "an end that is not before the start", shown(attempt["end_time"]))
    return _Attempt(start_s, end_s)


def _set_gpus(values: dict[str, Any], attempts: list[Any], intake: Intake) -> None:
    """What the first attempt got is what was asked for; where the last one ran is where the job was."""
    counts = [sum(len(_list(machine, "gpus")) for machine in _machines(attempt)) for attempt in attempts]
    with_gpus = [count for count in counts if count]
    if len(set(with_gpus)) > 1:
        intake.count("had attempts of different sizes, the first counts")
    values["num_gpus"] = with_gpus[0] if with_gpus else 0
    intake.need_gpu(values["num_gpus"])
    values["observed_nodes"] = ",".join(_text(m, "ip") for m in _machines(attempts[-1])) or None


def _machines(attempt: dict[str, Any]) -> list[dict[str, Any]]:
    machines = _list(attempt, "detail")
    if not all(isinstance(machine, dict) for machine in machines):
        raise UnfitError("detail", "a JSON object for each machine", shown(repr(machines)))
    return machines


def _list(entry: dict[str, Any], key: str) -> list[Any]:
    value = entry.get(key)
    if not isinstance(value, list):
        raise UnfitError(key, "a JSON array", shown(repr(value)))
    return value


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise UnfitError(key, "text", shown(repr(value)))
    try:
        return str(cells.TEXT.parse(value))
    except ValueError:
        raise UnfitError(key, cells.TEXT.expected, shown(value)) from None


def _status(entry: dict[str, Any]) -> JobStatus:
    status = STATUS.get(_text(entry, "status"))
    if status is None:
        raise UnfitError("status", f"one of {', '.join(STATUS)}", shown(entry["status"]))
    return status


def _read(source: Source, intake: Intake) -> None:
    clock = WallClock(intake)
    for line, entry in JsonArray(source.path, source.text()):
        try:
            intake.add(line, _job(entry, clock, intake))
        except NotAJob as no_job:
            intake.drop(line, no_job.reason)
        except UnfitError as unfit:
            column = {"job_id": "jobid", "observed_end_s": "end_time"}.get(unfit.column or "", unfit.column)
            intake.bad(BadRow(source.path, line, column, unfit.expected, unfit.got))


def _recognise(head: Head) -> int:
    start = head.start.removeprefix(b"\xef\xbb\xbf").lstrip()
    known = start.startswith(b"[") and (b'"attempts"' in start or b'"submitted_time"' in start)
    return GREATEST_RECOGNITION if known else 0


FORMAT = TraceFormat(
    "philly-log",
    "Philly 2017 (cluster_job_log, JSON)",
    _recognise,
    _read,
    KEYS,
    folder_files=("cluster_job_log", "cluster_job_log.json"),
    drops="jobs without attempts or GPUs, jobs whose last attempt has no end",
)
