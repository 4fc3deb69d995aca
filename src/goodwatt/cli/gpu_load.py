"""A process that loads a GPU with one of the built-in kernels, seen from the outside: started, told, counted."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType

from goodwatt.cli.gpu_kernels import BACKENDS
from goodwatt.power.device.interface import DeviceError

START_S = 180.0
"""A cold start of torch from a network disk takes minutes."""


def backend() -> str | None:
    """The first of torch and cupy that is installed; None if neither is."""
    return next((name for name in BACKENDS if importlib.util.find_spec(name)), None)


class LoadProcess:
    """Use as a context manager. Raises DeviceError for whatever the process reports or if it dies."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(  # noqa: S603  this very Python, with a module of this package
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            text=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise DeviceError("the process that loads the GPU has no pipes")
        self._to, self._from = self._process.stdin, self._process.stdout
        self._words = list[str]()
        self._counts = list[tuple[float, float]]()
        self._changed = threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> LoadProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ready(self) -> None:
        """Wait until it holds its context."""
        self._await("ready", START_S)

    def run(self, name: str) -> None:
        """Start a kernel; returns when it runs, warm."""
        self.begin(name)
        self.await_running()

    def begin(self, name: str) -> None:
        """Ask for a kernel without waiting for it."""
        with self._changed:
            self._counts.clear()
        self._tell(f"run {name}")

    def await_running(self) -> None:
        """Wait for what `begin` asked for."""
        self._await("running", START_S)

    def stop(self) -> None:
        """Stop the kernel; the context stays."""
        self._tell("stop")
        self._await("stopped", 60.0)

    def rate(self, start_s: float, end_s: float) -> float:
        """Iterations per second between two moments of the monotonic clock."""
        end = time.monotonic() + 5.0
        with self._changed:
            self._changed.wait_for(lambda: bool(self._counts) and self._counts[-1][0] >= end_s, end - time.monotonic())
            counts = list(self._counts)
        return (_at(counts, end_s) - _at(counts, start_s)) / (end_s - start_s)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._to.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(30)
        self._listener.join(5)
        self._from.close()

    def _tell(self, line: str) -> None:
        try:
            self._to.write(line + "\n")
            self._to.flush()
        except OSError:
            raise DeviceError(f"the process that loads the GPU ended with status {self._process.poll()}") from None

    def _await(self, word: str, limit_s: float) -> None:
        def arrived() -> bool:
            return any(w in {word, "ended"} or w.startswith("error") for w in self._words)

        with self._changed:
            if not self._changed.wait_for(arrived, limit_s):
                raise DeviceError(f"the process that loads the GPU was not {word} within {limit_s:g} s")
            found = next(w for w in self._words if w in {word, "ended"} or w.startswith("error"))
            if found == word:
                del self._words[: self._words.index(word) + 1]
                return
            self._words.remove(found)
        if found == "ended":
            raise DeviceError(f"the process that loads the GPU ended with status {self._process.wait(30)}")
        raise DeviceError(f"the GPU's kernel failed: {found.removeprefix('error ')}")

    def _listen(self) -> None:
        for line in self._from:
            with self._changed:
                if line.startswith("count "):
                    _, t_s, done = line.split()
                    self._counts.append((float(t_s), float(done)))
                else:
                    self._words.append(line.strip())
                self._changed.notify_all()
        with self._changed:
            self._words.append("ended")
            self._changed.notify_all()


def kernel_process(name: str, environment: Mapping[str, str]) -> LoadProcess:
    """A process with the built-in kernels of a backend, in this environment with `environment` on top."""
    return LoadProcess([sys.executable, "-m", "goodwatt.cli.gpu_kernels", name], environment)


def _at(counts: list[tuple[float, float]], t_s: float) -> float:
    """Iterations finished by a moment, between two counts in proportion."""
    place = bisect_left(counts, (t_s, 0.0))
    if not 0 < place < len(counts):
        raise DeviceError("the kernel on the GPU stood still while it was measured")
    (t0, n0), (t1, n1) = counts[place - 1], counts[place]
    return n0 + (n1 - n0) * (t_s - t0) / (t1 - t0)
