"""Runs every calibration in the order in which they need each other, and says which shipped figures it changed.

    python benchmarks/calibration/all.py [--write]

Each runs in its own process, because it reads what those before it wrote. Without `--write` nothing changes; with it a
second run must change nothing. Needs the public data in ../shared. What each fits stands in README.md beside this.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1]
ROOT = BENCHMARKS.parent
SHIPPED = ("cluster/gpus", "power")
STEPS = (
    "h200_counters",
    "clock_sweeps",
    "zeus_power",
    "a100_grid",
    "b300_caps",
    "derived_kinds",
    "vidur_collectives",
    "serving",
    "h200_pairs",
    "h200_beside",
    "miso_mig",
    "workloads",
    "step_serving",
)
"""Those that write, by what they need: kinds of GPUs, kinds derived from them, wires, serving, sharing, the classes,
serving without tokens."""
SHOWN = ("gavel_pairs", "lucid_pairs", "parvagpu", "node_power", "sia_scaling", "rubick_scaling")
"""Those that write nothing: demands that only the fidelity tables use, and figures that are entered by hand."""


def shipped() -> dict[str, str]:
    """Digest of every file that a calibration may write."""
    folder = ROOT / "src" / "goodwatt"
    files = (path for part in SHIPPED for end in ("yaml", "py") for path in (folder / part).rglob(f"*.{end}"))
    return {str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def run(step: str, write: bool) -> int:
    """One calibration; its output goes straight through."""
    command = [sys.executable, "-m", f"calibration.{step}", *(["--write"] if write else [])]
    print(f"== {step}", flush=True)
    start = time.monotonic()
    status = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(BENCHMARKS)}, check=False
    ).returncode
    print(f"   {time.monotonic() - start:.0f} s" + (f", exit status {status}" if status else ""), flush=True)
    return status


def main() -> int:
    write, before = "--write" in sys.argv, shipped()
    failed = [step for step in STEPS if run(step, write)]
    if not write:
        failed += [step for step in SHOWN if run(step, write=False)]
    after = shipped()
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    print("shipped files changed: " + (", ".join(changed) if changed else "none"))
    if failed:
        print("failed: " + ", ".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
