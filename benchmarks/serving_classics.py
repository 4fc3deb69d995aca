"""What is known of the energy of serving language models, asked of the model: clocks, batching, pools, measurements.

Energy per output token against the clock at several loads, against the load at the greatest clock and at the best one,
for mixed instances and for pools by the length of prompts; and whether measurements at more than one clock agree. By
simulation request by request, as `goodwatt predict --service` does it, queueing and broken promises included. Energy is
that of all GPUs that an instance holds, at work and waiting. Pictures and tables of the docs: `serving_charts.py`.

    python benchmarks/serving_classics.py [--out FILE]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import serving_pools
from measured import RESULTS, SHARED, print_table, write_results

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.serving.llm_models import llm_model
from goodwatt.power.serving.llm_on_gpu import llm_law
from goodwatt.power.workloads.demand import Setting
from goodwatt.simulator.services.load_trial import ServedLoad, Trial, sampled
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.service_prediction import MARGIN
from goodwatt.simulator.services.serving import serving_of
from goodwatt.traces.requests.generate import class_source

PROMISE = Promise(ttft_s=1.0, tpot_s=0.05)
LOADS = {"light": 0.1, "medium": 0.5, "heavy": 0.85, "overload": 2.0}
"""Shares of the greatest load that keeps the promise at the greatest clock. Overloaded, batches are always full: what
is measured offline, without arrivals."""
SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
CLOCKS = 16
STEPS = 6
"""Bisections of the greatest load, of a factor of two: to 1%."""
GRID = SHARED / "data" / "a100_rtxpro6000_clock_x_cap" / "clock_powercap_grid.csv.gz"
INSTANCE = RESULTS / "h200_serving.json"
BURSTS = {
    "8b prefill 512, 0.03 of 0.3 s": "8b prefill 512",
    "8b prefill 2048, 0.03 of 0.3 s": "8b prefill 2048",
    "8b decode batch 64 context 2048, 0.03 of 0.3 s": "8b decode batch 64 context 2048",
    "8b decode batch 128 context 1024, 0.03 of 0.3 s": "8b decode batch 128 context 1024",
    "8b decode batch 256 context 512, 0.03 of 0.3 s": "8b decode batch 256 context 512",
}
"""The same iterations in bursts too short for the cap, at nearly the greatest clock, and for long, at a slower one."""


@dataclass(frozen=True)
class Case:
    """One instance under requests like Azure's conversations of 2023."""

    name: str
    model: str
    gpu: str
    tensor_parallel: int

    def trial(self) -> Trial:
        """By itself."""
        shape = llm_model(self.model)
        assert shape is not None
        service = Service(
            name="chat",
            model=shape,
            gpu=self.gpu,
            tensor_parallel=self.tensor_parallel,
            promise=PROMISE,
            requests=class_source("chat", mean_per_s=2.0, seed=1),
        )
        serving = serving_of(service, gpu_kind(self.gpu))
        return Trial(serving=serving, instances={"both": 1}, sample=sampled(service.requests), seed=1)


CASES = (
    Case("70B, 4 x H100", "llama-3.1-70b", "H100-SXM", 4),
    Case("8B, H100", "llama-3.1-8b", "H100-SXM", 1),
    Case("8B, A100", "llama-3.1-8b", "A100-SXM4-80GB", 1),
)


def greatest(trial: Trial) -> float:
    """The greatest load at the greatest clock."""
    low = 1.0
    while trial.at(2.0 * low).kept:
        low *= 2.0
    high = 2.0 * low
    for _ in range(STEPS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if trial.at(middle).kept else (low, middle)
    return low


def clock_rows(case: Case, trial: Trial, greatest_per_s: float) -> Iterator[dict[str, Any]]:
    """Each load at clocks from the least to the greatest."""
    clocks = trial.serving.model.clocks_mhz
    places = np.linspace(0, len(clocks) - 1, CLOCKS).round().astype(int)
    for load, share in LOADS.items():
        for place in places.tolist():
            yield {"case": case.name, "load": load, **_told(trial.at(share * greatest_per_s, _at(clocks[place])))}


def load_rows(case: Case, trial: Trial, greatest_per_s: float) -> Iterator[dict[str, Any]]:
    """Each load at the greatest clock and at the least that keeps the promise with a margin, if one does."""
    clocks = trial.serving.model.clocks_mhz
    for share in SHARES:
        rate_per_s = share * greatest_per_s
        full = trial.at(rate_per_s)
        place = _least_clock(trial, rate_per_s)
        best = full if place is None else trial.at(rate_per_s, _at(clocks[place]))
        told = {"best MHz": best.clock_mhz, "best J/token": 1.0 / (best.tokens_per_j or 1.0)}
        yield {"case": case.name, "share": share, **_told(full), **told}


def _least_clock(trial: Trial, rate_per_s: float) -> int | None:
    clocks = trial.serving.model.clocks_mhz
    tight = PROMISE.within(1.0 - MARGIN)

    def keeps(place: int) -> bool:
        return trial.at(rate_per_s, _at(clocks[place]), tight).kept

    low, high = -1, len(clocks) - 1
    if not keeps(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    return high


def _at(clock_mhz: float) -> Setting:
    return Setting(clock_mhz=clock_mhz)


def _told(found: ServedLoad) -> dict[str, Any]:
    return {
        "/s": found.rate_per_s,
        "MHz": found.clock_mhz,
        "J/token": 1.0 / (found.tokens_per_j or 1.0),
        "W/GPU": found.gpu_w,
        "p99 TTFT s": found.p99_s["ttft_s"],
        "p99 TPOT s": found.p99_s["tpot_s"],
        "kept": found.kept,
    }


def burst_rows() -> Iterator[dict[str, Any]]:
    """Joules of an iteration above a context's watts on an H200, measured and by the law, at two clocks each."""
    measured = json.loads(INSTANCE.read_text(encoding="utf-8"))["rows"]
    alone = {row["name"]: row for row in measured if row["part"] in {"decode", "prefill", "bursts"}}
    context_w = float(np.mean([row["watts"] for row in measured if row["name"] == "context"]))
    for burst, steady in BURSTS.items():
        sides = [(_own_j(alone[name], context_w), alone[name]) for name in (burst, steady)]
        told = [_law_j(row) for _, row in sides]
        yield {
            "iteration": steady,
            "burst MHz": _own_mhz(sides[0][1]),
            "steady MHz": _own_mhz(sides[1][1]),
            "burst J": sides[0][0],
            "steady J": sides[1][0],
            "measured change %": 100.0 * (sides[1][0] / sides[0][0] - 1.0),
            "model change %": 100.0 * (told[1] / told[0] - 1.0),
            "burst C": row_c(sides[0][1]),
            "steady C": row_c(sides[1][1]),
        }


def row_c(row: dict[str, Any]) -> float:
    """Degrees of the board."""
    return float(row["temperature_c"])


def _own_j(row: dict[str, Any], context_w: float) -> float:
    return float((row["watts"] - context_w) / row["rate"])


def _own_mhz(row: dict[str, Any]) -> float:
    return float(next(mhz for what, mhz in row["clocks"].items() if what != "gap"))


def _law_j(row: dict[str, Any]) -> float:
    """Of the iteration of a measured row, at its clock."""
    kind, shape = gpu_kind("H200-SXM"), llm_model("llama-3.1-8b")
    assert shape is not None
    model, law = gpu_model(kind), llm_law(shape, kind, 1, "torch")
    tokens = row["cycle"]["cycle"][0]["tokens"]
    chunk, batch, context = tokens["chunk"], tokens["batch"], tokens["context"]
    clock = model.index_of(_own_mhz(row))
    x = model.clocks_mhz[clock] / model.top_mhz
    pairs = chunk * chunk / 2.0 + batch * context
    cost = law.cost(chunk + batch, pairs if chunk else batch * 1.0, max(1, batch), chunk + batch * context, x)
    core_w = model.core_w[clock] * model.stretch[clock]
    return float(core_w * cost.sm_s + model.memory_w * cost.dram_s)


def grid_rows() -> Iterator[dict[str, Any]]:
    """Energy at locked clocks on an A100 over that at the greatest, no cap acting: measured, of plain kernels."""
    if not GRID.exists():
        return
    with gzip.open(GRID, "rt", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if "A100" in row["gpu"] and row["power_cap_w"] == "300"]
    for benchmark in ("babelstream", "pi-solver", "breeze"):
        own = sorted(
            (float(row["sm_clock_mhz"]), float(row["energy_wh"])) for row in rows if row["benchmark"] == benchmark
        )
        for mhz, energy_wh in own:
            yield {"benchmark": benchmark, "MHz": mhz, "energy over that at 1410 MHz": energy_wh / own[-1][1]}


def main() -> None:
    """All parts; tables here, figures to a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", default="serving_classics", help="name of the file in benchmarks/results")
    name, began_s = parser.parse_args().out, time.process_time()
    parts: dict[str, list[dict[str, Any]]] = {"clocks": [], "loads": []}
    for case in CASES:
        trial = case.trial()
        greatest_per_s = greatest(trial)
        _tell(f"{case.name}: up to {greatest_per_s:.2f}/s")
        parts["clocks"] += clock_rows(case, trial, greatest_per_s)
        parts["loads"] += load_rows(case, trial, greatest_per_s)
    parts["pools"] = serving_pools.rows(_tell)
    parts["bursts"], parts["grid"] = list(burst_rows()), list(grid_rows())
    for title, rows in parts.items():
        if rows:
            print_table(title, rows)
    write_results(name, cpu_s=time.process_time() - began_s, **parts)


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
