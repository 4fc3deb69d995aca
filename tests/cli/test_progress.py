"""Progress: a bar on a terminal, a plain line now and then elsewhere, always on stderr."""

from __future__ import annotations

import sys

import pytest

from goodwatt.cli import progress as module
from goodwatt.cli.progress import progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("goodwatt.cli.progress.time.monotonic", lambda: now[0])
    return now


def test_a_plain_line_now_and_then(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("comparing", 4000, "runs") as advance:
        for done in range(0, 4000, 400):
            clock[0] += 3.0
            advance(done, "fifo")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "goodwatt: comparing: 1,200 of 4,000 runs fifo",
        "goodwatt: comparing: 2,800 of 4,000 runs fifo",
    ]


def test_short_work_says_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("fifo", 10, "jobs ended") as advance:
        for done in range(10):
            clock[0] += 0.5
            advance(done, "")
    assert capsys.readouterr() == ("", "")


def test_lines_have_no_trailing_blank(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("fifo", 10, "jobs ended") as advance:
        clock[0] += module.PLAIN_EVERY_S
        advance(3, "")
    assert capsys.readouterr().err == "goodwatt: fifo: 3 of 10 jobs ended\n"


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    with progress("comparing", 8, "runs") as advance:
        advance(3, "tiresias")
    out, err = capsys.readouterr()
    assert out == ""
    assert "comparing tiresias" in err
    assert "3/8" in err
    assert err.endswith("\x1b[2K"), "the bar is wiped away at the end"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_goes_wrong_inside_comes_out(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with pytest.raises(KeyboardInterrupt), progress("x", 1, "y"):
        raise KeyboardInterrupt
