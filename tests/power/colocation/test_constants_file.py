"""Fitted numbers go into the modules that ship them, and nothing else changes there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODULE = """A = Law(
    turn=1.0,
    long_us=NEVER,
    source="1.0",
)
B = Law(turn=1.0, sm=0.5, source="turn=2.0 data")
C = {"x": 0.1, "y": 0.2}
D, E = 1.0, 2.0
"""


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])


def test_only_the_numbers_named_change(tmp_path: Path) -> None:
    from calibration.constants_file import set_fields, set_tuple

    path = tmp_path / "module.py"
    path.write_text(MODULE, encoding="utf-8")
    set_fields(path, "A", {"turn": 1.5})
    set_fields(path, "B", {"sm": 0.25})
    set_fields(path, "C", {"y": 0.3})
    set_tuple(path, "D, E", (1.0, 0.25))
    expected = MODULE.replace("turn=1.0,\n", "turn=1.5,\n").replace("sm=0.5", "sm=0.25").replace("0.2}", "0.3}")
    assert path.read_text(encoding="utf-8") == expected.replace("1.0, 2.0\n", "1.0, 0.25\n")


def test_a_name_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    from calibration.constants_file import set_fields

    path = tmp_path / "module.py"
    path.write_text(MODULE, encoding="utf-8")
    with pytest.raises(AssertionError, match="A has long_us 0 times"):
        set_fields(path, "A", {"long_us": 1.0})
    with pytest.raises(AssertionError, match="no Z"):
        set_fields(path, "Z", {"turn": 1.0})
