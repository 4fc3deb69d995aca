"""What PyTorch jobs see under MPS when one of them is killed: the same as the small clients of `faults`, or not.

PYTHONPATH=src:benchmarks python -m h200.killed_torch OUT.json
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from h200.mps import Mps
from h200.phases import processes

from goodwatt.power.device.interface import DeviceError

ENDINGS: dict[str, int | None] = {
    "SIGKILL": signal.SIGKILL,
    "SIGTERM": signal.SIGTERM,
    "SIGINT": signal.SIGINT,
    "terminate_client": None,
}


def seen(ending: str, number: int | None, server: Mps | None) -> dict[str, Any]:
    """Three jobs run GEMMs, the first is ended; whether the others still run three seconds later."""
    with processes(3, server.environment() if server else {}) as jobs:
        for job in jobs:
            job.run("gemm")
        time.sleep(1.0)
        if number is not None:
            jobs[0].signal(number)
        elif server:
            server.say(f"terminate_client {server.servers()[0]} {jobs[0].pid}")
        time.sleep(3.0)
        row: dict[str, Any] = {"ending": ending, "mode": "mps" if server else "time-slicing", "neighbours": []}
        for job in jobs[1:]:
            try:
                job.stop()
                row["neighbours"].append("runs on")
            except DeviceError as error:
                row["neighbours"].append(str(error))
        print(row, flush=True)
    return row


def main() -> None:
    rows = list[dict[str, Any]]()
    for ending, number in ENDINGS.items():
        with Mps() as server:
            rows.append(seen(ending, number, server))
    rows.append(seen("SIGKILL", signal.SIGKILL, None))
    Path(sys.argv[1]).write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
