"""`goodwatt traces` as a person calls it: tables, JSON, files, messages, exit status."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from goodwatt.cli.inputs import load_trace
from goodwatt.cli.traces import app
from goodwatt.cli.traces_stats_view import bar, columns, duration_text, resampled
from goodwatt.errors import InputError
from goodwatt.traces import bundled
from goodwatt.traces.fetch_registry import PublicTrace, RemoteFile, registry
from goodwatt.traces.reading import read_trace

TABLE = """job_id,submit_s,num_gpus,duration_s,user
a,0,1,60,<script>alert(1)</script>
b,x,2,60,ann
c,3600,1,60,ann
d,7200,8,7200,[bold]bob
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.csv"
    path.write_text(TABLE)
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
    """The message of an InputError, which the program's entry turns into exit status 2."""
    result = call(*arguments)
    assert isinstance(result.exception, InputError), (result.exception, result.output)
    return str(result.exception)


def test_list() -> None:
    shown = printed("list")
    for name in (*bundled.names(), "pai-2020", "job-table"):
        assert name in shown
    listed = parsed("list")
    assert [entry["name"] for entry in listed["bundled"]] == list(bundled.names())
    assert all(
        entry["licence"] == "CC BY 4.0" and entry["paper"] in " ".join(shown.split()) for entry in listed["bundled"]
    )
    assert {entry["name"] for entry in listed["public"]} == set(registry())


def test_check_of_a_sound_trace() -> None:
    checked = parsed("check", "venus")
    assert checked["jobs"] == bundled.describe("venus").jobs
    assert checked["bad_rows"] == []
    assert checked["synthetic"] == []
    assert checked["notes"] == []
    assert re.search(r"made up +nothing", printed("check", "venus"))


def test_check_tells_bad_rows_and_ends_with_2(table: Path) -> None:
    result = call("check", table)
    assert isinstance(result.exception, InputError)
    assert str(result.exception).endswith("jobs.csv: 1 bad row; mend the file, or go past them with --skip-bad-rows")
    assert re.search(r"3 +submit_s +a finite number of seconds +'x'", result.stdout)


def test_check_goes_past_bad_rows(table: Path) -> None:
    checked = parsed("check", table, "--skip-bad-rows")
    assert checked["jobs"] + len(checked["bad_rows"]) + sum(d["count"] for d in checked["dropped"]) == 4
    assert checked["bad_rows"][0] == {
        "file": str(table),
        "line": 3,
        "column": "submit_s",
        "expected": "a finite number of seconds",
        "got": "'x'",
    }
    assert "bad rows" in printed("check", table, "--skip-bad-rows")


def test_many_bad_rows_are_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(TABLE + "".join(f"z{i},x,1,1,u\n" for i in range(50)))
    assert "and 31 more (--json lists all)" in printed("check", path, "--skip-bad-rows")


def test_wrong_files() -> None:
    assert refused("check", "venu") == "unknown trace file or bundled trace 'venu': did you mean 'venus'?"
    assert "no such file" in refused("stats", "nowhere/jobs.csv")


def test_stats() -> None:
    shown = printed("stats", "philly", "--cluster", "philly-80")
    for expected in (
        "GPU-hours; if nothing waited",
        "load on philly-80 (640 GPUs): ",
        "jobs per hour of day",
        "Mon ",
    ):
        assert expected in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if "│" in line or "█" in line)
    figures = parsed("stats", "philly", "--cluster", "640")
    assert figures["load"]["gpus"] == 640
    assert len(figures["arrivals_per_hour"]) == 24
    assert figures["jobs"] == bundled.describe("philly").jobs


def test_stats_refuses_bad_rows_unless_told(table: Path) -> None:
    assert "line 3, column 'submit_s'" in refused("stats", table)
    assert "[bold]bob" in printed("stats", table, "--skip-bad-rows")


def test_stats_from_an_origin(table: Path) -> None:
    figures = parsed("stats", table, "--skip-bad-rows", "--origin", "2024-01-02 09:00")
    assert figures["arrivals_per_day"][1] > 0
    assert "expected a time such as" in refused("stats", "venus", "--origin", "noon")


def test_plot_is_self_contained_and_safe(table: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    printed("stats", table, "--skip-bad-rows", "--cluster", "philly-80", "--plot", page)
    text = page.read_text(encoding="utf-8")
    figures = text.split('<script id="figures" type="application/json">')[1].split("</script>")[0]
    assert {"demand", "hours", "sizes", "users"} <= set(json.loads(figures))
    assert "alert(1)" in figures
    assert "<script>alert(1)" not in text
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="', text)
    assert "expected a name that ends in .html" in refused("stats", "venus", "--plot", tmp_path / "page.txt")
    assert "No such file or directory" in refused("stats", "venus", "--plot", tmp_path / "no" / "page.html")


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_convert(ending: str, tmp_path: Path) -> None:
    out = tmp_path / f"out.{ending}"
    assert parsed("convert", "venus", out)["jobs"] == bundled.describe("venus").jobs
    assert list(read_trace(out).jobs) == list(read_trace(bundled.path("venus")).jobs)
    assert parsed("check", out)["synthetic"] == []


def test_convert_keeps_the_marks(tmp_path: Path) -> None:
    drawn = parsed("generate", tmp_path / "drawn.csv.gz", "--like", "venus", "--days", 1)["synthetic"]
    for source, out in (("drawn.csv.gz", "a.parquet"), ("a.parquet", "b.csv")):
        assert parsed("convert", tmp_path / source, tmp_path / out)["synthetic"] == drawn
    assert parsed("check", tmp_path / "b.csv")["synthetic"] == drawn == ["all: generate venus seed 0"]
    assert f"made up    {drawn[0]}" in printed("check", tmp_path / "b.csv")


def test_replay_says_what_is_made_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed("generate", tmp_path / "drawn.csv", "--like", "venus", "--days", 1, "--seed", 5)
    load_trace(str(tmp_path / "drawn.csv"), None, False)
    assert capsys.readouterr().err == "goodwatt: drawn: synthetic: all: generate venus seed 5\n"


def test_convert_refuses_other_endings(tmp_path: Path) -> None:
    assert "ends in .csv, .csv.gz or .parquet" in refused("convert", "venus", tmp_path / "out.xlsx")


def test_enrich(tmp_path: Path) -> None:
    out = tmp_path / "out.csv.gz"
    told = parsed("enrich", "venus", out, "--seed", 4, "--error", 2.5)
    assert told["best_predictor_error"] >= 2.5
    assert told["synthetic"] == [f"{c}: enrich seed 4 error 2.5" for c in ("user", "name", "requested_s")]
    assert parsed("check", out)["synthetic"] == told["synthetic"]
    first = out.read_bytes()
    assert "best predictor error" in printed("enrich", "venus", out, "--seed", 4, "--error", 2.5)
    assert "nothing to add" in refused("enrich", out, tmp_path / "again.csv")
    assert out.read_bytes() == first
    assert "expected a factor from 1 to" in refused("enrich", "venus", out, "--error", 0)


def test_generate(tmp_path: Path) -> None:
    out, model = tmp_path / "out.csv", tmp_path / "model.json"
    wishes = ("--days", 7, "--gpus", 256, "--load", 0.9, "--seed", 3)
    told = parsed("generate", out, "--like", "venus", *wishes, "--save-model", model)
    assert told["days"] == 7
    assert told["mean_demand_gpus"] == pytest.approx(0.9 * 256, rel=0.05)
    again = tmp_path / "again.csv"
    printed("generate", again, "--like", model, *wishes)
    assert again.read_bytes() == out.read_bytes()


def test_generate_like_a_file(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert parsed("generate", out, "--like", bundled.path("venus"), "--jobs", 500)["jobs"] == 500
    assert "got both" in refused("generate", out, "--jobs", 5, "--days", 5)
    assert "--origin belongs to a trace of your own" in refused("generate", out, "--origin", "2024-01-01")


def test_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that lies there already needs no server."""
    content = b"job_id\n"
    file = RemoteFile(name="jobs.csv", url="http://127.0.0.1:9/jobs.csv", sha256=hashlib.sha256(content).hexdigest())
    public = PublicTrace(title="T", home="H", licence="CC BY 4.0", citation="C", next="use jobs.csv", files=(file,))
    monkeypatch.setattr("goodwatt.cli.traces_download.public_trace", lambda _: public)
    (tmp_path / "jobs.csv").write_bytes(content)
    shown = printed("fetch", "mine", "--out", tmp_path)
    assert "the published hash" in shown
    assert "licence  CC BY 4.0" in shown
    assert parsed("fetch", "mine", "--out", tmp_path)["files"][0]["downloaded"] is False


def test_fetch_unknown(tmp_path: Path) -> None:
    assert refused("fetch", "heliso", "--out", tmp_path) == "unknown public trace 'heliso': did you mean 'helios'?"


def test_help_imports_nothing_heavy() -> None:
    heavy = ("numpy", "polars", "plotly", "pydantic", "yaml", "rich.table")
    code = f"import sys, goodwatt.cli.traces; print([m for m in {heavy!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2.0 min"), (3600, "60 min"), (9000, "2.5 h"), (86400, "24 h"), (1e6, "12 d")],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_bars() -> None:
    assert (bar(1, 1, 4), bar(0.5, 1, 4), bar(1 / 32, 1, 4), bar(0, 0, 4)) == ("████", "██", "▏", "")
    assert list(columns([0, 0.5, 1], 1, 2)) == ["  █", " ██"]
    assert list(columns([0, 0], 0, 1)) == ["  "]
    assert resampled([1, 3, 5, 7], 2) == [2, 6]
    assert resampled([1.0], 5) == [1.0]
