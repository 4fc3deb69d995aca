"""The public traces themselves, where they are at hand: nothing of them is in this repository."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest

from goodwatt.cluster.job import JobStatus
from goodwatt.errors import InputError
from goodwatt.traces.reading import read_trace

SHARED = Path(__file__).parents[3] / "shared"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the public traces (../shared) are not at hand")


def rows_of(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as text:
        return list(csv.DictReader(text))


WHOLE_FILES = [
    ("golden/lucid_philly_480/jobs.csv.gz", "job-table"),
    ("data/philly_2017/philly_jobs.csv.gz", "philly-jobs"),
    ("data/helios_venus_2020/venus_gpu_jobs.csv.gz", "helios-jobs"),
    ("data/acme_2023/kalos_completed_jobs_319.csv.gz", "acme-jobs"),
    *((f"data/muri_traces/trace{number}.csv.gz", "muri") for number in (1, 2, 3, 4)),
    ("data/elasticflow_traces/philly_103959.csv.gz", "elasticflow"),
    ("data/elasticflow_traces/elasticVpollux_e.csv.gz", "elasticflow"),
    *((f"data/rubick_a800_llm/{name}.csv.gz", "rubick") for name in ("workload-base", "workload-bp", "workload-mt")),
]


@pytest.mark.parametrize(("name", "format_name"), WHOLE_FILES)
def test_every_row_becomes_a_job(name: str, format_name: str) -> None:
    trace = read_trace(SHARED / name)
    assert trace.format == format_name
    assert len(trace.jobs) == len(rows_of(SHARED / name))
    assert not trace.dropped
    assert not trace.bad_rows


def test_the_golden_week() -> None:
    trace = read_trace(SHARED / "golden/lucid_philly_480/jobs.csv.gz")
    assert len(trace.jobs) == 10_650
    assert trace.jobs[0].job_id == "31395"
    assert trace.notes == ()


def test_philly() -> None:
    jobs = read_trace(SHARED / "data/philly_2017/philly_jobs.csv.gz").jobs
    assert jobs[0].submit_s == 0.0
    assert (jobs[0].duration_s, jobs[0].num_gpus, jobs[0].partition) == (2_240_194.0, 8, "7f04ca")
    assert "6214e9" in {job.partition for job in jobs}
    assert max(job.num_gpus for job in jobs) <= 128
    seen = Counter((job.submit_s, job.duration_s, job.num_gpus, job.partition) for job in jobs)
    assert sum(count - 1 for count in seen.values()) > 50  # exact duplicates, which have no ids to clash


def test_venus() -> None:
    path = SHARED / "data/helios_venus_2020/venus_gpu_jobs.csv.gz"
    trace = read_trace(path)
    assert (trace.jobs[0].job_id, trace.jobs[0].submit_s) == ("363167", -1_195_101.0)
    assert sum(job.submit_s < 0 for job in trace.jobs) == 89
    clamped = sum(row["duration_clamped"] == "1" for row in rows_of(path))
    assert f"ran 48 h or more, the source says exactly 48 h: {clamped} jobs" in trace.notes


def test_openb() -> None:
    path = SHARED / "data/alibaba_openb_2023/openb_pod_list_default.csv.gz"
    trace = read_trace(path)
    dropped = {entry.reason.split(":")[0]: entry.count for entry in trace.dropped}
    assert dropped == {"CPU-only": 8152 - 7064, "pending": 861}
    assert len(trace.jobs) == 7064 - 861
    everything = read_trace(path, cpu_only=True)
    assert len(everything.jobs) == 8152 - 897
    assert sum(job.gpu_milli < 1000 for job in trace.jobs) > 2000
    assert Counter(job.status for job in trace.jobs)[JobStatus.COMPLETED] == 185


def test_openb_with_gpu_kinds() -> None:
    jobs = read_trace(SHARED / "data/alibaba_openb_2023/openb_pod_list_gpuspec33.csv.gz").jobs
    assert ("V100M16", "V100M32") in {job.gpu_kind for job in jobs}


def test_every_pod_list_with_times() -> None:
    lists = sorted((SHARED / "data/alibaba_openb_2023").glob("openb_pod_list_*.csv.gz"))
    for path in (path for path in lists if "multigpu" not in path.name):
        trace = read_trace(path, cpu_only=True)
        assert len(trace.jobs) + sum(entry.count for entry in trace.dropped) == len(rows_of(path))


REFUSED = [
    ("alibaba_openb_2023/openb_pod_list_multigpu20.csv.gz", "without times"),
    ("alibaba_openb_2023/openb_node_list_all_node.csv.gz", "node list"),
    ("philly_2017/philly_gavel_duration_gpus_33k.csv.gz", "without times of submission"),
    ("philly_2017/philly_revised_machine_list.csv.gz", "machine list"),
    ("sia_pollux_profiles/sia_workloads_all.csv.gz", "workloads of Pollux and Sia hold no run times"),
    ("sia_pollux_profiles/placements_all.csv.gz", "step times"),
    ("rubick_a800_llm/placements_all.csv.gz", "expected a known trace format"),
    ("helios_venus_2020/venus_vc_nodes_sept.csv.gz", "nodes per virtual cluster"),
]


@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_what_is_no_trace_is_refused(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_trace(SHARED / "data" / name)
