"""An MPS control daemon of one's own, in a folder of its own: processes without its environment run beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

PLACES = ("/usr/bin", "/usr/local/nvidia/bin", "/usr/local/bin", "/usr/local/cuda/bin")


class Mps:
    """Use as a context manager; `environment(threads)` is what a client needs to go through the daemon."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mps"))
        found = shutil.which("nvidia-cuda-mps-control", path=os.pathsep.join((os.environ["PATH"], *PLACES)))
        self._control = found or "nvidia-cuda-mps-control"

    def __enter__(self) -> Mps:
        for name in ("pipe", "log"):
            (self.folder / name).mkdir(exist_ok=True)
        subprocess.run([self._control, "-d"], env={**os.environ, **self.environment()}, check=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.say("quit -t 5")

    def environment(self, threads: int | None = None, **more: str) -> dict[str, str]:
        """What a client needs in its environment; `threads`: its active-thread percentage."""
        folders = {f"CUDA_MPS_{name.upper()}_DIRECTORY": str(self.folder / name) for name in ("pipe", "log")}
        percent = {"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": str(threads)} if threads else {}
        return folders | percent | more

    def say(self, command: str) -> str:
        """One command to the control daemon; its answer, or what went wrong."""
        try:
            done = subprocess.run(
                [self._control],
                input=command + "\n",
                env={**os.environ, **self.environment()},
                capture_output=True,
                text=True,
                timeout=15,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "no answer within 15 s"
        return (done.stdout + done.stderr).strip()

    def servers(self) -> list[int]:
        """Process ids of the running servers."""
        return [int(word) for word in self.say("get_server_list").split() if word.isdigit()]

    def clients(self, server: int) -> list[int]:
        """Process ids of the clients of one server."""
        return [int(word) for word in self.say(f"get_client_list {server}").split() if word.isdigit()]

    def log(self) -> str:
        """The end of what the daemon and its server wrote."""
        text = "\n".join(p.read_text(errors="replace")[-6000:] for p in sorted((self.folder / "log").glob("*.log")))
        return text[-12000:]
