"""Put the files of several runs of `phases`, of `faults` or of `data_power` into one small file to publish.

python benchmarks/h200/merge.py benchmarks/results/h200_phases.json RUN1.json RUN2.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HEAD = (
    "Measured on an NVIDIA H200 (driver 580.159.04, CUDA 13.0, PyTorch 2.11) at default clocks, 700 W; "
    "settings only read. session: one run of the script. "
)
ABOUT = {
    "phases": "rates: iterations/s in the order of works; watts: NVML energy counter over 2.1 s; counters: shares "
    "by GPM of the whole GPU. mode: alone (one process, beside an idle one), timeslice, mps, mps50 (each client at 50% "
    "of the threads). decode depends on the host's speed, decode_graph does not. Data: random bytes or normal weights.",
    "faults": "Three clients compute, something happens to the first. Seconds count from then; rates: kernels/s of "
    "the neighbours before and after, late_client: how long a new one took until it had computed, in how many tries.",
    "data_power": "The same kernels on different data; rates are iterations/s between which the GPU drained.",
}


def main() -> None:
    out, *paths = (Path(word) for word in sys.argv[1:])
    rows = list[dict[str, Any]]()
    for number, path in enumerate(paths, 1):
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content["rows"] if isinstance(content, dict) else [_short(row) for row in content]
        rows += [{"session": number, **row} for row in found]
    head = json.dumps({"about": HEAD + ABOUT[out.stem.removeprefix("h200_")], "date": "2026-11-21"})[:-1]
    lines = ",\n ".join(json.dumps(row) for row in rows)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f'{head}, "rows": [\n {lines}\n]}}\n', encoding="utf-8")
    print(f"{len(rows)} rows, {out.stat().st_size} bytes")


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """A scenario without the daemon's log and the plan of what was to be done."""
    kept: dict[str, Any] = json.loads(
        json.dumps({k: v for k, v in row.items() if k not in {"log", "plan"}}), parse_float=_round
    )
    return kept


def _round(text: str) -> float:
    return round(float(text), 3)


if __name__ == "__main__":
    main()
