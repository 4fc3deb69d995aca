"""The command as a person calls it: in this process, which is fast, or in one of its own, which can be interrupted."""

from __future__ import annotations

import csv
import gc
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
import pytest

from goodwatt.cli.main import run

TABLE = """\
job_id,submit_s,num_gpus,duration_s,user
a,0,8,100,ann
b,5,2,60,bob
c,10,1,60,ann
d,20,4,200,bob
e,1000,8,50,ann
"""

CLUSTER = """\
name: two
nodes:
  - {count: 2, gpu: V100-SXM2, gpus: 4}
power: {pue: 1.5, host_idle_w: 100, host_max_w: 300}
"""


@dataclass(frozen=True)
class Outcome:
    """What a call left on the screen."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        return orjson.loads(self.out)

    @property
    def message(self) -> str:
        """The one message of a call that was wrong: nothing on stdout, status 2, no traceback."""
        assert self.status == 2, self
        assert self.out == ""
        assert "Traceback" not in self.err
        assert self.err.count("goodwatt: ") == 1, self.err
        return self.err.removeprefix("goodwatt: ")


@dataclass(frozen=True)
class Command:
    """Calls in a folder that holds jobs.csv and two.yaml."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> Outcome:
        """In this process."""
        self.capture.readouterr()
        threshold = gc.get_threshold()
        try:
            with patch.object(sys, "argv", ["goodwatt", *map(str, arguments)]), pytest.raises(SystemExit) as exit_:
                run()
        finally:
            gc.set_threshold(*threshold)
        code = exit_.value.code
        return Outcome(code if isinstance(code, int) else int(code is not None), *self.capture.readouterr())

    def start(
        self, *arguments: object, path: Path | None = None, own_group: bool = True, **environment: str
    ) -> subprocess.Popen[str]:
        """In a process of its own; `path` is where somebody else's distribution lies."""
        more: Mapping[str, str] = {"PYTHONPATH": str(path)} if path is not None else {}
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "goodwatt", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "PYTHONWARNINGS": "default", **more, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=own_group,
        )

    def outside(self, *arguments: object, path: Path | None = None) -> Outcome:
        """In a process of its own, to its end."""
        process = self.start(*arguments, path=path)
        out, err = process.communicate(timeout=60)
        return Outcome(process.returncode, out, err)

    def replay(self, *arguments: object, policy: str = "fifo", out: str = "out") -> Outcome:
        """A replay of jobs.csv on two.yaml, without a report."""
        return self(
            "replay", "jobs.csv", "--cluster", "two.yaml", "--policy", policy, "--out", out, "--no-report", *arguments
        )

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def rows(self, name: str) -> list[dict[str, str]]:
        """A CSV file that was written."""
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def content(self, name: str) -> Any:
        """A JSON file that was written."""
        return orjson.loads((self.folder / name).read_bytes())
