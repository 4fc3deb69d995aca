"""Slurm accounting: what of sacct's records becomes a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from goodwatt.cluster.job import Job, JobStatus
from goodwatt.errors import BadRow, InputError, UnknownNameError
from goodwatt.traces.formats.slurm import parse_limit, parse_time
from goodwatt.traces.formats.slurm_resources import Resources, parse_gres, parse_memory_mib, parse_tres
from goodwatt.traces.reading import read_trace
from goodwatt.traces.trace import Trace

HEADER = "JobID|User|Partition|JobName|State|Submit|Start|End|Elapsed|Timelimit|ReqTRES|AllocTRES|NodeList|ExitCode"
TRES = "billing=8,cpu=16,gres/gpu=2,mem=64G,node=1"
DAY = "2024-03-01T"


def record(**cells: str) -> str:
    known = {
        "JobID": "100", "User": "ann", "Partition": "gpu,long", "JobName": "train", "State": "COMPLETED",
        "Submit": f"{DAY}10:00:00", "Start": f"{DAY}10:01:00", "End": f"{DAY}10:11:00", "Elapsed": "00:10:00",
        "Timelimit": "1-00:00:00", "ReqTRES": TRES, "AllocTRES": TRES, "NodeList": "gpu[01-02,05]", "ExitCode": "0:0",
    }  # fmt: skip
    return "|".join((known | cells)[title] for title in HEADER.split("|"))


def read(folder: Path, *records: str, header: str = HEADER, **options: Any) -> Trace:
    path = folder / "sacct.txt"
    path.write_text("\n".join([header, *records, ""]))
    return read_trace(path, **options)


def test_a_record_becomes_a_job(tmp_path: Path) -> None:
    trace = read(tmp_path, record())
    assert trace.format == "slurm"
    assert trace.jobs == [
        Job(
            job_id="100", submit_s=0.0, num_gpus=2, duration_s=600.0, cpu_milli=16_000, memory_mib=65_536, user="ann",
            partition="gpu,long", name="train", requested_s=86_400.0, status=JobStatus.COMPLETED,
            observed_start_s=60.0, observed_end_s=660.0, observed_nodes="gpu[01-02,05]",
        )
    ]  # fmt: skip
    assert "columns not used: ExitCode" in trace.notes


STATES = [
    ("COMPLETED", JobStatus.COMPLETED),
    ("FAILED", JobStatus.FAILED),
    ("CANCELLED by 1000", JobStatus.CANCELLED),
    ("CANCELLED+", JobStatus.CANCELLED),
    ("TIMEOUT", JobStatus.TIMEOUT),
    ("NODE_FAIL", JobStatus.FAILED),
    ("OUT_OF_MEMORY", JobStatus.FAILED),
    ("PREEMPTED", JobStatus.UNKNOWN),
    ("REQUEUED", JobStatus.UNKNOWN),
]


@pytest.mark.parametrize(("state", "status"), STATES)
def test_states(tmp_path: Path, state: str, status: JobStatus) -> None:
    assert read(tmp_path, record(State=state)).jobs[0].status is status


NO_TRES = "billing=8,cpu=16,mem=64G,node=1"
NOTHING = {"Start": "Unknown", "End": "Unknown", "AllocTRES": "", "Elapsed": "00:00:00", "NodeList": "None assigned"}
NO_JOBS: list[tuple[dict[str, str], str]] = [
    ({"JobID": "100.batch"}, "job steps"),
    ({"JobID": "100.0"}, "job steps"),
    ({"JobID": "123_4.extern"}, "job steps"),
    ({"JobID": "123_[5-9%2]", "State": "PENDING", **NOTHING}, "never started"),
    ({"State": "CANCELLED by 7", **NOTHING, "Start": "None"}, "never started"),
    ({"State": "CANCELLED by 7", **NOTHING, "Start": f"{DAY}10:05:00", "End": f"{DAY}10:05:00"}, "never started"),
    ({"State": "RUNNING", "End": "Unknown"}, "still running"),
    ({"ReqTRES": NO_TRES, "AllocTRES": NO_TRES}, "CPU-only"),
    ({"ReqTRES": NO_TRES + ",gres/shard=4", "AllocTRES": NO_TRES}, "shares of GPUs"),
]


@pytest.mark.parametrize(("cells", "reason"), NO_JOBS)
def test_records_that_are_no_jobs(tmp_path: Path, cells: dict[str, str], reason: str) -> None:
    trace = read(tmp_path, record(JobID="1"), record(**cells))
    assert [job.job_id for job in trace.jobs] == ["1"]
    assert [(entry.reason.startswith(reason), entry.count, entry.first_line) for entry in trace.dropped] == [
        (True, 1, 3)
    ]


def test_arrays_and_heterogeneous_jobs_stay_jobs_of_their_own(tmp_path: Path) -> None:
    ids = ["123_4", "123_5", "200+0", "200+1"]
    trace = read(tmp_path, *(record(JobID=name) for name in ids))
    assert [job.job_id for job in trace.jobs] == ids
    assert any("heterogeneous" in note and "2 jobs" in note for note in trace.notes)


def test_each_run_of_a_requeued_job_is_a_job(tmp_path: Path) -> None:
    second = record(Submit=f"{DAY}10:11:00", Start=f"{DAY}10:20:00", End=f"{DAY}10:30:00")
    trace = read(tmp_path, record(State="PREEMPTED"), second)
    assert [(job.job_id, job.submit_s) for job in trace.jobs] == [("100", 0.0), ("100#2", 660.0)]
    assert any("requeued" in note for note in trace.notes)


def test_the_same_record_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        BadRow, match=r"line 3, column 'JobID': expected each job once, got '100' again, first on line 2"
    ):
        read(tmp_path, record(), record())


def test_seconds_since_1970_and_any_order_of_columns(tmp_path: Path) -> None:
    header = "End|Start|Submit|AllocTRES|JobIDRaw|TimelimitRaw"
    trace = read(tmp_path, "1700000700|1700000100|1700000000|gres/gpu=4|7|90", header=header)
    job = trace.jobs[0]
    assert (job.job_id, job.submit_s, job.observed_start_s, job.duration_s) == ("7", 0.0, 100.0, 600.0)
    assert (job.num_gpus, job.requested_s, job.status) == (4, 5400.0, JobStatus.UNKNOWN)
    assert trace.notes == ("0 s is 2023-11-14T22:13:20+00:00",)


def test_elapsed_leaves_out_suspension(tmp_path: Path) -> None:
    trace = read(tmp_path, record(Elapsed="00:08:00"))
    assert trace.jobs[0].duration_s == 480.0
    assert any("Elapsed is used: 1 jobs" in note for note in trace.notes)


def test_gpu_types(tmp_path: Path) -> None:
    typed = TRES + ",gres/gpu:a100=2"
    job = read(tmp_path, record(ReqTRES=TRES, AllocTRES=typed)).jobs[0]
    assert (job.num_gpus, job.gpu_kind, job.reference_gpu) == (2, (), "a100")
    job = read(tmp_path, record(ReqTRES=typed, AllocTRES=TRES)).jobs[0]
    assert (job.num_gpus, job.gpu_kind, job.reference_gpu) == (2, ("a100",), None)


def test_gres_of_older_releases(tmp_path: Path) -> None:
    header = "JobID|Submit|Start|End|ReqGRES|NNodes"
    times = f"{DAY}10:00:00|{DAY}10:01:00|{DAY}10:11:00"
    assert read(tmp_path, f"1|{times}|gpu:v100:4|2", header=header).jobs[0].num_gpus == 8
    header = header.replace("ReqGRES", "AllocGRES")
    assert read(tmp_path, f"1|{times}|gpu:8|2", header=header).jobs[0].num_gpus == 8


# Central European time: clocks go forward on 31 March 2024 at 2:00 and back on 27 October 2024 at 3:00.
CLOCK_CHANGES = [
    ("2024-03-31T01:30:00", "2024-03-31T03:30:00", 3600.0),
    ("2024-10-27T01:30:00", "2024-10-27T03:30:00", 10_800.0),
    ("2024-10-27T02:50:00", "2024-10-27T02:10:00", 1200.0),  # the end is in the second of the two hours
    ("2024-06-01T01:30:00", "2024-06-01T03:30:00", 7200.0),
]


@pytest.mark.parametrize(("start", "end", "duration_s"), CLOCK_CHANGES)
def test_run_times_across_clock_changes(tmp_path: Path, start: str, end: str, duration_s: float) -> None:
    header = "JobID|Submit|Start|End|AllocTRES"
    row = f"1|{start[:11]}00:00:00|{start}|{end}|gres/gpu=1"
    trace = read(tmp_path, row, header=header, time_zone="Europe/Berlin")
    assert trace.jobs[0].duration_s == duration_s
    assert any("read as Europe/Berlin" in note for note in trace.notes)


def test_an_unknown_time_zone_has_near_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'Europe/Berlin'"):
        read(tmp_path, record(), time_zone="Europe/Berlim")


@pytest.mark.parametrize(
    ("title", "message"),
    [("Submit", "line 1, column 'Submit'"), ("Start", "column 'Start'"), ("ReqTRES", "a column that tells the GPUs")],
)
def test_missing_columns_say_how_to_call_sacct(tmp_path: Path, title: str, message: str) -> None:
    header = HEADER.replace(title, "Other").replace("AllocTRES", "More" if title == "ReqTRES" else "AllocTRES")
    with pytest.raises(InputError, match=f"{message}.*sacct -aDXP"):
        read(tmp_path, record(), header=header)


BAD_CELLS = [
    ({"AllocTRES": "gres/gpu=two"}, "column 'AllocTRES': expected resources such as"),
    ({"State": "DONE"}, "column 'State': expected a job state"),
    ({"Start": "yesterday"}, "column 'Start': expected a time such as"),
    ({"End": f"{DAY}09:00:00"}, "column 'End': expected an end that is not before the start, got 3660 s before it"),
    ({"Timelimit": "soon"}, "column 'Timelimit'"),
    ({"JobName": "a|b"}, "expected 14 cells, got 15"),
]


@pytest.mark.parametrize(("cells", "message"), BAD_CELLS)
def test_bad_cells(tmp_path: Path, cells: dict[str, str], message: str) -> None:
    with pytest.raises(BadRow, match=f"line 2.*{message}"):
        read(tmp_path, record(**cells))


LIMITS = [("1-00:00:00", 86_400.0), ("2-03", 183_600.0), ("02:30:05", 9005.0), ("30:00", 1800.0), ("90", 5400.0)]


@pytest.mark.parametrize(("text", "seconds"), [*LIMITS, ("UNLIMITED", None), ("Partition_Limit", None)])
def test_time_limits(text: str, seconds: float | None) -> None:
    assert parse_limit(text) == seconds


@pytest.mark.parametrize("text", ["", "1:2:3:4", "-1", "x", "1-"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_time(text)


RESOURCES = [
    (parse_tres("cpu=1,gres/gpu:a100=3,gres/gpu:a100=3"), Resources(gpus=3, kind="a100", cpu_milli=1000)),
    (parse_tres("gres/gpu:a100=3,gres/gpu:t4=1"), Resources(gpus=4)),
    (parse_tres("gres/gpu=1,gres/gpu:a100_1g.5gb=1"), Resources(gpus=1, kind="a100", mig_profile="1g.5gb")),
    (parse_tres("gres/gpu:3g.20gb=2"), Resources(gpus=2, mig_profile="3g.20gb")),
    (parse_gres("gpu:a100:8(IDX:0-7)"), Resources(gpus=8, kind="a100")),
    (parse_gres("gres:gpu:2,craynetwork:1"), Resources(gpus=2)),
    (parse_gres("7696487:2"), Resources(gpus=2)),
    (parse_gres("craynetwork:1"), Resources()),
]


@pytest.mark.parametrize(("got", "expected"), RESOURCES)
def test_resources(got: Resources, expected: Resources) -> None:
    assert got == expected


@pytest.mark.parametrize(("text", "mib"), [("64G", 65_536), ("512000M", 512_000), ("1.50T", 1_572_864), ("100", 100)])
def test_memory(text: str, mib: int) -> None:
    assert parse_memory_mib(text) == mib
