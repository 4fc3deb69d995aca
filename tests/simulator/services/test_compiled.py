"""Compiled functions are kept by what they were made of."""

import os
import time
from pathlib import Path

import numba
import pytest

from goodwatt.simulator.services import compiled


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")


def kept_in() -> Path:
    return Path(numba.config.CACHE_DIR)  # type: ignore[attr-defined] # made when it is imported


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "NUMBA_CACHE_DIR"])
def test_they_are_kept_by_their_sources_where_the_user_says(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path))
    assert compiled._kept()
    assert kept_in() == tmp_path / "goodwatt" / f"compiled-{compiled._fingerprint()}"


def test_what_nobody_has_run_for_long_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    of_others = [tmp_path / "goodwatt" / f"compiled-{name}" for name in ("old", "new")]
    assert compiled._kept()
    (kept_in() / "function").touch()
    for folder in of_others:
        folder.mkdir()
    long_ago = time.time() - 2 * compiled.UNUSED_S
    for folder in (of_others[0], kept_in()):
        os.utime(folder, (long_ago, long_ago))
    assert compiled._kept()
    assert [folder.exists() for folder in of_others] == [False, True]
    assert (kept_in() / "function").exists()  # it is old, but in use


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert not compiled._kept()


def test_a_user_without_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert not compiled._kept()
