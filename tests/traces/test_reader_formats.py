"""Each public format: a few rows as it is published, and the jobs that come of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from goodwatt.cluster.job import Job, JobStatus
from goodwatt.errors import BadRow, InputError
from goodwatt.traces.formats import FORMATS
from goodwatt.traces.reading import read_trace
from goodwatt.traces.trace import Trace

PHILLY_LOG = """[
{"status": "Pass", "vc": "ee9e8c", "jobid": "application_1", "submitted_time": "2017-10-07 01:11:39", "user": "u1",
 "attempts": [
  {"start_time": "2017-10-07 01:12:09", "end_time": "2017-10-07 01:13:09",
   "detail": [{"ip": "m47", "gpus": ["gpu0", "gpu1"]}]},
  {"start_time": "2017-10-07 01:14:09", "end_time": "2017-10-07 01:15:09",
   "detail": [{"ip": "m1", "gpus": ["gpu0"]}, {"ip": "m2", "gpus": ["gpu0"]}]}]},
{"status": "Killed", "vc": "6214e9", "jobid": "application_2", "submitted_time": "2017-10-07 01:11:29", "user": "u2",
 "attempts": []},
{"status": "Failed", "vc": "6214e9", "jobid": "application_3", "submitted_time": "2017-10-07 01:11:49", "user": "u2",
 "attempts": [{"start_time": "2017-10-07 01:12:09", "end_time": null, "detail": [{"ip": "m4", "gpus": ["gpu0"]}]}]},
{"status": "Failed", "vc": "6214e9", "jobid": "application_4", "submitted_time": "None", "user": "u2", "attempts": []},
{"status": "Pass", "vc": "6214e9", "jobid": "application_5", "submitted_time": "2017-10-07 01:11:59", "user": "u2",
 "attempts": [{"start_time": "2017-10-07 01:12:09", "end_time": "2017-10-07 01:12:29", "detail": []}]},
{"status": "Killed", "vc": "6214e9", "jobid": "application_6", "submitted_time": "2017-10-07 01:12:20", "user": "u2",
 "attempts": [{"start_time": null, "end_time": null, "detail": [{"ip": "m4", "gpus": ["gpu0"]}]},
  {"start_time": "2017-10-07 01:12:29", "end_time": "2017-10-07 01:12:39", "detail": [{"ip": "m4", "gpus": ["gpu3"]}]}]}
]
"""
HELIOS = """job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue
0071,uXBbc,vcJkd,1,1,1,COMPLETED,2020-06-09 18:41:01,2020-06-09 18:41:11,2020-06-09 18:51:11,600,10
0072,uVMrF,vchbv,16,64,2,NODE_FAIL,2020-06-09 18:41:27,2020-06-09 18:41:27,2020-06-09 18:45:36,249,0
0073,uVMrF,vchbv,0,16,1,COMPLETED,2020-06-09 18:41:27,2020-06-09 18:41:27,2020-06-09 18:45:36,249,0
0074,uVMrF,vchbv,8,16,1,CANCELLED,2020-06-09 18:41:27,,,0,0
"""
KALOS = (
    "job_id,user,node_num,gpu_num,cpu_num,mem_per_pod_GB,shared_mem_per_pod,type,state,submit_time,start_time,"
    "end_time,fail_time,stop_time,duration,queue,gpu_time\n"
    "dlctk,uf794,8,64,960,1000,100.0,Other,FAILED,2023-05-17 11:00:58+00:00,2023-05-17 11:01:08+00:00,"
    "2023-05-17 11:01:16+00:00,2023-05-17 11:01:16+00:00,,18,10.0,1152.0\n"
    "dlc1t,uf794,1,0,8,100,,Eval,COMPLETED,2023-05-17 19:28:42+08:00,2023-05-17 19:28:54+08:00,"
    "2023-05-17 19:30:04+08:00,,,82,12.0,0.0\n"
)
SEREN = (
    "job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,queue,gpu_time\n"
    "5778432,u5907,1,8,128,SFT,CANCELLED,2023-03-01 00:18:22+08:00,2023-03-01 00:18:54+08:00,"
    "2023-03-01 00:20:51+08:00,117,32,936.0\n"
)
OPENB = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
openb-pod-0,12000,16384,1,460,V100M16|V100M32,LS,Succeeded,100,400,150
openb-pod-1,6000,12288,0,0,,LS,Running,90,400,90
openb-pod-2,6000,12288,8,1000,,BE,Pending,95,400,
openb-pod-3,6000,12288,8,1000,,BE,Running,95,500,100
"""
MURI = """job_id,num_gpu,submit_time,iterations,model_name,batch_size,duration,interval,iteration_time,x,priority
0,8,1500,5853661,vgg16,128,2868294000,46122000,490,446,1
"""
ELASTICFLOW = """job_id,submit_time,iteration,model_name,ddl,batch_size,num_gpu,duration
0,3715485,2011,cifar10,3719996,4096,4,5644
"""
RUBICK = """name,submission_time,duration,application,num_gpus,num_cpus,bandwidth,exec_plan,steps,is_sla
vit-0,1639,3163.091667,vit,2,16,0,zero-dp,37239,0
"""
SIA = """set,workload,name,time,application,num_replicas,batch_size,duration_s
newtrace,workload-1,bert-2,811.66189,bert,12,384,3600
newtrace,workload-2,bert-2,5,bert,4,384,60
"""
PHILLY_JOBS = """submit_s,submit_time,duration_s,num_gpus,vc
0,2017-09-04 10:30:41,2240194,8,6214e9
0,2017-09-04 10:30:41,2240194,8,6214e9
"""
HELIOS_JOBS = """job_id,submit_s,submit_time,duration_s,num_gpus,duration_clamped,in_lucid_sept
363167,-1195101,2020-03-18 04:01:39,172800,32,1,0
"""
ACME_JOBS = """job_id,submit_s,duration_s,num_gpus,num_nodes,cpus_per_gpu,mem_per_pod_gb,is_pretrain
0,7.0,104.0,64,8,15.0,1000.0,1
"""

# format, text, options, expected fields of the first job
FIRST_JOBS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("philly-log", PHILLY_LOG, {}, {"job_id": "application_1", "duration_s": 120.0, "num_gpus": 2, "user": "u1"}),
    ("philly-log", PHILLY_LOG, {}, {"partition": "ee9e8c", "observed_nodes": "m1,m2", "status": JobStatus.COMPLETED}),
    ("philly-jobs", PHILLY_JOBS, {}, {"job_id": "1", "partition": "6214e9", "duration_s": 2240194.0, "user": None}),
    ("helios", HELIOS, {}, {"job_id": "0071", "submit_s": 0.0, "duration_s": 600.0, "observed_start_s": 10.0}),
    ("helios", HELIOS, {}, {"user": "uXBbc", "partition": "vcJkd", "cpu_milli": 1000, "name": None}),
    ("helios-jobs", HELIOS_JOBS, {}, {"job_id": "363167", "submit_s": -1195101.0, "num_gpus": 32}),
    ("acme", KALOS, {}, {"duration_s": 8.0, "num_gpus": 64, "cpu_milli": 960_000, "memory_mib": 7_629_395}),
    ("acme", SEREN, {}, {"duration_s": 117.0, "status": JobStatus.CANCELLED, "name": "SFT", "memory_mib": 0}),
    ("acme-jobs", ACME_JOBS, {}, {"submit_s": 7.0, "cpu_milli": 960_000, "status": JobStatus.COMPLETED}),
    ("openb", OPENB, {}, {"job_id": "openb-pod-3", "submit_s": 95.0, "duration_s": 400.0, "gpu_kind": ()}),
    ("openb", OPENB, {"cpu_only": True}, {"job_id": "openb-pod-1", "num_gpus": 0, "gpu_milli": 1000}),
    ("muri", MURI, {}, {"submit_s": 1.5, "duration_s": 2868294.0, "name": "vgg16", "priority": 1}),
    ("elasticflow", ELASTICFLOW, {}, {"submit_s": 3715485.0, "deadline_s": 3719996.0, "num_gpus": 4}),
    ("rubick", RUBICK, {}, {"job_id": "vit-0", "cpu_milli": 16_000, "name": "vit", "duration_s": 3163.091667}),
    ("sia", SIA, {"select": "newtrace/workload-2"}, {"submit_s": 5.0, "num_gpus": 4, "duration_s": 60.0}),
]


def read(folder: Path, text: str, **options: Any) -> Trace:
    path = folder / "x.csv"
    path.write_text(text)
    return read_trace(path, **options)


@pytest.mark.parametrize(("name", "text", "options", "expected"), FIRST_JOBS)
def test_the_first_job(tmp_path: Path, name: str, text: str, options: dict[str, Any], expected: dict[str, Any]) -> None:
    trace = read(tmp_path, text, **options)
    assert trace.format == name
    assert type(trace.jobs[0]) is Job
    assert {field: getattr(trace.jobs[0], field) for field in expected} == expected


def dropped(trace: Trace) -> dict[str, tuple[int, int]]:
    return {entry.reason.split(":")[0]: (entry.count, entry.first_line) for entry in trace.dropped}


def test_what_the_philly_log_drops(tmp_path: Path) -> None:
    trace = read(tmp_path, PHILLY_LOG)
    assert [job.job_id for job in trace.jobs] == ["application_1", "application_6"]
    assert [job.submit_s for job in trace.jobs] == [0.0, 41.0]
    assert list(trace.lines) == [2, 15]
    assert dropped(trace) == {
        "never started": (1, 8),
        "still running when the log was taken": (1, 10),
        "no time of submission": (1, 12),
        "CPU-only": (1, 13),
    }
    assert any("attempts without start or end" in note and "1 jobs" in note for note in trace.notes)


def test_a_long_philly_log_is_read_piece_by_piece(tmp_path: Path) -> None:
    attempt = {
        "start_time": "2017-10-07 01:12:09",
        "end_time": "2017-10-07 01:13:09",
        "detail": [{"ip": "m47", "gpus": ["gpu0"]}],
    }
    entry = {"status": "Pass", "vc": "v", "user": "u", "submitted_time": "2017-10-07 01:11:39", "attempts": [attempt]}
    text = json.dumps([entry | {"jobid": f"job-{number}"} for number in range(2000)], indent=1)
    trace = read(tmp_path, text)
    assert [job.job_id for job in trace.jobs] == [f"job-{number}" for number in range(2000)]
    assert text.splitlines()[trace.line_of(1999) - 1].strip() == "{"


def test_bad_entries_of_the_philly_log(tmp_path: Path) -> None:
    text = PHILLY_LOG.replace('"Pass", "vc": "ee9e8c"', '"Gone", "vc": "ee9e8c"')
    with pytest.raises(BadRow, match="line 2, column 'status': expected one of Pass, Killed, Failed, got 'Gone'"):
        read(tmp_path, text)
    trace = read(tmp_path, text.replace('"jobid": "application_3"', '"jobid": 3'), skip_bad_rows=True)
    assert [bad.column for bad in trace.bad_rows] == ["status", "jobid"]
    assert [job.job_id for job in trace.jobs] == ["application_6"]


def test_what_helios_drops(tmp_path: Path) -> None:
    trace = read(tmp_path, HELIOS)
    assert [job.status for job in trace.jobs] == [JobStatus.COMPLETED, JobStatus.FAILED]
    assert dropped(trace) == {"CPU-only": (1, 4), "never started": (1, 5)}
    assert "0 s is 2020-06-09T18:41:01+00:00" in trace.notes
    assert "times name no zone and are read as UTC (a time zone can be given: --time-zone)" in trace.notes
    assert "columns not used: node_num, queue" in trace.notes


def test_cpu_only_jobs_stay_when_asked_for(tmp_path: Path) -> None:
    assert [job.num_gpus for job in read(tmp_path, HELIOS, cpu_only=True).jobs] == [1, 16, 0]


def test_kalos_counts_its_duration_from_the_submission(tmp_path: Path) -> None:
    trace = read(tmp_path, KALOS, cpu_only=True)
    assert [job.duration_s for job in trace.jobs] == [8.0, 70.0]
    assert "the column duration is not end minus start, the latter is used: 2 jobs" in trace.notes
    assert not any("no zone" in note for note in trace.notes)


def test_what_openb_drops(tmp_path: Path) -> None:
    trace = read(tmp_path, OPENB)
    assert [job.job_id for job in trace.jobs] == ["openb-pod-3", "openb-pod-0"]
    assert trace.jobs[1].gpu_kind == ("V100M16", "V100M32")
    assert trace.jobs[1].gpu_milli == 460
    assert [job.status for job in trace.jobs] == [JobStatus.UNKNOWN, JobStatus.COMPLETED]
    assert dropped(trace) == {"CPU-only": (1, 3), "pending": (1, 4)}


def test_rows_without_ids_may_repeat(tmp_path: Path) -> None:
    assert [job.job_id for job in read(tmp_path, PHILLY_JOBS).jobs] == ["1", "2"]


def test_clamped_run_times_are_counted(tmp_path: Path) -> None:
    assert "ran 48 h or more, the source says exactly 48 h: 1 jobs" in read(tmp_path, HELIOS_JOBS).notes


SIA_ERRORS = [
    (SIA.replace("duration_s", "x"), None, "Add the column to replay this workload"),
    (SIA, None, "2 workloads in one file: select one, such as newtrace/workload-1"),
    (SIA, "newtrace/workload-3", "did you mean 'newtrace/workload-2'"),
    (MURI, "a/b", "nothing to select"),
]


@pytest.mark.parametrize(("text", "select", "message"), SIA_ERRORS)
def test_a_workload_must_be_known_and_have_run_times(
    tmp_path: Path, text: str, select: str | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text, select=select)


def test_one_pollux_workload_needs_no_choice(tmp_path: Path) -> None:
    rows = [line.split(",", 2)[2] for line in SIA.splitlines()[:2]]
    assert read(tmp_path, "\n".join(rows)).jobs[0].duration_s == 3600.0


NO_TRACES = [
    ("sn,cpu_milli,memory_mib,gpu,model\nopenb-node-0,32000,262144,0,\n", "node list"),
    ("name,cpu_milli,memory_mib,num_gpu,gpu_milli\nopenb-pod-0,12000,16384,1,1000\n", "without times"),
    ("duration_s,num_gpus\n860662.0,1\n", "without times of submission"),
    (",machineId,number of GPUs\n0,m0,8\n", "machine list"),
]


@pytest.mark.parametrize(("text", "message"), NO_TRACES)
def test_tables_that_are_no_traces_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_every_format_has_a_name_of_its_own() -> None:
    assert len({f.name for f in FORMATS}) == len(FORMATS)
    assert all(f.about for f in FORMATS)
