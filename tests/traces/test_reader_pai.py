"""Alibaba PAI 2020: three tables without headers become one list of jobs."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from goodwatt.cluster.job import JobStatus
from goodwatt.errors import BadRow, InputError
from goodwatt.traces.reading import read_trace

TASKS = """share,tensorflow,1.0,Terminated,1010.0,1110.0,600.0,29.296875,50.0,T4
gang,ps,2.0,Terminated,1000.0,1200.0,400.0,10.0,,MISC
gang,worker,8.0,Failed,1020.0,1300.0,200.0,10.0,100.0,V100M32
shares,worker,5.0,Terminated,1000.0,1100.0,100.0,1.0,25.0,MISC
cpu,worker,1.0,Terminated,1000.0,1100.0,100.0,1.0,0.0,
waits,worker,1.0,Waiting,,,100.0,1.0,100.0,P100
runs,worker,1.0,Running,1000.0,,100.0,1.0,100.0,P100
orphan,worker,1.0,Running,1000.0,1001.0,100.0,1.0,100.0,P100
"""
JOBS = """share,i1,u1,Terminated,1005.0,1111.0
gang,i2,u2,Failed,990.0,1301.0
shares,i3,u2,Terminated,1000.0,1100.0
cpu,i4,u2,Terminated,1000.0,1100.0
waits,i5,u2,Waiting,1000.0,
runs,i6,u2,Running,1000.0,
bare,i7,u2,Terminated,1000.0,1001.0
"""
INSTANCES = """gang,worker,n1,w1,i2,Failed,1020.0,1300.0,m9
gang,worker,n2,w2,i2,Failed,1020.0,1300.0,m3
cpu,worker,n3,w3,i4,Terminated,1000.0,1100.0,m1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pai_task_table.csv").write_text(TASKS)
    (tmp_path / "pai_job_table.csv").write_text(JOBS)
    (tmp_path / "pai_instance_table.csv.gz").write_bytes(gzip.compress(INSTANCES.encode()))
    return tmp_path


@pytest.mark.parametrize("name", ["", "pai_task_table.csv", "pai_job_table.csv", "pai_instance_table.csv.gz"])
def test_a_folder_or_any_of_its_tables(folder: Path, name: str) -> None:
    trace = read_trace(folder / name)
    assert trace.format == "pai-2020"
    assert [job.job_id for job in trace.jobs] == ["gang", "shares", "share"]
    assert trace.sha256 == read_trace(folder).sha256


def test_tasks_of_a_job_add_up(folder: Path) -> None:
    gang, shares, share = read_trace(folder).jobs
    assert (gang.num_gpus, gang.gpu_milli, gang.cpu_milli, gang.memory_mib) == (8, 1000, 24_000, 102_400)
    assert (gang.submit_s, gang.observed_start_s, gang.duration_s) == (990.0, 1020.0, 280.0)
    assert (gang.user, gang.status, gang.observed_nodes) == ("u2", JobStatus.FAILED, "m3,m9")
    assert (gang.reference_gpu, gang.gpu_kind) == ("V100M32", ())
    assert (shares.num_gpus, shares.gpu_milli, shares.reference_gpu) == (2, 1000, None)
    assert (share.num_gpus, share.gpu_milli, share.memory_mib, share.reference_gpu) == (1, 500, 30_000, "T4")


def test_what_is_no_job(folder: Path) -> None:
    trace = read_trace(folder)
    reasons = {entry.reason.split(":")[0]: (entry.count, entry.first_line) for entry in trace.dropped}
    assert reasons == {
        "CPU-only": (1, 4),
        "never started": (1, 5),
        "still running when the log was taken": (1, 6),
        "a job without tasks": (1, 7),
        "tasks of a job that the job table does not hold": (1, 8),
    }
    assert any("rounded up" in note and "1 jobs" in note for note in trace.notes)


def test_without_the_job_table(folder: Path) -> None:
    (folder / "pai_job_table.csv").unlink()
    trace = read_trace(folder)
    assert [(job.job_id, job.submit_s, job.user) for job in trace.jobs] == [
        ("shares", 1000.0, None),
        ("orphan", 1000.0, None),
        ("share", 1010.0, None),
        ("gang", 1020.0, None),
    ]
    assert any("no job table" in note for note in trace.notes)


def test_cpu_only_jobs_on_request(folder: Path) -> None:
    jobs = {job.job_id: job for job in read_trace(folder, cpu_only=True).jobs}
    assert (jobs["cpu"].num_gpus, jobs["cpu"].cpu_milli, jobs["cpu"].duration_s) == (0, 1000, 100.0)
    assert jobs["gang"].observed_start_s == 1020.0


def test_headers_may_stand_in_the_tables(folder: Path) -> None:
    header = "job_name,task_name,inst_num,status,start_time,end_time,plan_cpu,plan_mem,plan_gpu,gpu_type\n"
    (folder / "pai_task_table.csv").write_text(header + TASKS)
    assert len(read_trace(folder).jobs) == 3


def test_the_task_table_cannot_be_missed(folder: Path) -> None:
    (folder / "pai_task_table.csv").unlink()
    with pytest.raises(InputError, match=r"expected pai_task_table\.csv beside it"):
        read_trace(folder)


def test_a_bad_task_takes_its_job_along(folder: Path) -> None:
    (folder / "pai_task_table.csv").write_text(TASKS.replace("ps,2.0", "ps,two"))
    with pytest.raises(
        BadRow, match=r"pai_task_table\.csv, line 2, column 'inst_num': expected a whole number, 0 or more"
    ):
        read_trace(folder)
    trace = read_trace(folder, skip_bad_rows=True)
    assert [job.job_id for job in trace.jobs] == ["shares", "share"]
    assert len(trace.bad_rows) == 1
    assert ("a task of it is a bad row", 1) in [(entry.reason, entry.count) for entry in trace.dropped]


def test_a_job_twice(folder: Path) -> None:
    (folder / "pai_job_table.csv").write_text(JOBS + JOBS.splitlines()[0])
    with pytest.raises(BadRow, match="line 8, column 'job_name': expected each job once, got 'share' again"):
        read_trace(folder)
