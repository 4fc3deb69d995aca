"""Steps of six training workloads and the wires of five testbeds, fitted to the profiles of Sia and Pollux.

    PYTHONPATH=benchmarks python benchmarks/calibration/sia_scaling.py [--out FILE]

Data: ../shared/data/sia_pollux_profiles (Jayaram Subramanya et al., Sia, SOSP 2023; Qiao et al., Pollux, OSDI 2021).
Fitted on placements that give every node the same 1, 2, 4 or 8 GPUs on at most four nodes; all others are held out,
and so is the whole file of scalability runs. Not used: `base` (a copy of `aws`), `gpt_pmp` (computed, not measured).
`--out` writes the fitted steps as JSON.
"""

from __future__ import annotations

import csv
import gzip
import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

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

DATA = SHARED / "data" / "sia_pollux_profiles"
FIT_PLACEMENTS = frozenset({"1", "2", "4", "8", "11", "22", "44", "88", "1111", "2222", "4444"})
APPS: Mapping[str, AppFit] = {
    "bert": AppFit(4 * 110e6, 0.3),
    "cifar10": AppFit(4 * 11.2e6, 0.5),
    "deepspeech2": AppFit(4 * 50e6, 0.3),
    "imagenet": AppFit(4 * 25.6e6, 0.5),
    "ncf": AppFit(4 * 2e6, 0.1),
    "yolov3": AppFit(4 * 61.9e6, 0.2),
}
"""Start of the fit; the exchange of bert, cifar10 (ResNet-18), imagenet (ResNet-50) and yolov3 is their parameters in
single precision and stays, that of the other two is fitted on `aws`, whose network is slowest, and stays elsewhere."""
FITTED_BYTES = ("deepspeech2", "ncf")
FIRST_BED = "aws"
BEDS = {
    "aws": ("T4", 4, None),
    "azure": ("V100-PCIE", 8, None),
    "dgx-ext": ("A100-SXM4-40GB", 8, None),
    "quad": ("RTX6000", 4, 1),
    "rtx": ("RTX6000", 8, 1),
}
"""Kind, GPUs per node, NVLink domain. `azure` has V100 with NVLink, but its times within a node grow with every GPU as
over the memory of the host; `rtx` has RTX 2080 Ti, of the same generation."""
OVERLAPS = [0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
CROWDINGS = [0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.17, 0.2]


def rows_of(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(need(DATA / f"{name}_all.csv.gz"), "rt", newline="") as text:
        yield from csv.DictReader(text)


def placements(bed: str) -> list[Row]:
    """The measurements of placements on a testbed."""
    return [
        Row(row["app"], f"{float(row['local_bsz']):g}", row["placement"], float(row["step_time"]))
        for row in rows_of("placements")
        if row["hw"] == bed and row["app"] in APPS
    ]


def scalability(bed: str, gpus: int) -> list[Row]:
    """The other file: as many GPUs on each node as possible, evenly. Rows that fit on no nodes are left out."""
    found = []
    for row in rows_of("scalability"):
        nodes, replicas = int(row["num_nodes"]), int(row["num_replicas"])
        if row["hw"] == bed and row["app"] in APPS and nodes <= replicas <= nodes * gpus:
            low, more = divmod(replicas, nodes)
            placement = str(low) * (nodes - more) + str(low + 1) * more
            found.append(Row(row["app"], f"{float(row['local_bsz']):g}", placement, float(row["step_time"])))
    return found


def is_fit(row: Row) -> bool:
    return row.placement in FIT_PLACEMENTS


def fit_bed(name: str, bytes_of: Mapping[str, float]) -> BedFit:
    """Wires, overlap, crowding and computation of one testbed, from its fit placements alone."""
    kind, gpus, domain = BEDS[name]
    bed = Testbed(name, kind, gpus, placements(name), domain)
    layouts, rows = layouts_of(bed), [row for row in bed.rows if is_fit(row)]
    by_app = {app: [row for row in rows if row.app == app] for app in APPS}
    apps = {app: replace(fit, exchange_bytes=bytes_of[app]) for app, fit in APPS.items()}
    network = Network(node_gbps=2.0, nics=1, pcie_gbps=8.0, host_gbps=20.0, latency_us=50.0)
    for turn in range(3):
        axes = {
            "node_gbps": spread(network.node_gbps or 1.0) if turn else [0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0],
            "pcie_gbps": spread(network.pcie_gbps or 1.0) if turn else [2.0, 4.0, 6.0, 8.0, 10.0, 12.0],
            "host_gbps": spread(network.host_gbps or 1.0) if turn else [4.0, 6.0, 9.0, 14.0, 20.0, 40.0],
            "latency_us": [5.0, 17.0, 50.0, 100.0, 200.0, 400.0],
        }
        network = descend(network, axes, partial(bed_loss, by_app, apps, layouts), rounds=2)
        for app, own in by_app.items():
            free = {"overlap": OVERLAPS, "crowding": CROWDINGS}
            if name == FIRST_BED and app in FITTED_BYTES:
                free["exchange_bytes"] = spread(apps[app].exchange_bytes)
            apps[app] = descend(apps[app], free, partial(_loss_of, own, layouts, network), rounds=2)
    fitted = {app: with_compute(fit, by_app[app], layouts, network) for app, fit in apps.items() if by_app[app]}
    return BedFit(bed, layouts, network, fitted)


def _loss_of(rows: Sequence[Row], layouts: Layouts, network: Network, app: AppFit) -> float:
    return loss(rows, app, layouts, network)


def fit_all() -> dict[str, BedFit]:
    """All testbeds; the exchange of the workloads is that of the first."""
    bytes_of = {app: fit.exchange_bytes for app, fit in APPS.items()}
    fits = {FIRST_BED: fit_bed(FIRST_BED, bytes_of)}
    bytes_of = {app: fit.exchange_bytes for app, fit in fits[FIRST_BED].apps.items()}
    return fits | {name: fit_bed(name, bytes_of) for name in BEDS if name != FIRST_BED}


def held_out(fit: BedFit) -> dict[str, list[float]]:
    """Relative errors by workload on the placements not fitted."""
    return {
        app: errors([row for row in fit.bed.rows if row.app == app and not is_fit(row)], own, fit.layouts, fit.network)
        for app, own in fit.apps.items()
    }


def held_out_scalability(fit: BedFit) -> dict[str, list[float]]:
    """Relative errors on the scalability runs, none of which was fitted."""
    seen = {(row.app, row.variant, row.placement) for row in fit.bed.rows if is_fit(row)}
    other = replace(fit.bed, rows=scalability(fit.bed.name, fit.bed.gpus))
    layouts = layouts_of(other)
    fresh = [row for row in other.rows if (row.app, row.variant, row.placement) not in seen]
    return {
        app: errors([row for row in fresh if row.app == app], own, layouts, fit.network)
        for app, own in fit.apps.items()
    }


def steps(fits: Mapping[str, BedFit]) -> dict[str, Any]:
    """Per testbed and workload: the step at the middle batch size, as the workload catalogue wants it."""
    found: dict[str, Any] = {}
    for name, fit in fits.items():
        for app, own in fit.apps.items():
            sizes = sorted(own.compute_s, key=float)
            middle = sizes[len(sizes) // 2]
            found.setdefault(app, {})[name] = {
                "reference_kind": fit.bed.kind,
                "local_batch": float(middle),
                "compute_s": own.compute_s[middle],
                "compute_s_by_batch": {size: own.compute_s[size] for size in sizes},
                "exchange_bytes": own.exchange_bytes,
                "overlap": own.overlap,
                "crowding": own.crowding,
                "held_out_mape": mean_abs(held_out(fit)[app]),
            }
    return found


def main(arguments: Sequence[str]) -> None:
    fits = fit_all()
    for name, fit in fits.items():
        net = fit.network
        print(
            f"{name}: {net.node_gbps:.2f} GB/s per node, pcie {net.pcie_gbps:.1f}, host {net.host_gbps:.1f} GB/s,"
            f" {net.latency_us:.0f} us"
        )
        placed, scaled = held_out(fit), held_out_scalability(fit)
        for app, own in fit.apps.items():
            fitted = errors([r for r in fit.bed.rows if r.app == app and is_fit(r)], own, fit.layouts, fit.network)
            print(
                f"  {app:12} {own.exchange_bytes / 1e6:6.1f} MB overlap {own.overlap:.2f} crowding {own.crowding:.2f}"
                f"  fit n={len(fitted)} {mean_abs(fitted):.1%}; held out placements n={len(placed[app])}"
                f" {mean_abs(placed[app]):.1%}, scalability n={len(scaled[app])} {mean_abs(scaled[app]):.1%}"
            )
    every = [e for fit in fits.values() for values in held_out(fit).values() for e in values]
    print(f"all: n={len(every)} MAPE {mean_abs(every):.1%} median {statistics.median(map(abs, every)):.1%}")
    if "--out" in arguments:
        out = Path(arguments[arguments.index("--out") + 1])
        out.write_text(json.dumps(steps(fits), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
