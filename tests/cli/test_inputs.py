"""What replay and compare read and check before they begin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goodwatt.cli.inputs import check_absences, check_fits, load_trace
from goodwatt.cli.out_folder import make_folder
from goodwatt.errors import InputError
from goodwatt.simulator.settings.engine import Engine, EngineSettings, Outage
from goodwatt.traces.reading import read_trace
from goodwatt.traces.trace import Dropped, Trace
from tests.scenario import Nodes, cluster, engine, job

ON = cluster(Nodes(2, gpus=4, cpu_milli=8000))


def test_a_bundled_trace_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    trace = load_trace("venus", None, skip_bad_rows=False)
    assert trace.name == "venus"
    assert len(trace.jobs) > 1000
    assert capsys.readouterr().out == ""


def test_what_was_left_out_and_what_was_made_up_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("job_id,submit_s,num_gpus,duration_s\na,0,1,5\nb,x,1,5\n", encoding="utf-8")
    trace = replace(
        read_trace(path, skip_bad_rows=True),
        dropped=(Dropped("CPU-only jobs", 1234, 7), Dropped("never started", 2, 9)),
        synthetic=("user", "name"),
    )
    monkeypatch.setattr("goodwatt.cli.inputs.read_trace", lambda *_, **__: trace)
    assert load_trace(str(path), None, skip_bad_rows=True) is trace
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "goodwatt: t: 1,234 rows left out: CPU-only jobs (first: line 7)"
    assert lines[2].startswith("goodwatt: t: 1 bad rows skipped, the first: ")
    assert "line 3, column 'submit_s'" in lines[2]
    assert lines[3] == "goodwatt: t: synthetic: user, name"


def test_a_plain_trace_is_read_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("job_id,submit_s,num_gpus,duration_s\na,0,1,5\n", encoding="utf-8")
    load_trace(str(path), None, skip_bad_rows=False)
    assert capsys.readouterr() == ("", "")


def test_a_trace_without_jobs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.touch()
    monkeypatch.setattr("goodwatt.cli.inputs.read_trace", lambda *_, **__: Trace("t", ()))
    with pytest.raises(InputError, match="no jobs to replay"):
        load_trace(str(path), None, skip_bad_rows=True)


def test_jobs_that_fit_pass_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    check_fits(Trace("t", (job("a", gpus=8), job("b", cpu_milli=8000), job("c", gpu_milli=10))), ON, skip=False)
    assert capsys.readouterr() == ("", "")


def test_those_that_never_fit_are_listed_and_the_rest_counted(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [job(f"w{i}", gpus=9) for i in range(1200)] + [job("cpu", cpu_milli=9000), job("ok")]
    trace = Trace("t", jobs)
    with pytest.raises(InputError) as error:
        check_fits(trace, ON, skip=False)
    lines = str(error.value).splitlines()
    assert lines[0] == "1,201 of 1,202 jobs of t can never run on test:"
    assert lines[1].startswith("  line 0, job w0: it wants 9 GPUs")
    assert len(lines) == 7
    assert lines[-1].endswith("--skip-bad-rows")
    check_fits(trace, ON, skip=True)
    assert capsys.readouterr().err.startswith("goodwatt: 1,201 of 1,202 jobs")


def test_two_jobs_of_one_shape_and_other_memory_are_told_apart() -> None:
    jobs = (job("a", gpu_memory_mib=16_000), job("b", gpu_memory_mib=16_001))
    with pytest.raises(InputError, match="1 of 2 jobs") as error:
        check_fits(Trace("t", jobs), ON, skip=False)
    assert "job b: no node has its partition, GPU kind and GPU memory" in str(error.value)


@pytest.mark.parametrize("part", ["plain", "preemptive"])
def test_maintenance_needs_a_node_that_is_there(part: str) -> None:
    settings = EngineSettings(name="fans", outages=(Outage("n2", 0.0, 1.0),))
    check_absences(engine(), ON)
    check_absences(Engine("fans", settings, settings), cluster(Nodes(3)))
    parts = {"plain": EngineSettings(), "preemptive": EngineSettings(), part: settings}
    with pytest.raises(InputError, match="unknown node in the maintenance of engine fans: 'n2': did you mean"):
        check_absences(Engine("fans", parts["plain"], parts["preemptive"]), ON)


def test_a_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_what_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for path in (tmp_path / "file", tmp_path / "file" / "deeper", Path("/dev/null/x"), tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match="expected a folder to write to, got"):
            make_folder(path)
