"""The model beside new runs on an H200: kernels and applications alone, in pairs and in groups.

    PYTHONPATH=benchmarks python -m h200.compare

Nothing was fitted on these runs: the model knows each workload by its telemetry alone (counters, watts, clock) and
everything else from the catalogue. `decode` and `small` wait for the host, whose speed changed between runs here by up
to a factor of two; they have rows of their own. Beside stands how well the runs repeat themselves and those of
h200_measured. Prints one table and writes benchmarks/results/h200_model.json.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from measured import RESULTS, SHARED, report

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.colocation.sharing import Mode, Resident, shared_point
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.telemetry.counters import Counters, demand_from_counters
from goodwatt.power.workloads.demand import Demand

Row = dict[str, Any]
HOST_BOUND = {"small", "decode"}
MODES: dict[str, tuple[Mode, float]] = {"timeslice": ("timeslice", 1.0), "mps": ("mps", 1.0), "mps50": ("mps", 0.5)}
KERNELS = {"gemm": 1, "copy": 1, "copy_zeros": 1, "attention": 1, "gemv": 16}
KERNELS |= {"decode": 32 * 13 + 1, "decode_graph": 32 * 13 + 1, "prefill": 32 * 11 + 1}
"""Kernels of one iteration, counted in the code that runs them; where nobody counted the model infers their length."""
APART = 0.1
"""Speeds that differ by more have an order worth getting right."""
SOURCE = "results/h200_phases.json"


@dataclass(frozen=True)
class Compared:
    """One measured set of residents beside what the model says of it; speeds relative to alone."""

    mode: str
    works: tuple[str, ...]
    measured: tuple[float, ...]
    said: tuple[float, ...]
    measured_w: float
    said_w: float


def rows() -> list[Row]:
    """Every line of the table."""
    return [*_model_rows(), *_counter_rows(), *_repeat_rows(), *_other_day_rows()]


@cache
def runs() -> tuple[Row, ...]:
    """The published rows that came out well."""
    content = json.loads((RESULTS / "h200_phases.json").read_text(encoding="utf-8"))
    return tuple(row for row in content["rows"] if "error" not in row)


def alone(work: str) -> list[Row]:
    """Its runs alone without MPS."""
    return [row for row in runs() if row["mode"] == "alone" and row["works"] == [work]]


@cache
def demand(work: str) -> Demand:
    """What telemetry of its runs alone says."""
    found = alone(work)
    mean = {
        name: statistics.mean(row["counters"][name] for row in found) for name in ("sm", "occupancy", "tensor", "dram")
    }
    counters = Counters(
        sm_util=mean["sm"],
        occupancy=mean["occupancy"],
        tensor=mean["tensor"],
        dram_bw=mean["dram"],
        power_w=statistics.mean(row["watts"] for row in found),
        clock_mhz=statistics.mean(row["clock_mhz"] for row in found),
    )
    traffic = statistics.mean(row["counters"]["pcie_gbps"] for row in found)
    return replace(demand_from_counters(_model(), counters), pcie_gbps=traffic)


def compared(lengths_told: bool = False) -> list[Compared]:
    """Every shared run whose workloads were measured alone too.

    `lengths_told`: the model hears how long the kernels are on average instead of inferring it from PCIe traffic.
    """
    shared = (row for row in runs() if row["mode"] in MODES and all(alone(work) for work in row["works"]))
    return [_compare(row, lengths_told) for row in shared]


def kernel_us(work: str) -> float:
    """Mean length of its kernels alone; 0 where nobody counted them."""
    rate = statistics.median(row["rates"][0] for row in alone(work))
    return demand(work).duty * 1e6 / rate / KERNELS[work] if work in KERNELS else 0.0


def _compare(row: Row, lengths_told: bool) -> Compared:
    mode, threads = MODES[row["mode"]]
    residents = tuple(
        Resident(demand(work), threads, kernel_us=kernel_us(work) if lengths_told else 0.0) for work in row["works"]
    )
    point = shared_point(_model(), residents, mode)
    bases = [statistics.median(r["rates"][0] for r in alone(work)) for work in row["works"]]
    measured = tuple(rate / base for rate, base in zip(row["rates"], bases, strict=True))
    return Compared(row["mode"], tuple(row["works"]), measured, point.speeds, row["watts"], point.watts)


def _model_rows() -> list[Row]:
    found = list[Row]()
    for mode in MODES:
        every = [c for c in compared() if c.mode == mode]
        steady = [c for c in every if not HOST_BOUND & set(c.works)]
        hosted = _pairs(c for c in every if HOST_BOUND & set(c.works))
        groups = [c for c in every if len(c.works) > 2]
        pairs = _pairs(steady)
        right, apart = _asymmetry(pairs)
        found += [
            _line(f"{mode}: pairs", "MAE of speeds, %", _speed_error(pairs), len(pairs)),
            _line(f"{mode}: pairs", "mean error of watts, %", _watt_error(pairs), len(pairs)),
            _line(f"{mode}: pairs that wait for the host", "MAE of speeds, %", _speed_error(hosted), len(hosted)),
        ]
        found += [_line(f"{mode}: pairs", "right one is slower, %", right, apart)] * bool(apart)
        found += [_line(f"{mode}: three, four", "MAE of speeds, %", _speed_error(groups), len(groups))] * bool(groups)
    told = [c for c in compared(lengths_told=True) if c.mode == "mps" and not HOST_BOUND & set(c.works)]
    right, apart = _asymmetry(_pairs(told))
    return [
        *found,
        _line("mps: pairs, kernel lengths told", "MAE of speeds, %", _speed_error(_pairs(told)), len(_pairs(told))),
        _line("mps: pairs, kernel lengths told", "right one is slower, %", right, apart),
    ]


def _counter_rows() -> list[Row]:
    """Watts alone from counters only."""
    errors = list[float]()
    for row in (row for row in runs() if row["mode"] == "alone"):
        c = row["counters"]
        given = Counters(
            sm_util=c["sm"], occupancy=c["occupancy"], tensor=c["tensor"], dram_bw=c["dram"], clock_mhz=row["clock_mhz"]
        )
        if "cap" not in row["reasons"]:
            said = _model().watts(demand_from_counters(_model(), given), _model().top_mhz)
            errors.append(abs(said / row["watts"] - 1.0))
    return [
        _line("alone, no cap: watts from counters only", "mean error, %", 100 * statistics.mean(errors), len(errors))
    ]


def _repeat_rows() -> list[Row]:
    """The same set of workloads measured again: half the distance of the farthest two, relative."""
    groups = defaultdict[tuple[str, ...], list[Row]](list)
    for row in runs():
        if row["works"]:
            groups[row["mode"], *row["works"]].append(row)
    again = {key: found for key, found in groups.items() if len(found) > 1}
    steady = [found for key, found in again.items() if not HOST_BOUND & set(key)]
    hosted = [found for key, found in again.items() if HOST_BOUND & set(key)]
    data = [found for key, found in again.items() if "resnet50_train" not in key and not HOST_BOUND & set(key)]
    return [
        _line("run to run: rates", "median spread, %", _spread(steady, _rates), len(steady)),
        _line("run to run: rates that wait for the host", "median spread, %", _spread(hosted, _rates), len(hosted)),
        _line("run to run: watts without resnet50", "median spread, %", _spread(data, _watts), len(data)),
    ]


def _other_day_rows() -> list[Row]:
    """Relative speeds of the same kernel pairs in h200_measured, on another board."""
    path = SHARED / "data" / "h200_measured" / "colocation.json"
    if not path.exists():
        return []
    content, names = json.loads(path.read_text(encoding="utf-8")), {"attn": "attention"}
    base = {names.get(n, n): rate for run in content["alone"] for n, rate in run["rate"]}
    differences = list[float]()
    for mode in ("timeslice", "mps"):
        for run in content[mode]:
            then = {names.get(n, n): rate / base[names.get(n, n)] for n, rate in run["rate"]}
            works = sorted(names.get(n, n) for n in run["kinds"])
            now = [c for c in compared() if c.mode == mode and sorted(c.works) == works and not HOST_BOUND & set(works)]
            differences += [abs(s - then[w]) for c in now[:1] for w, s in zip(c.works, c.measured, strict=True)]
    mean = 100 * statistics.mean(differences)
    return [_line("speeds of kernel pairs against h200_measured", "mean difference, %", mean, len(differences))]


def _pairs(found: Iterable[Compared]) -> list[Compared]:
    return [c for c in found if len(c.works) == 2]


def _speed_error(found: Sequence[Compared]) -> float:
    return (
        100 * statistics.mean(abs(s - m) for c in found for s, m in zip(c.said, c.measured, strict=True))
        if found
        else 0.0
    )


def _watt_error(found: Sequence[Compared]) -> float:
    return 100 * statistics.mean(abs(c.said_w / c.measured_w - 1.0) for c in found)


def _asymmetry(found: Sequence[Compared]) -> tuple[float, int]:
    apart = [c for c in found if abs(c.measured[0] - c.measured[1]) > APART]
    right = sum((c.measured[0] > c.measured[1]) == (c.said[0] > c.said[1]) for c in apart)
    return (100 * right / len(apart) if apart else 0.0), len(apart)


def _spread(groups: Sequence[list[Row]], values: Any) -> float:
    each = list[float]()
    for found in groups:
        for column in zip(*(values(row) for row in found), strict=True):
            each.append(50 * (max(column) - min(column)) / statistics.mean(column))
    return statistics.median(each)


def _rates(row: Row) -> list[float]:
    return list(row["rates"])


def _watts(row: Row) -> list[float]:
    return [row["watts"]]


def _line(what: str, figure: str, value: float, count: int) -> Row:
    return {
        "what": what,
        "figure": figure,
        "value": round(value, 2),
        "n": count,
        "split": "none of it fitted",
        "source": SOURCE,
    }


@cache
def _model() -> GpuModel:
    return gpu_model(gpu_kind("H200-SXM"))


if __name__ == "__main__":
    sets = list[Row]()
    for c in compared():
        speeds = {"measured": [round(v, 3) for v in c.measured], "model": [round(v, 3) for v in c.said]}
        sets.append(
            {"mode": c.mode, "works": c.works, **speeds, "measured_w": c.measured_w, "model_w": round(c.said_w, 1)}
        )
        beside = "  ".join(f"{m:.2f}/{s:.2f}" for m, s in zip(c.measured, c.said, strict=True))
        print(f"{c.mode:10}{'+'.join(c.works):32}{beside:24}{c.measured_w:6.0f} W / {c.said_w:.0f} W")
    report("h200_model", "The model beside new runs on an H200", rows(), sets=sets)
