"""What the benchmarks share: commands measured as whole processes, a fixed loop beside them, tables and JSON.

CPU seconds and peak memory are the operating system's account of the finished process. Machines differ and are
shared, so every figure stands beside that of a fixed Python loop measured in the same run: compare the ratios.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
RESULTS = ROOT / "benchmarks" / "results"
GOODWATT = str(Path(sys.executable).with_name("goodwatt"))
LOOP = "for i in range(10_000_000): pass"


@dataclass(frozen=True)
class Measured:
    """One finished process."""

    cpu_s: float
    wall_s: float
    peak_mib: float
    status: int


def measure(command: Sequence[str]) -> Measured:
    """Run a command to its end, its output thrown away."""
    start = time.monotonic()
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    pid = os.posix_spawn(command[0], list(command), dict(os.environ), file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    os.close(null)
    cpu_s = usage.ru_utime + usage.ru_stime
    return Measured(cpu_s, time.monotonic() - start, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))


def loop_s() -> float:
    """CPU seconds of the fixed loop: ten million turns of an empty for."""
    return measure([sys.executable, "-c", LOOP]).cpu_s


def report(name: str, title: str, rows: Sequence[Mapping[str, Any]], **facts: Any) -> None:
    """Print the rows as a table and write them, with what made them, to benchmarks/results/NAME.json."""
    print_table(title, rows)
    write_results(name, **facts, rows=list(rows))


def print_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows as a table; all have the columns of the first."""
    table = Table(title=title, title_justify="left")
    for key in rows[0]:
        table.add_column(key, justify="left" if isinstance(rows[0][key], str) else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def write_results(name: str, **content: Any) -> None:
    """What was found, with what made it, as benchmarks/results/NAME.json."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    made_by = {"command": " ".join(sys.argv), "machine": _machine(), "commit": _commit()}
    (RESULTS / f"{name}.json").write_text(json.dumps({**made_by, **content}, indent=2) + "\n", encoding="utf-8")
    Console().print(f"wrote {RESULTS.relative_to(ROOT) / name}.json", highlight=False)


def need(path: Path) -> Path:
    """A file of the public data; ends the benchmark with the reason where it is absent."""
    if not path.exists():
        print(f"not run: {path} is absent (public traces, see docs/reference/job-table.md)")
        raise SystemExit(0)
    return path


def _text(value: Any) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _machine() -> dict[str, Any]:
    return {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip()
