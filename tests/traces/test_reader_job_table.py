"""Goodwatt's own job table: what is written is read back, in CSV, gzip and Parquet."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeVar

import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goodwatt.cluster.job import Job, JobStatus
from goodwatt.errors import BadRow, InputError
from goodwatt.traces.reading import read_trace
from goodwatt.traces.trace import Trace
from goodwatt.traces.writing import write_trace

Value = TypeVar("Value")
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
SPANS = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
COUNTS = st.integers(min_value=0, max_value=2**40)
KINDS = st.lists(st.from_regex(r"[A-Za-z0-9-]{1,8}", fullmatch=True), max_size=3).map(tuple)


def maybe(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value | None]:
    return st.none() | values


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    num_gpus = draw(st.integers(min_value=0, max_value=4096))
    start_s = draw(maybe(TIMES))
    return Job(
        job_id=draw(TEXTS),
        submit_s=draw(TIMES),
        num_gpus=num_gpus,
        gpu_milli=draw(st.integers(min_value=1, max_value=1000)) if num_gpus == 1 else 1000,
        cpu_milli=draw(COUNTS),
        memory_mib=draw(COUNTS),
        gpu_memory_mib=draw(COUNTS),
        gpu_kind=draw(KINDS),
        user=draw(maybe(TEXTS)),
        partition=draw(maybe(TEXTS)),
        name=draw(maybe(TEXTS)),
        priority=draw(st.integers(min_value=-(2**31), max_value=2**31)),
        workload=draw(maybe(TEXTS)),
        reference_gpu=draw(maybe(TEXTS)),
        requested_s=draw(maybe(SPANS)),
        deadline_s=draw(maybe(TIMES)),
        min_gpus=draw(maybe(st.integers(min_value=1, max_value=8))),
        max_gpus=draw(maybe(st.integers(min_value=8, max_value=64))),
        mig_profile=draw(maybe(TEXTS)),
        preemptible=draw(st.booleans()),
        checkpoint_interval_s=draw(maybe(SPANS)),
        duration_s=draw(SPANS),
        status=draw(st.sampled_from(JobStatus)),
        observed_start_s=start_s,
        observed_end_s=None if start_s is None else draw(maybe(st.just(start_s))),
        observed_nodes=draw(maybe(TEXTS)),
    )


LABELS = st.lists(TEXTS.filter(lambda text: "; " not in text), max_size=3, unique=True).map(tuple)
TRACES = st.lists(jobs(), min_size=1, max_size=4, unique_by=lambda job: job.job_id).map(
    lambda found: Trace(name="x", jobs=sorted(found, key=lambda job: job.submit_s))
)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
@settings(deadline=None, max_examples=60)
@given(trace=TRACES, labels=LABELS)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, ending: str, trace: Trace, labels: tuple[str, ...]
) -> None:
    path = tmp_path_factory.mktemp("traces") / f"x.{ending}"
    write_trace(dataclasses.replace(trace, synthetic=labels), path)
    again = read_trace(path, cpu_only=True)
    assert list(again.jobs) == list(trace.jobs)
    assert again.synthetic == labels
    assert again.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not again.notes


def job(**fields: Any) -> Job:
    return dataclasses.replace(Job(job_id="1", submit_s=0.0, num_gpus=1, duration_s=5.0), **fields)


def test_columns_that_say_nothing_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write_trace(Trace(name="x", jobs=[job(), job(job_id="6214e9", user="ann", gpu_kind=("A", "B"))]), path)
    assert path.read_text() == "job_id,submit_s,num_gpus,duration_s,user,gpu_kind\n1,0,1,5,,\n6214e9,0,1,5,ann,A|B\n"


def test_what_was_made_up_stands_in_every_row(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    made_up = ("user: a; b seed 0", "name: c")
    write_trace(Trace(name="x", jobs=[job(), job(job_id="2")], synthetic=made_up), path)
    title, *rows = path.read_text().splitlines()
    assert title == "job_id,submit_s,num_gpus,duration_s,synthetic"
    assert [row.split(",", 4)[4] for row in rows] == ['"user: a, b seed 0; name: c"'] * 2
    trace = read_trace(path)
    assert (trace.format, trace.synthetic) == ("job-table", ("user: a, b seed 0", "name: c"))


def test_marks_of_tables_that_were_put_together(tmp_path: Path) -> None:
    """One label for each thing made up, whichever rows say it; rows that say nothing do not take it back."""
    path = tmp_path / "x.csv"
    marks = ["", "user: a; name: b", "name: b", "user: c"]
    rows = [f"{number},0,1,5,{mark}\n" for number, mark in enumerate(marks)]
    path.write_text("job_id,submit_s,num_gpus,duration_s,synthetic\n" + "".join(rows))
    assert read_trace(path).synthetic == ("user: a", "name: b", "user: c")


def test_a_mark_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"job_id,submit_s,num_gpus,duration_s,synthetic\n1,0,1,5,\xff\n")
    with pytest.raises(BadRow, match="line 2, column 'synthetic': expected text in UTF-8"):
        read_trace(path)


def test_the_same_jobs_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        write_trace(Trace(name="x", jobs=[job()]), tmp_path / name)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv.gz", "b.csv.gz"]


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a name that ends in \.csv, \.csv\.gz or \.parquet, got 'x\.txt'"):
        write_trace(Trace(name="x", jobs=[job()]), tmp_path / "x.txt")


def test_nowhere_to_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        write_trace(Trace(name="x", jobs=[job()]), tmp_path / "none" / "x.csv")


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_a_row_without_gpus_is_a_job_that_needs_none(tmp_path: Path, ending: str) -> None:
    """As `traces convert --cpu-only` writes it; nobody has to say so once more to replay it."""
    whole, batch = job(), job(job_id="2", num_gpus=0, cpu_milli=4000)
    write_trace(Trace("t", [whole, batch], "made", tmp_path, ""), path := tmp_path / f"t.{ending}")
    assert list(read_trace(path).jobs) == [whole, batch]


def test_parquet_types_may_differ(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    columns = {"job_id": [7, 8], "submit_s": [3, 1], "num_gpus": [8.0, 1.0], "duration_s": [5, 6], "extra": [1, 2]}
    polars.DataFrame(columns).write_parquet(path)
    trace = read_trace(path)
    assert [(found.job_id, found.submit_s, found.num_gpus) for found in trace.jobs] == [("8", 1.0, 1), ("7", 3.0, 8)]
    assert list(trace.lines) == [2, 1]
    assert trace.notes == ("columns not used: extra",)


def test_parquet_in_gzip(tmp_path: Path) -> None:
    plain, packed = tmp_path / "x.parquet", tmp_path / "y"
    write_trace(Trace(name="x", jobs=[job()]), plain)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(read_trace(packed).jobs) == [job()]


def test_bad_parquet(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(BadRow, match="expected a sound Parquet file"):
        read_trace(path)
    polars.DataFrame({"job_id": ["a"], "submit_s": ["noon"], "num_gpus": [1], "duration_s": [1]}).write_parquet(path)
    with pytest.raises(BadRow, match="line 1, column 'submit_s': expected a finite number of seconds, got 'noon'"):
        read_trace(path)


def test_a_job_that_was_read_cannot_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write_trace(Trace(name="x", jobs=[job()]), path)
    found = read_trace(path).jobs[0]
    assert type(found) is Job
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.submit_s = 1.0  # type: ignore[misc]


def test_reading_a_csv_loads_no_heavy_library(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write_trace(Trace(name="x", jobs=[job()]), path)
    code = (
        "import sys; from goodwatt.traces.reading import read_trace; read_trace(sys.argv[1]); "
        "sys.exit(', '.join({'numpy', 'polars', 'pydantic', 'orjson', 'zoneinfo'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
