"""Whatever is wrong with a file, the message says where, what was expected and what came."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from goodwatt.errors import BadRow, InputError
from goodwatt.traces.reading import read_trace

OWN = "job_id,submit_s,num_gpus,duration_s"
PHILLY = "submit_s,submit_time,duration_s,num_gpus,vc"
MURI = "job_id,num_gpu,submit_time,iterations,model_name,batch_size,duration,interval"
ELASTIC = "job_id,submit_time,model_name,ddl,num_gpu,duration"
RUBICK = "name,submission_time,duration,application,num_gpus"
HELIOS = "job_id,user,vc,gpu_num,state,submit_time,start_time,end_time"
ACME = "job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration"
OPENB = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,pod_phase,creation_time,deletion_time,scheduled_time"
AT = "2020-06-09 18:41:01"

# header, row on line 2, where and what was expected, what came
BAD_ROWS = [
    (OWN, "a,zero,1,5", "column 'submit_s': expected a finite number of seconds", "'zero'"),
    (OWN, "a,nan,1,5", "column 'submit_s'", "'nan'"),
    (OWN, "a,0,1,-5", "column 'duration_s': expected a number of seconds, 0 or more", "'-5'"),
    (OWN, "a,0,1,nan", "column 'duration_s'", "'nan'"),
    (OWN, "a,0,1,inf", "column 'duration_s'", "'inf'"),
    (OWN, "a,0,1,1_0", "column 'duration_s'", "'1_0'"),
    (OWN, "a,0,1,", "column 'duration_s'", "nothing"),
    (OWN, ",0,1,5", "column 'job_id'", "nothing"),
    (OWN, "a,0,-1,5", "column 'num_gpus': expected a whole number, 0 or more", "'-1'"),
    (OWN, "a,0,1.5,5", "column 'num_gpus'", "'1.5'"),
    (OWN, "a,0,1e400,5", "column 'num_gpus'", "'1e400'"),
    (OWN, "a,0,1", "expected 4 cells", "3"),
    (OWN, "a,0,1,5,6", "expected 4 cells", "5"),
    (
        OWN + ",gpu_milli",
        "a,0,2,5,500",
        "column 'gpu_milli': expected 1000 unless the job has one GPU",
        "500 of 2 GPUs",
    ),
    (OWN + ",gpu_milli", "a,0,1,5,0", "column 'gpu_milli': expected thousandths of a GPU, 1 to 1000", "'0'"),
    (OWN + ",gpu_kind", "a,0,1,5,A||B", "column 'gpu_kind'", "'A||B'"),
    (OWN + ",status", "a,0,1,5,done", "column 'status': expected one of completed", "'done'"),
    (OWN + ",preemptible", "a,0,1,5,perhaps", "column 'preemptible': expected true or false", "'perhaps'"),
    (OWN + ",min_gpus,max_gpus", "a,0,1,5,4,2", "column 'max_gpus': expected at least min_gpus, 4", "2"),
    (PHILLY, "0,x,5,0,v", "column 'num_gpus': expected at least 1 GPU", "0"),
    (PHILLY, "0,x,-5,1,v", "column 'duration_s'", "'-5'"),
    (MURI, "0,0,0,1,vgg16,1,1,1", "column 'num_gpu': expected at least 1 GPU", "0"),
    (MURI, "0,1,0,1,vgg16,1,-1,1", "column 'duration': expected a number of milliseconds, 0 or more", "'-1'"),
    (MURI, "0,1,soon,1,vgg16,1,1,1", "column 'submit_time': expected a finite number of milliseconds", "'soon'"),
    (ELASTIC, "0,0,vgg16,x,1,1", "column 'ddl'", "'x'"),
    (ELASTIC, "0,0,vgg16,1,1,inf", "column 'duration'", "'inf'"),
    (RUBICK, "a,0,1,vit,0", "column 'num_gpus': expected at least 1 GPU", "0"),
    (HELIOS, f"1,u,v,1,DONE,{AT},{AT},{AT}", "column 'state': expected a job state", "'DONE'"),
    (HELIOS, f"1,u,v,1,FAILED,{AT},{AT},2020-06-09 18:41:00", "column 'end_time': expected an end that", "1 s before"),
    (HELIOS, f"1,u,v,1,FAILED,noon,{AT},{AT}", "column 'submit_time': expected a time such as", "'noon'"),
    (HELIOS, f"1,u,v,one,FAILED,{AT},{AT},{AT}", "column 'gpu_num'", "'one'"),
    (ACME, f"1,u,1,1,1,SFT,COMPLETED,{AT},{AT},x,1", "column 'end_time'", "'x'"),
    (OPENB, "p,1,1,2,500,Running,0,5,0", "column 'gpu_milli': expected 1000 unless", "500 of 2 GPUs"),
    (OPENB, "p,1,1,1,0,Running,0,5,0", "column 'gpu_milli': expected thousandths", "0"),
    (
        OPENB,
        "p,1,1,1,1000,Running,0,5,9",
        "column 'deletion_time': expected an end that is not before",
        "4 s before it",
    ),
    (OPENB, "p,1,1,1,1000,Lost,0,5,0", "column 'pod_phase'", "'Lost'"),
]


@pytest.mark.parametrize(("header", "row", "expected", "got"), BAD_ROWS)
def test_a_bad_row(tmp_path: Path, header: str, row: str, expected: str, got: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n{row}\n")
    with pytest.raises(BadRow) as caught:
        read_trace(path)
    assert str(caught.value).startswith(f"{path}, line 2")
    assert expected in str(caught.value)
    assert f"got {got}" in str(caught.value)


# format, header, what the message must hold
BAD_HEADERS = [
    ("job-table", "job_id,submit_s,num_gpus", "column 'duration_s': expected a column of this name"),
    ("job-table", OWN + ",user,user", "column 'user': expected each column once, got it 2 times"),
    (None, "job_id,submit_s,num_gpus", "got the header 'job_id,submit_s,num_gpus'; nearest is job-table"),
    (None, "job_id,submit_s,num_gpus", "which has duration_s too"),
    (None, "alpha,beta", "expected a known trace format (job-table, "),
    (None, "PK\x03\x04", "got a zip archive: unpack it first"),
    (None, "version https://git-lfs.github.com/spec/v1", "got a Git LFS pointer"),
    (None, OWN, "line 2: expected at least one job, got the end of the file"),
    (None, "", "line 1: expected a job trace, got an empty file"),
    ("philly", OWN, "unknown trace format 'philly': did you mean 'philly-log' or 'philly-jobs'?"),
    ("philly-log", OWN, "line 1: expected the '[' of an array, got 'j'"),
]


@pytest.mark.parametrize(("format_name", "header", "message"), BAD_HEADERS)
def test_a_bad_header(tmp_path: Path, format_name: str | None, header: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n" if header else "")
    with pytest.raises(InputError) as caught:
        read_trace(path, format=format_name)
    assert message in str(caught.value)


GOOD = "6214e9,70,1,5\n"
# bytes of the file, ids and times of submission
ODD_BUT_GOOD = [
    (f"{OWN}\n{GOOD}007,0,1,5\n".encode(), [("007", 0.0), ("6214e9", 70.0)]),
    (f"{OWN}\n{GOOD}".replace("\n", "\r\n").encode(), [("6214e9", 70.0)]),
    (f"\ufeff{OWN}\n{GOOD}".encode(), [("6214e9", 70.0)]),
    (f"{OWN}\n\n{GOOD}\n\n".encode(), [("6214e9", 70.0)]),
    (f"{OWN}\n{GOOD}".rstrip().encode(), [("6214e9", 70.0)]),
    (gzip.compress(f"{OWN}\n{GOOD}".encode()), [("6214e9", 70.0)]),
    (f"{OWN}\nb,1,1.0,5\na,1,1,5\n".encode(), [("b", 1.0), ("a", 1.0)]),
    (f'{OWN},name\na,1,1,5,"two\nlines"\n'.encode(), [("a", 1.0)]),
]


@pytest.mark.parametrize(("content", "expected"), ODD_BUT_GOOD)
def test_odd_but_good_files(tmp_path: Path, content: bytes, expected: list[tuple[str, float]]) -> None:
    path = tmp_path / "anything"
    path.write_bytes(content)
    assert [(job.job_id, job.submit_s) for job in read_trace(path).jobs] == expected


MANY = f"{OWN}\n" + "".join(f"job-{number},{number},1,{number % 977}\n" for number in range(100_000))


def test_truncated_gzip(tmp_path: Path) -> None:
    packed, path = gzip.compress(MANY.encode()), tmp_path / "x.csv.gz"
    for kept in (len(packed) // 2, 15):
        path.write_bytes(packed[:kept])
        with pytest.raises(BadRow, match="expected more of the gzip stream, got its end: the file is truncated"):
            read_trace(path, skip_bad_rows=True)


def test_damaged_gzip(tmp_path: Path) -> None:
    packed, path = gzip.compress(MANY.encode()), tmp_path / "x.csv.gz"
    path.write_bytes(packed[:-8] + b"checksum")
    with pytest.raises(BadRow, match="expected a sound gzip stream, got a damaged one"):
        read_trace(path, skip_bad_rows=True)


def test_truncated_json(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('[\n{"jobid": "a", "attempts": [')
    with pytest.raises(BadRow, match="line 2: expected JSON"):
        read_trace(path)


def test_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(f"{OWN},user\na,0,1,5,José\nb,1,1,5,ann\n".encode("latin-1"))
    with pytest.raises(BadRow, match="line 2, column 'user': expected text in UTF-8"):
        read_trace(path)
    assert [job.job_id for job in read_trace(path, skip_bad_rows=True).jobs] == ["b"]
    path.write_text(f"{OWN}\n{GOOD}", encoding="utf-16")
    with pytest.raises(BadRow, match="got UTF-16 text: save it as UTF-8"):
        read_trace(path)


def test_a_folder_where_a_file_is_needed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"expected a file, or a folder with one of cluster_job_log.*notes\.txt"):
        read_trace(tmp_path)
    with pytest.raises(InputError, match=r"none\.csv: No such file"):
        read_trace(tmp_path / "none.csv")


def test_a_folder_with_a_known_log(tmp_path: Path) -> None:
    (tmp_path / "cluster_log.csv.gz").write_bytes(gzip.compress(f"{HELIOS}\n1,u,v,1,FAILED,{AT},{AT},{AT}\n".encode()))
    assert read_trace(tmp_path).format == "helios"


def test_bad_rows_are_skipped_and_kept_for_the_report(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{OWN}\na,0,1,5\na,1,1,5\nb,x,1,5\nc,1\nd,2,1,5\n")
    trace = read_trace(path, skip_bad_rows=True)
    assert [job.job_id for job in trace.jobs] == ["a", "d"]
    assert [(bad.line, bad.column) for bad in trace.bad_rows] == [(3, "job_id"), (4, "submit_s"), (5, None)]
    assert [trace.line_of(index) for index in range(2)] == [2, 6]
    with pytest.raises(BadRow, match="line 3, column 'job_id': expected each job once, got 'a' again, first on line 2"):
        read_trace(path)


def test_nothing_but_bad_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{OWN}\na,x,1,5\n")
    with pytest.raises(
        BadRow, match=r"expected at least one job, got 1 bad rows, the first: .*line 2, column 'submit_s'"
    ):
        read_trace(path, skip_bad_rows=True)


def test_a_quote_that_never_closes(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f'{OWN}\n"a,0,1,5\n' + "b,1,1,5\n" * 40_000)
    with pytest.raises(BadRow, match="line 2: expected a row of a table, got field larger than"):
        read_trace(path)
