"""Put the files of several runs of `phases.py` or `faults.py` into one small file to publish.

python benchmarks/h200/merge.py benchmarks/results/h200_phases.json RUN1.json RUN2.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ABOUT = (
    "Measured on a lent NVIDIA H200 at default clocks and 700 W limit, PyTorch 2.11, CUDA 13.0; settings only read. "
    "rates: iterations/s in the order of works, watts: NVML energy counter over about 2.1 s, counters: GPM shares of "
    "the whole GPU. mode: alone (one process, beside an idle one), timeslice, mps, mps50 (every client at 50% of the "
    "threads). decode depends on the host's speed, decode_graph does not. session: machine held in one piece."
)


def main() -> None:
    out, *paths = (Path(word) for word in sys.argv[1:])
    rows, gpu = list[dict[str, Any]](), dict[str, Any]()
    for number, path in enumerate(paths, 1):
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content["rows"] if isinstance(content, dict) else [_short(row) for row in content]
        gpu |= content.get("gpu", {}) if isinstance(content, dict) else {}
        rows += [{"session": number, **row} for row in found]
    facts = {"gpu": {key: gpu[key] for key in ("name", "driver") if key in gpu}, "date": "2026-11-21"}
    head = json.dumps({"about": ABOUT, **facts})[:-1]
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
