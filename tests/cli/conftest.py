"""The command, called in an empty folder with a small trace and a small cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import CLUSTER, TABLE, Command


@pytest.fixture
def goodwatt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    (tmp_path / "jobs.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "two.yaml").write_text(CLUSTER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path, capsys)
