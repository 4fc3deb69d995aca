"""The laws on ParvaGPU's inference on MIG slices with several equal MPS processes in each (A100-80GB), shown only.

The data hold throughput, no telemetry. Slices: how hard a model at a batch size presses on the SMs is read off its
smallest slice against the whole GPU (one process), and predicts the slices between. Processes: its busy share is read
off two processes in a slice and predicts three to five there. No constant is fitted: the laws are those shipped.

    PYTHONPATH=benchmarks python benchmarks/calibration/parvagpu.py
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import replace

from calibration.held_out import HeldOut, mean_absolute
from measured import SHARED, need

from goodwatt.power.colocation.interference_constants import MIG, MPS
from goodwatt.power.colocation.interference_law import Presence, stretches
from goodwatt.power.colocation.interference_scaling import slice_stretch

FILE = SHARED / "data" / "parvagpu_mig_mps" / "a100_80gb_mig_mps_inference.csv.gz"
MEMORY = {1: 1 / 8, 2: 2 / 8, 3: 4 / 8, 4: 4 / 8, 7: 1.0}
Runs = dict[tuple[str, str, int, int], float]


def read_runs() -> Runs:
    """Requests per second of one process, by (model, batch, compute slices, processes); what did not run is absent."""
    with gzip.open(need(FILE), "rt", newline="") as text:
        rows = list(csv.DictReader(text))
    return {
        (r["model"], r["batch_size"], int(r["mig_gpcs"]), int(r["n_mps_procs"])): rate
        for r in rows
        if (rate := float(r["throughput_per_proc_rps"])) > 0.0
    }


def slices(runs: Runs) -> list[HeldOut]:
    """Speeds of one process on 2, 3 and 4 slices relative to the whole GPU."""
    found = []
    for (model, batch, gpcs, count), rate in runs.items():
        ends = runs.get((model, batch, 1, 1)), runs.get((model, batch, 7, 1))
        if count != 1 or gpcs in (1, 7) or ends[0] is None or ends[1] is None:
            continue
        pressure = _solve(lambda s: _slice_speed(s, 1), ends[0] / ends[1])
        found.append(HeldOut(model, rate / ends[1], _slice_speed(pressure, gpcs)))
    return found


def processes(runs: Runs) -> list[HeldOut]:
    """Speeds of each of 3 to 5 equal processes in a slice relative to one there."""
    found = []
    for (model, batch, gpcs, count), rate in runs.items():
        one, two = runs.get((model, batch, gpcs, 1)), runs.get((model, batch, gpcs, 2))
        if count > 2 and one and two:
            busy = _solve(lambda b: _crowd_speed(b, 2), two / one)
            found.append(HeldOut(model, rate / one, _crowd_speed(busy, count)))
    return found


def _slice_speed(pressure: float, gpcs: int) -> float:
    return 1.0 / slice_stretch(pressure, 0.0, gpcs / 7, MEMORY[gpcs], MIG)


def _crowd_speed(busy: float, count: int) -> float:
    law = replace(MPS, overhead=0.0, overlap=0.0)  # what two processes cost says all about their overlap
    return 1.0 / stretches([Presence(busy, 1.0, 1.0, 0.0)] * count, law)[0]


def _solve(falling: Callable[[float], float], value: float) -> float:
    """Argument of 0 to 1.5 at which a falling function has the value, or the nearer end."""
    low, high = 1e-6, 1.5
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > value else (low, middle)
    return low


def main() -> None:
    runs = read_runs()
    for name, found in (("slices", slices(runs)), ("processes", processes(runs))):
        print(f"{name}: n={len(found)} MAE of the speed {mean_absolute(found):.4f}")


if __name__ == "__main__":
    main()
