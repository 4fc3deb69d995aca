"""Shared GPUs against what others measured and against our own pairs on an H200.

    PYTHONPATH=benchmarks python benchmarks/fidelity/sharing.py

Every figure is of runs that the fit behind it has not seen; the splits stand beside. Speeds are relative to alone, so
errors are in per cent of a job's speed alone; `bar` is what we want to reach. Prints one table and writes
benchmarks/results/fidelity_sharing.json.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from calibration import gavel_pairs, h200_pairs, lucid_pairs, miso_mig, parvagpu
from calibration.h200_pairs import Pair
from calibration.held_out import HeldOut, by_group, mean_absolute
from measured import report

from goodwatt.power.gpu_point import GpuPoint

Row = dict[str, Any]
APART = 0.1
"""Speeds that differ by more have an order worth getting right."""
WAYS = {"timeslice": ("time-slicing", "6"), "mps": ("MPS", "10"), "mps_limited": ("MPS, 50% threads", "8")}


def rows() -> list[Row]:
    """Every line of the table."""
    return [*gavel_rows(), *lucid_rows(), *h200_rows(), *miso_rows(), *parva_rows()]


def line(what: str, figure: str, value: float, count: int, bar: str, split: str, source: str) -> Row:
    return {"what": what, "figure": figure, "%": round(100.0 * value, 2), "n": count, "bar": bar} | {
        "split": split,
        "source": source,
    }


def speed_line(what: str, found: Iterable[HeldOut], bar: str, split: str, source: str) -> Row:
    errors = list(found)
    return line(what, "MAE of speeds", mean_absolute(errors), len(errors), bar, split, source)


def gavel_rows() -> list[Row]:
    """Demands fitted on pairs with other partners."""
    split, source = "pairs of two models", "gavel_throughputs (Gavel, OSDI 2020)"
    found = {gpu: gavel_pairs.held_out(gpu) for gpu in gavel_pairs.GPUS}
    every = [one for own in found.values() for one in own]
    each = [speed_line(f"Gavel {gpu.upper()}", own, "", split, source) for gpu, own in found.items()]
    return [speed_line("Gavel, both", every, "8", split, source), *each]


def lucid_rows() -> list[Row]:
    """Both readings of the rows to drop, each speed and each pair's mean."""
    split, source, found = "by model", "lucid_colocation (Lucid, ASPLOS 2023)", []
    for fast, dropped in ((True, "outliers and speeds > 1.1 dropped"), (False, "7 outliers dropped")):
        pairs = lucid_pairs.held_out(lucid_pairs.without_outliers(lucid_pairs.read_pairs(), fast))
        each = [one for pair in pairs for one in pair]
        found.append(speed_line(f"Lucid, {dropped}", each, "6", split, source))
        found.append(speed_line("the same, mean of a pair", lucid_pairs.of_means(pairs), "", split, source))
    return found


def h200_rows() -> list[Row]:
    """Speeds, watts and order of pairs; four small jobs."""
    residents, pairs = h200_pairs.measured()
    found = h200_pairs.held_out(residents, pairs)
    split, lines = "neither workload seen", []
    for way, (name, bar) in WAYS.items():
        own = [(pair, point) for pair, point in found if pair.way == way and len(pair.names) == 2]
        lines.append(speed_line(f"H200 {name}", h200_pairs.speeds(own), bar, split, "h200_measured"))
        for source in ("apps", "micro"):
            part = [(pair, point) for pair, point in own if pair.source == source]
            if part and len(part) < len(own):
                lines.append(speed_line(f"H200 {name}, {source}", h200_pairs.speeds(part), "", split, "h200_measured"))
        lines += [_watts_line(name, own), _order_line(name, own)]
    lines.append(_watts_line("shared, all", [(pair, point) for pair, point in found if len(pair.names) == 2]))
    four = [(pair, point) for pair, point in found if len(pair.names) > 2]
    lines.append(
        speed_line("H200 MPS, four small", h200_pairs.speeds(four), "", "neither workload seen", "h200_measured")
    )
    return lines


def miso_rows() -> list[Row]:
    """All models, and without the one whose means compare different mixes."""
    split, source, found = "by model", "miso_mig_a100 (MISO, SoCC 2022)", miso_mig.held_out()
    others = [one for one in found if one.group != "deepspeech2"]
    each = [speed_line(f"MISO {model}", own, "", split, source) for model, own in by_group(found).items()]
    return [
        speed_line("MISO MIG slices", found, "5", split, source),
        speed_line("the same without deepspeech2", others, "", split, source),
        *each,
    ]


def parva_rows() -> list[Row]:
    """MIG x MPS, nothing fitted but each model's own demand from other rows."""
    runs, source = parvagpu.read_runs(), "parvagpu_mig_mps (ParvaGPU, SC 2024)"
    return [
        speed_line("ParvaGPU slices 2g to 4g", parvagpu.slices(runs), "shown", "1g and 7g known", source),
        speed_line("ParvaGPU 3 to 5 MPS in a slice", parvagpu.processes(runs), "shown", "1 and 2 known", source),
    ]


def _watts_line(name: str, found: Sequence[tuple[Pair, GpuPoint]]) -> Row:
    off = [abs(point.watts / pair.watts - 1.0) for pair, point in found]
    return line(
        f"H200 {name}",
        "mean error of watts",
        statistics.fmean(off),
        len(off),
        "8",
        "neither workload seen",
        "h200_measured",
    )


def _order_line(name: str, found: Sequence[tuple[Pair, GpuPoint]]) -> Row:
    apart = [(pair, point) for pair, point in found if abs(pair.speeds[0] - pair.speeds[1]) > APART]
    right = [(a.speeds[0] > a.speeds[1]) == (b.speeds[0] > b.speeds[1]) for a, b in apart]
    return line(
        f"H200 {name}",
        "right order",
        statistics.fmean(right),
        len(right),
        "shown",
        "neither workload seen",
        "h200_measured",
    )


def main() -> None:
    report("fidelity_sharing", "Shared GPUs: predicted against measured, held out", rows())


if __name__ == "__main__":
    main()
