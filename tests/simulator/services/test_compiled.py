"""Compiled functions are kept by what they were made of."""

import os
import time
from pathlib import Path

import numba
import pytest

from goodwatt.simulator.services import compiled


def test_they_are_kept_below_the_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    old, new = tmp_path / "goodwatt" / "compiled-old", tmp_path / "goodwatt" / "compiled-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    long_ago = time.time() - 2 * compiled.UNUSED_S
    os.utime(old, (long_ago, long_ago))
    assert compiled._kept()
    assert Path(numba.config.CACHE_DIR).parent == tmp_path / "goodwatt"  # type: ignore[attr-defined]
    assert not old.exists()
    assert new.exists()


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert not compiled._kept()
