"""Functions compiled to machine code by numba; what they compile to is kept for later runs.

numba forgets what it has kept of a function when that function's own file changes, but not when another does from which
it takes functions or constants. So it is kept in a folder whose name says of which sources it was made, below
`NUMBA_CACHE_DIR` where that is set, else below the user's cache folder. Where nothing can be written there, functions
are compiled anew in every run: some seconds.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])
PACKAGE = Path(__file__).parents[2]
SOURCES = ("power/gpu", "power/serving", "simulator/services")
"""Folders of what is compiled, and of the constants in it."""
UNUSED_S = 30 * 86_400.0
"""What other versions have kept is deleted when nobody has run them for so long."""


def compiled(function: F) -> F:
    """The same function for numbers and for entries of tables, with its loops and its arithmetic in machine code."""
    made: Any = numba.njit(cache=_KEPT, error_model="numpy")(function)
    return made  # type: ignore[no-any-return] # called as the function is


def _kept() -> bool:
    """Choose where compiled functions are kept; whether they can be."""
    try:
        root = _root()
        folder = root / f"compiled-{_fingerprint()}"
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
    except (OSError, RuntimeError):  # nothing can be written, or the user has no home
        return False
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined] # made when it is imported
    _forget_old(root)
    return os.access(folder, os.W_OK)


def _root() -> Path:
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(named) / "goodwatt"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "goodwatt"


def _fingerprint() -> str:
    """Of the sources."""
    paths = (path for folder in SOURCES for path in sorted((PACKAGE / folder).glob("*.py")))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def _forget_old(root: Path) -> None:
    """Folders of versions that nobody has run for long."""
    for folder in root.glob("compiled-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > UNUSED_S:
                shutil.rmtree(folder, ignore_errors=True)


_KEPT = _kept()
