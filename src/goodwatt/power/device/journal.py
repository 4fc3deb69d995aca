"""What a GPU's settings were before goodwatt changed them, on disk before the first change, and putting them back.

A journal is one file per GPU in one folder. It is written and flushed before anything changes, held under a lock of
the operating system while its process lives, and deleted only when the settings stand as before. So a journal that
nobody locks is what a crash left: `restore` makes it good. NVML does not tell a locked clock, so the caller says
what was locked before, if anything was.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from goodwatt.errors import RunError
from goodwatt.power.device.interface import DeviceError, DeviceLostError, GpuDevice, NotPermittedError, Timer

CAP_SLACK_W = 1.0
ATTEMPTS, PAUSE_S = 3, 0.5
"""A driver that is busy may refuse once."""


@dataclass(frozen=True, slots=True)
class Before:
    """Settings as they stood. `clock_mhz`: a lock that the user said was there; None for none."""

    uuid: str
    name: str
    cap_w: float
    clock_mhz: float | None = None


def default_folder() -> Path:
    """Where journals lie unless somebody says otherwise: $XDG_STATE_HOME/goodwatt/gpu-settings."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "goodwatt" / "gpu-settings"


class Journal:
    """The journal of one GPU: `with Journal(folder, device, timer) as journal:` around every change.

    Entering restores first what a crash left, then writes; leaving restores, whatever happened inside. Raises
    RunError if another process is at it, or if the settings could not be put back (the file stays then).
    """

    def __init__(self, folder: Path, device: GpuDevice, timer: Timer, clock_mhz: float | None = None) -> None:
        self._device, self._timer, self._clock_mhz = device, timer, clock_mhz
        self.path = path_of(folder, device.facts().uuid)
        self._file = -1

    def __enter__(self) -> Journal:
        self._file = _locked(self.path)
        try:
            if left := _read(self.path):
                put_back(self._device, self._timer, left)
            facts = self._device.facts()
            _write(self.path, Before(facts.uuid, facts.name, self._device.cap_w(), self._clock_mhz))
        except BaseException:
            os.close(self._file)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with _undisturbed():
                restored(self.path, self._device, self._timer)
        finally:
            os.close(self._file)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and polite kills wait until this is over."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def pending(folder: Path) -> list[Path]:
    """Journals in a folder that no living process holds: what crashes left."""
    found = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return [path for path in found if _read(path) and not _held(path)]


def restore(folder: Path, device: GpuDevice, timer: Timer) -> Before | None:
    """Put back what a crash left on this GPU; what was put back, or None if nothing was left.

    Raises RunError if another process is at it, DeviceError if the settings could not be put back.
    """
    path = path_of(folder, device.facts().uuid)
    if not path.exists() or _read(path) is None:
        return None
    file = _locked(path)
    try:
        return restored(path, device, timer)
    finally:
        os.close(file)


def restored(path: Path, device: GpuDevice, timer: Timer) -> Before | None:
    """Put back what a journal says, then delete it; the caller holds its lock."""
    before = _read(path)
    if before is not None:
        put_back(device, timer, before)
    path.unlink(missing_ok=True)
    return before


def put_back(device: GpuDevice, timer: Timer, before: Before) -> None:
    """Clock and cap as they stood, each tried whatever becomes of the other. Raises DeviceError if one is not."""

    def clock() -> None:
        device.unlock_clock() if before.clock_mhz is None else device.lock_clock(before.clock_mhz)

    def cap() -> None:
        device.set_cap(before.cap_w)
        now_w = device.cap_w()
        if abs(now_w - before.cap_w) > CAP_SLACK_W:
            raise DeviceError(f"its cap reads {now_w:g} W after {before.cap_w:g} W was set")

    problems = [problem for what in (clock, cap) if (problem := _tried(what, timer))]
    if problems:
        told = f"a clock lock of {before.clock_mhz:g} MHz" if before.clock_mhz else "no clock lock"
        raise DeviceError(
            f"GPU {before.uuid} could not be put back to {told} and a cap of {before.cap_w:g} W: "
            f"{'; '.join(problems)}. Its journal is kept: run goodwatt calibrate --restore as root"
        )


def path_of(folder: Path, uuid: str) -> Path:
    """The journal of a GPU."""
    return folder / f"{uuid}.json"


def _tried(what: Callable[[], None], timer: Timer) -> str:
    """Try a few times; "" once it worked, else what went wrong last."""
    problem = ""
    for attempt in range(ATTEMPTS):
        try:
            what()
        except DeviceError as error:
            problem = str(error)
            if isinstance(error, NotPermittedError | DeviceLostError) or attempt == ATTEMPTS - 1:
                return problem
            timer.sleep(PAUSE_S)
        else:
            return ""
    return problem


def _locked(path: Path) -> int:
    """An open, locked file descriptor. Raises RunError if another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise RunError(f"another process changes this GPU's settings now: it holds {path}") from None
    if path.exists() and path.stat().st_ino == os.fstat(file).st_ino:
        return file
    os.close(file)  # whoever held it has just finished and deleted it
    return _locked(path)


def _held(path: Path) -> bool:
    file = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _read(path: Path) -> Before | None:
    """What a journal says; None if it was not written to its end: its process died before it changed anything."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    if not text.endswith("\n"):
        return None
    try:
        return Before(**json.loads(text))
    except (ValueError, TypeError):
        raise RunError(
            f"{path}: expected the settings of a GPU as goodwatt wrote them; look at it, then delete it"
        ) from None


def _write(path: Path, before: Before) -> None:
    """On disk before this returns; in place, because the lock is on this very file."""
    with path.open("r+", encoding="utf-8") as file:
        file.truncate()
        file.write(json.dumps(asdict(before)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
