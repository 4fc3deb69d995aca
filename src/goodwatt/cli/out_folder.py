"""Where results go: a folder that holds one run, and never a file of the user's that bears the name of one of ours.

Without `--out` each run gets a folder of its own: goodwatt-out, goodwatt-out-2 and so on. A folder that is named and
holds an earlier run, which its manifest.json tells, is taken over: files of that run go when those of the new one come.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path

from goodwatt.cli.inputs import note
from goodwatt.errors import InputError
from goodwatt.simulator.records.outputs import COMPARISON_FILES, RUN_FILES, SHARED_FILES

DEFAULT = "goodwatt-out"
MANIFEST = "manifest.json"
_NAME = re.compile(rf"{DEFAULT}(-\d+)?")
OURS = (*RUN_FILES, *COMPARISON_FILES, *SHARED_FILES)


def take_folder(out: Path | None) -> Path:
    """The folder, made before the work begins. Raises InputError where it cannot be written to or holds the user's."""
    if out is None:
        return _fresh()
    make_folder(out)
    held = [name for name in OURS if (out / name).exists()]
    if held and not _is_of_a_run(out):
        raise InputError(
            f"--out {out}: expected a folder without {held[0]} or with an earlier run, got one with a {held[0]} that "
            f"no manifest.json tells of: name another folder, or move it away"
        )
    if held:
        note(f"{out} holds an earlier run, which this one replaces")
    return out


def latest_replay() -> Path:
    """The newest of the default's folders with a replay in it; the first one's name if there is none."""
    numbered = (path for path in Path().glob(f"{DEFAULT}*") if _NAME.fullmatch(path.name))
    left = [summary for path in numbered if (summary := path / "summary.json").is_file()]
    return max(left, key=lambda summary: summary.stat().st_mtime_ns).parent if left else Path(DEFAULT)


def make_folder(out: Path) -> None:
    """Make a folder that can be written to. Raises InputError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: expected a folder to write to, got {error.strerror or error}") from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise InputError(f"--out {out}: expected a folder to write to, got one that is read-only")


def _fresh() -> Path:
    """The first of the default's folders that is not there: one that is may be of a run that goes on, still empty."""
    for number in itertools.count(1):
        path = Path(DEFAULT if number == 1 else f"{DEFAULT}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        except OSError:
            make_folder(path)  # says why not
        return path
    raise AssertionError("numbers do not end")


def _is_of_a_run(folder: Path) -> bool:
    """Whether a manifest says that goodwatt wrote what is there."""
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and {"command", "version"} <= said.keys()
