"""Steps of five language and vision models on A800, and the network under them, fitted to the profiles of Rubick.

    PYTHONPATH=benchmarks python benchmarks/calibration/rubick_scaling.py [--out FILE]

Data: ../shared/data/rubick_a800_llm (Zhang et al., MLSys 2025), 64 A800 in eight nodes. Used: the plans that keep a
model on every GPU and divide a fixed batch among them (gradient accumulation, checkpointing, ZeRO without offload).
Fitted on gangs that have the same 1, 2, 4 or 8 GPUs on one node or two; all other placements are held out.
"""

from __future__ import annotations

import csv
import gzip
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from calibration.scaling import (
    AppFit,
    BedFit,
    Layouts,
    Row,
    Testbed,
    bed_loss,
    descend,
    errors,
    layouts_of,
    loss,
    mean_abs,
    spread,
    with_compute,
)
from measured import SHARED, need

from goodwatt.cluster.network import Network

DATA = SHARED / "data" / "rubick_a800_llm"
FIT_PLACEMENTS = frozenset({"1", "2", "4", "8", "11", "22", "44"})
PARAMETERS: Mapping[str, float] = {"bert": 336e6, "roberta": 355e6, "vit": 86e6, "t5": 1.2e9, "gpt2": 1.5e9}
"""Sizes as the paper names them; gradients are exchanged in half precision, two bytes each."""
PLANS = ("ga", "gc", "zero-dp")
OVERLAPS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
FIXED = [0.0, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.3, 0.4]


def measurements() -> list[Row]:
    """A workload per model and plan."""
    with gzip.open(need(DATA / "placements_all.csv.gz"), "rt", newline="") as text:
        return [
            Row(f"{row['app']} {row['exec_plan']}", "-", row["placement"], float(row["iter_time"]), 1 / gpus)
            for row in csv.DictReader(text)
            if row["app"] in PARAMETERS and row["exec_plan"] in PLANS
            if (gpus := sum(map(int, row["placement"])))
        ]


def is_fit(row: Row) -> bool:
    return row.placement in FIT_PLACEMENTS


def fit_bed() -> BedFit:
    """The testbed and every model on it, from the fit placements alone."""
    bed = Testbed("a800", "A800-SXM4-80GB", 8, measurements())
    layouts, rows = layouts_of(bed), [row for row in bed.rows if is_fit(row)]
    by_app: dict[str, list[Row]] = {}
    for row in rows:
        by_app.setdefault(row.app, []).append(row)
    apps = {app: AppFit(2 * PARAMETERS[app.split()[0]], 0.3) for app in by_app}
    network = Network(node_gbps=10.0, nics=1)
    for turn in range(3):
        axes: dict[str, Sequence[float]] = {
            "nics": [1, 2, 4, 8],
            "node_gbps": spread(network.node_gbps or 1.0) if turn else [2.0, 4.0, 8.0, 12.0, 20.0, 40.0, 80.0],
            "latency_us": [5.0, 17.0, 50.0, 100.0, 200.0, 400.0],
        }
        network = descend(network, axes, partial(bed_loss, by_app, apps, layouts), rounds=2)
        for app, own in by_app.items():
            shortest = min(row.step_s for row in own)
            free = {"overlap": OVERLAPS, "fixed_s": [shortest * share for share in FIXED]}
            apps[app] = descend(apps[app], free, partial(_loss_of, own, layouts, network), rounds=3)
    fitted = {app: with_compute(fit, by_app[app], layouts, network) for app, fit in apps.items()}
    return BedFit(bed, layouts, network, fitted)


def _loss_of(rows: Sequence[Row], layouts: Layouts, network: Network, app: AppFit) -> float:
    return loss(rows, app, layouts, network)


def held_out(fit: BedFit) -> dict[str, list[float]]:
    """Relative errors by model and plan on the placements not fitted."""
    return {
        app: errors([row for row in fit.bed.rows if row.app == app and not is_fit(row)], own, fit.layouts, fit.network)
        for app, own in fit.apps.items()
    }


def _entry(app: AppFit, tested: Sequence[float]) -> dict[str, float | str]:
    """A step as the workload catalogue wants it, for a gang of eight."""
    whole_s = app.compute_s["-"]
    return {
        "reference_kind": "A800-SXM4-80GB",
        "compute_s_whole_batch": whole_s,
        "fixed_s": app.fixed_s,
        "compute_s": whole_s / 8 + app.fixed_s,
        "exchange_bytes": app.exchange_bytes,
        "overlap": app.overlap,
        "held_out_mape": mean_abs(tested),
    }


def main(arguments: Sequence[str]) -> None:
    fit = fit_bed()
    print(f"a800: {fit.network}")
    tested = held_out(fit)
    for app, own in fit.apps.items():
        fitted = errors([r for r in fit.bed.rows if r.app == app and is_fit(r)], own, fit.layouts, fit.network)
        print(
            f"  {app:16} compute {own.compute_s['-']:.3f} s / GPUs + {own.fixed_s:.3f} s,"
            f" {own.exchange_bytes / 1e6:.0f} MB, overlap {own.overlap:.2f}"
            f"  fit n={len(fitted)} {mean_abs(fitted):.1%}; held out n={len(tested[app])} {mean_abs(tested[app]):.1%}"
        )
    every = [e for values in tested.values() for e in values]
    print(f"all: n={len(every)} MAPE {mean_abs(every):.1%} median {statistics.median(map(abs, every)):.1%}")
    if "--out" in arguments:
        steps = {app: _entry(own, tested[app]) for app, own in fit.apps.items()}
        Path(arguments[arguments.index("--out") + 1]).write_text(json.dumps(steps, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
