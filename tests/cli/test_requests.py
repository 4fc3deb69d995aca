"""`goodwatt requests` as a person calls it: tables, JSON, files, messages, exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from goodwatt.cli.requests import app
from goodwatt.errors import InputError
from goodwatt.traces.requests.formats import PROFILE_FORMATS, REQUEST_FORMATS
from goodwatt.traces.requests.reading import read_rate_profile, read_request_trace
from goodwatt.traces.requests.service_classes import service_classes

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03,4808,10
2023-11-16 18:17:04,3180,0
2023-11-16 18:17:05,110,27
2023-11-16 19:17:05,74,[bold]
2023-11-16 19:17:06,74,14
"""
GENAI = """timestamp_anon,value,container_ip,request_type
0,1,,API Requests
57,3,,API Requests
"""


@pytest.fixture
def azure(tmp_path: Path) -> Path:
    path = tmp_path / "azure.csv"
    path.write_text(AZURE)
    return path


@pytest.fixture
def genai(tmp_path: Path) -> Path:
    path = tmp_path / "qps.csv"
    path.write_text(GENAI)
    return path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def printed(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exception is None, result.exception
    assert result.stderr == ""
    return result.stdout


def parsed(*arguments: object) -> Any:
    return json.loads(printed(*arguments, "--json"))


def refused(*arguments: object) -> str:
    result = call(*arguments)
    assert isinstance(result.exception, InputError), (result.exception, result.output)
    return str(result.exception)


def test_list() -> None:
    shown, listed = printed("list"), parsed("list")
    for name in (*service_classes(), *(f.name for f in REQUEST_FORMATS), *(f.name for f in PROFILE_FORMATS)):
        assert name in shown
    assert [entry["name"] for entry in listed["classes"]] == list(service_classes())
    assert all(entry["sources"] for entry in listed["classes"])


def test_check(azure: Path) -> None:
    checked = parsed("check", azure, "--skip-bad-rows")
    assert (checked["requests"], checked["format"]) == (3, "azure-llm")
    assert checked["dropped"] == [{"reason": "failed: it has no output tokens", "count": 1, "first_line": 3}]
    assert checked["bad_rows"] == [
        {
            "file": str(azure),
            "line": 5,
            "column": "GeneratedTokens",
            "expected": "a whole number of tokens, 0 to 2147483647",
            "got": "'[bold]'",
        }
    ]
    shown = printed("check", azure, "--skip-bad-rows")
    assert "[bold]" in shown
    assert "0 s is 2023-11-16T18:17:03+00:00" in shown


def test_check_ends_with_2_where_rows_are_bad(azure: Path) -> None:
    assert refused("check", azure).endswith("azure.csv: 1 bad row; mend the file, or go past them with --skip-bad-rows")
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "goodwatt", "requests", "stats", str(azure)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "line 5, column 'GeneratedTokens': expected a whole number of tokens" in done.stderr
    assert "Traceback" not in done.stderr


def test_many_bad_rows_are_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("arrival_s\n0\n" + "x\n" * 50)
    assert "and 30 more (--json lists all)" in printed("check", path, "--skip-bad-rows")


def test_check_of_rates(genai: Path) -> None:
    checked = parsed("check", genai)
    assert (checked["steps"], checked["relative"], checked["mean_per_s"]) == (2, True, 2.0)
    assert "the shape only, peak 1.50 times the mean" in printed("check", genai)


def test_stats(azure: Path) -> None:
    found = parsed("stats", azure, "--skip-bad-rows")
    assert (found["requests"], found["dropped"], found["bad_rows"]) == (3, 1, 1)
    assert found["requests_by_hour"][18:20] == [2, 1]
    shown = printed("stats", azure, "--skip-bad-rows")
    for expected in ("3 requests over 60 min", "hour of day", "prompt", "p99", "left out: 1 rows dropped, 1 bad rows"):
        assert expected in shown
    assert "nearest" not in shown


def test_stats_of_rates_are_refused(genai: Path) -> None:
    assert "got a rate profile, which tells how many requests come and not which" in refused("stats", genai)


def test_convert_requests(azure: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.parquet"
    written = parsed("convert", azure, out, "--skip-bad-rows")
    assert (written["requests"], written["path"]) == (3, str(out))
    assert read_request_trace(out).prompt_tokens.tolist() == [4808, 110, 74]
    assert "3 requests" in printed("convert", azure, out, "--skip-bad-rows")
    assert "--mean-rate and --peak-rate are for rates over time" in refused(
        "convert", azure, out, "--skip-bad-rows", "--mean-rate", 3
    )
    assert "nothing to select" in refused("convert", azure, out, "--select", "x")


def test_convert_rates(genai: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.csv"
    assert "say --mean-rate or --peak-rate" in refused("convert", genai, out)
    assert "either a mean or a peak" in refused("convert", genai, out, "--mean-rate", 4, "--peak-rate", 5)
    assert not out.exists()
    assert parsed("convert", genai, out, "--mean-rate", 4)["peak_per_s"] == 6.0
    assert read_rate_profile(out).rate_per_s.tolist() == [2.0, 6.0]
    assert "2 steps over 114 s" in printed("convert", genai, out, "--peak-rate", 4)
    assert "4" in printed("convert", out, tmp_path / "again.csv.gz")


def test_generate(tmp_path: Path) -> None:
    out = tmp_path / "made.csv.gz"
    options = ("--class", "code", "--mean-rate", 3, "--days", 0.05, "--seed", 5, "--peak-to-trough", 2)
    written = parsed("generate", out, *options)
    assert written["synthetic"] == ["all: requests generate code seed 5"]
    first = out.read_bytes()
    assert "made up: all: requests generate code seed 5" in printed("generate", out, *options)
    assert out.read_bytes() == first
    assert read_request_trace(out).synthetic == ("all: requests generate code seed 5",)
    assert "did you mean 'chat'" in refused("generate", out, "--class", "cat")


def test_wrong_files(tmp_path: Path) -> None:
    assert "No such file" in refused("check", tmp_path / "none.csv")
    assert "ends in .csv, .csv.gz or .parquet" in refused("generate", tmp_path / "x.txt", "--days", 0.01)
    jobs = tmp_path / "jobs.csv"
    jobs.write_text("job_id,submit_s,num_gpus,duration_s\n1,0,1,1\n")
    assert "expected a request trace" in refused("check", jobs)


def test_start_up_brings_no_numbers() -> None:
    code = "import sys, goodwatt.cli.requests; print([m for m in ('numpy', 'polars', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"
