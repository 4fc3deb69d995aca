"""Device memory and watts that a process takes by holding a CUDA context, alone and under MPS; and cupy's kernels.

PYTHONPATH=src:benchmarks python -m h200.contexts OUT.json
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from h200.mps import Mps
from h200.phases import processes

from goodwatt.cli.gpu_kernels import BUILDERS
from goodwatt.cli.gpu_load import kernel_process
from goodwatt.power.device.interface import DeviceError, SystemTimer
from goodwatt.power.device.measuring import measured
from goodwatt.power.device.nvml import NvmlGpu, open_gpu


def contexts(gpu: NvmlGpu, mode: str, environment: dict[str, str]) -> list[dict[str, Any]]:
    """Memory in use and watts with no, one and two idle processes."""
    rows = list[dict[str, Any]]()
    for count in (0, 1, 2):
        with processes(count, environment):
            time.sleep(1.0)
            rows.append({
                "mode": mode,
                "processes": count,
                "memory_mib": gpu.read().memory_used_mib,
                "watts": round(measured(gpu, SystemTimer(), 1.0).watts, 1),
            })  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def cupy_kernels(gpu: NvmlGpu) -> list[dict[str, Any]]:
    """Each kernel of the cupy backend for a second."""
    rows = list[dict[str, Any]]()
    with kernel_process("cupy", {}) as load:
        load.ready()
        for work in BUILDERS["cupy"]:
            try:
                load.run(work)
                time.sleep(0.5)
                window = measured(gpu, SystemTimer(), 1.0)
                row = {"work": work, "rate": load.rate(window.start_s, window.end_s), "watts": window.watts}
                load.stop()
            except DeviceError as error:
                row = {"work": work, "error": str(error)}
            rows.append(row)
            print("cupy", row, flush=True)
    return rows


if __name__ == "__main__":
    device = open_gpu()
    found = {"contexts": contexts(device, "plain", {}), "cupy": cupy_kernels(device)}
    with Mps() as server:
        found["contexts"] += contexts(device, "mps", server.environment())
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1), encoding="utf-8")
