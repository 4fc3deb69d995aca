"""What the data costs: watts of the same kernels on zeros, on one constant, on weights as they are drawn, on noise.

    PYTHONPATH=src:benchmarks python -m h200.data_power OUT.json

And whether a ResNet in training, whose watts fell in some runs at the same rate, computes on NaN by then.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from h200.worker import resnet50_train

from goodwatt.power.device.interface import SystemTimer
from goodwatt.power.device.measuring import measured
from goodwatt.power.device.nvml import NvmlGpu, open_gpu


def watts(gpu: NvmlGpu, torch: Any, work: Callable[[], object], seconds: float = 1.5) -> dict[str, float]:
    """Iterations per second and watts of a kernel kept running."""
    import threading

    stop, count = threading.Event(), [0]

    def loop() -> None:
        while not stop.is_set():
            for _ in range(4):
                work()
            torch.cuda.synchronize()
            count[0] += 4

    thread = threading.Thread(target=loop)
    thread.start()
    time.sleep(0.8)
    before, start_s = count[0], time.monotonic()
    window = measured(gpu, SystemTimer(), seconds)
    rate = (count[0] - before) / (time.monotonic() - start_s)
    stop.set()
    thread.join()
    return {"rate": round(rate, 2), "watts": round(window.watts, 1), "clock_mhz": round(window.clock_mhz)}


def main() -> None:
    import torch

    gpu, rows = open_gpu(), list[dict[str, Any]]()
    fills: dict[str, Callable[[Any], Any]] = {
        "zeros": lambda t: t.zero_(),
        "one constant": lambda t: t.fill_(0.7),
        "half zeros": lambda t: t.normal_().relu_(),
        "normal": lambda t: t.normal_(),
    }
    for name, fill in fills.items():
        left, right, out = (fill(torch.empty(8192, 8192, device="cuda", dtype=torch.bfloat16)) for _ in range(3))
        source = fill(torch.empty(2**30, device="cuda", dtype=torch.bfloat16))
        target = torch.empty_like(source)
        kernels = {"gemm": partial(torch.mm, left, right, out=out), "copy": partial(target.copy_, source)}
        for work, run in kernels.items():
            rows.append({"work": work, "data": name, **watts(gpu, torch, run)})
            print(rows[-1], flush=True)
    step = resnet50_train(torch)
    for repeat in range(4):
        found = watts(gpu, torch, step, 2.0)
        rows.append({"work": "resnet50_train", "data": f"measurement {repeat + 1}", **found, "nan": _is_nan(step)})
        print(rows[-1], flush=True)
    Path(sys.argv[1]).write_text(json.dumps(rows, indent=1), encoding="utf-8")


def _is_nan(step: Any) -> bool:
    """Whether the network that the step closes over has NaN among its weights."""
    network = next(cell.cell_contents for cell in step.__closure__ if hasattr(cell.cell_contents, "state_dict")
                   and hasattr(cell.cell_contents, "forward"))  # fmt: skip
    return any(bool(value.isnan().any()) for value in network.state_dict().values() if value.is_floating_point())


if __name__ == "__main__":
    main()
