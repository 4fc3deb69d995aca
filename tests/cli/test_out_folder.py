"""Where results go: folders of their own, and nothing of the user's is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from goodwatt.cli.out_folder import latest_replay, take_folder
from tests.cli.command import Command

CALL = ("replay", "jobs.csv", "-c", "two.yaml", "-p", "fifo", "--no-report")


def names(folder: str) -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


def test_without_a_name_each_run_has_a_folder_of_its_own(goodwatt: Command) -> None:
    Path("goodwatt-out-2").mkdir()
    for folder in ("goodwatt-out", "goodwatt-out-3"):
        assert f"wrote {folder}" in goodwatt(*CALL).err
        assert goodwatt.content(f"{folder}/summary.json")["policy"] == "fifo"
    compared = goodwatt("compare", "jobs.csv", "-c", "two.yaml", "-p", "fifo", "--workers", "1", "--no-report")
    assert "wrote goodwatt-out-4" in compared.err
    assert "comparison.json" in names("goodwatt-out-4")


def test_runs_side_by_side_do_not_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [take_folder(None) for _ in range(3)] == [Path(f"goodwatt-out{end}") for end in ("", "-2", "-3")]


def test_a_job_of_the_newest_run_is_explained(goodwatt: Command) -> None:
    goodwatt(*CALL)
    goodwatt("replay", "jobs.csv", "-c", "two.yaml", "-p", "sjf", "--no-report")
    goodwatt("compare", "jobs.csv", "-c", "two.yaml", "-p", "fifo", "--workers", "1", "--no-report")
    assert latest_replay() == Path("goodwatt-out-2")
    assert goodwatt("explain", "a").status == 0


def test_without_any_run_the_name_is_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "goodwatt-out-of-mine").mkdir()
    (tmp_path / "goodwatt-out-of-mine" / "summary.json").touch()
    assert latest_replay() == Path("goodwatt-out")


def test_an_earlier_run_is_replaced_whole_and_said_to_be(goodwatt: Command) -> None:
    first = goodwatt("replay", "jobs.csv", "-c", "two.yaml", "-p", "fifo", "--out", "out")
    assert "replaces" not in first.err
    goodwatt.write("out/notes.txt", "mine")
    second = goodwatt(
        "compare", "jobs.csv", "-c", "two.yaml", "-p", "fifo", "--workers", "1", "--no-report", "--out", "out"
    )
    assert "out holds an earlier run, which this one replaces" in second.err
    assert names("out") == {"comparison.csv", "comparison.json", "manifest.json", "notes.txt"}


@pytest.mark.parametrize("manifest", [None, "no JSON", "[]", '{"name": "a manifest of something else"}'])
def test_files_that_are_not_ours_are_never_taken_away(goodwatt: Command, manifest: str | None) -> None:
    if manifest is not None:
        goodwatt.write("manifest.json", manifest)
    trace = Path("jobs.csv").read_text(encoding="utf-8")
    message = goodwatt(*CALL, "--out", ".").message
    assert message.startswith(
        "--out .: expected a folder without jobs.csv or with an earlier run, got one with a jobs.csv"
    )
    assert Path("jobs.csv").read_text(encoding="utf-8") == trace
