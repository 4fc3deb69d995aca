"""What collectives achieve on NVLink, PCIe and between nodes, fitted to the all-reduces that Vidur measured.

    PYTHONPATH=benchmarks python benchmarks/calibration/vidur_collectives.py [--write]

Data: ../shared/data/vidur_network (Agrawal et al., Vidur, MLSys 2024), sizes from 2 kB to 512 MB. Fitted on every
second doubling of the size from 1 MB on, on NVSwitch boards with 2 and 8 GPUs only and
between nodes with 1 and 4 GPUs of two nodes only; the other doublings and the other numbers of GPUs are held out.
`--write` writes src/goodwatt/power/network/network_boards.yaml.
"""

from __future__ import annotations

import csv
import gzip
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from calibration.scaling import descend, spread
from measured import SHARED, need

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.network import Network
from goodwatt.power.network.board import BYTES_PER_GB, FIGURES, Board, Link
from goodwatt.power.network.collectives import all_reduce_s
from goodwatt.power.network.layout import Layout, layout_of

DATA = SHARED / "data" / "vidur_network"
FILES = {"A100-SXM4-80GB": "a100_dgx", "H100-SXM": "h100_dgx", "A100-PCIE-80GB": "a100_pairwise_nvlink",
         "H100-PCIE": "h100_pairwise_nvlink"}  # fmt: skip
FIT_GPUS = {2, 8}
FIT_EVERY = 5
"""Between nodes only every fifth row of the fit's: they lie 2 kB to 64 kB apart and say the same."""
FROM_BYTES = 1_000_000
"""Below, times are those of starting a kernel and scatter from 7 to 60 us for the same size; gradients are larger."""
BANDS = ((0, 1e6, "< 1 MB"), (1e6, 4e6, "1-4 MB"), (4e6, 16e6, "4-16 MB"), (16e6, 1e12, ">= 16 MB"))


@dataclass(frozen=True)
class AllReduce:
    """One measurement: seconds of an all-reduce of so many bytes over `nodes` times `per_node` GPUs."""

    kind: str
    nodes: int
    per_node: int
    size_bytes: int
    time_s: float

    @property
    def gpus(self) -> int:
        """GPUs of all nodes."""
        return self.nodes * self.per_node

    @property
    def is_fit(self) -> bool:
        """Whether the fit may see it. Pairs are measured with 2 and 4 GPUs, which use different wires: both count."""
        return is_fit_size(self.size_bytes) and ("PCIE" in self.kind or self.gpus in FIT_GPUS)


def measurements() -> list[AllReduce]:
    """All of them, in the order of the files."""
    found = []
    for kind, name in FILES.items():
        with gzip.open(need(DATA / f"{name}__all_reduce.csv.gz"), "rt", newline="") as text:
            for row in csv.DictReader(text):
                gpus, per_node = int(row["num_workers"]), int(row["devices_per_node"])
                time_s = float(row["time_stats.all_reduce.median"]) / 1e3
                found.append(AllReduce(kind, gpus // per_node, per_node, int(row["size"]), time_s))
    return found


def two_nodes(kind: str) -> Cluster:
    """Two nodes of a kind, as they were measured: eight GPUs, four where NVLink joins pairs."""
    return build_cluster({"nodes": [{"count": 2, "gpu": kind, "gpus": 4 if "PCIE" in kind else 8}]})


def layouts_for(rows: Sequence[AllReduce]) -> dict[tuple[str, int, int], Layout]:
    clusters = {kind: two_nodes(kind) for kind in {row.kind for row in rows}}
    return {
        shape: layout_of(clusters[shape[0]], [(node, (1 << shape[2]) - 1) for node in range(shape[1])])
        for shape in {(row.kind, row.nodes, row.per_node) for row in rows}
    }


def mean_error(rows: Sequence[AllReduce], layouts: Mapping[tuple[str, int, int], Layout], network: Network) -> float:
    """Mean absolute relative error of the package's time."""
    predicted = times(rows, layouts, network)
    return statistics.fmean(abs(time / row.time_s - 1) for row, time in zip(rows, predicted, strict=True))


def times(rows: Sequence[AllReduce], layouts: Mapping[tuple[str, int, int], Layout], network: Network) -> list[float]:
    return [all_reduce_s(layouts[row.kind, row.nodes, row.per_node], network, row.size_bytes) for row in rows]


def every_count(rows: Sequence[AllReduce]) -> list[AllReduce]:
    """The fit's sizes with any number of GPUs: another split, by size alone."""
    return [row for row in rows if is_fit_size(row.size_bytes)]


def is_fit_size(size_bytes: int) -> bool:
    """Every second doubling from FROM_BYTES on."""
    return size_bytes.bit_length() % 2 == 0 and size_bytes >= FROM_BYTES


def fit_link(rows: Sequence[AllReduce], hops: bool) -> Link:
    """The link of a ring inside a node, least squares of the relative error; `hops`: whether more GPUs cost more.

    The pipeline's time is linear in launch, sqrt(hop * seconds per byte) and seconds per byte, but for hops of a
    fraction of a microsecond each.
    """
    fitted = [row for row in rows if row.is_fit]
    gpus, size, time_s = (np.array([getattr(row, name) for row in fitted]) for name in ("gpus", "size_bytes", "time_s"))
    volume_gb = 2 * (gpus - 1) / gpus * size / BYTES_PER_GB
    terms = [np.ones_like(volume_gb), volume_gb, *([np.sqrt((gpus - 1) * volume_gb)] if hops else [])]
    found = np.linalg.lstsq(np.stack(terms, axis=1) / time_s[:, None], np.ones_like(time_s), rcond=None)[0]
    launch_s, s_per_gb = float(found[0]), float(found[1])
    hop_s = float(found[2]) ** 2 / (4 * s_per_gb) if hops and found[2] > 0 else 0.0
    return Link(1 / s_per_gb, launch_s * 1e6, hop_s * 1e6)


def fit_network(fitted: Sequence[AllReduce]) -> Network:
    """Cards and latency of the testbed with two nodes of A100, from these rows."""
    fitted = fitted[::FIT_EVERY]
    layouts = layouts_for(fitted)

    def cost(network: Network) -> float:
        return mean_error(fitted, layouts, network)

    return min((_fit_cards(nics, cost) for nics in (1, 2, 4, 8)), key=cost)


def _fit_cards(nics: int, cost: Callable[[Network], float]) -> Network:
    network = Network(node_gbps=6.0 * nics, nics=nics)
    for turn in range(4):
        fine = (0.3, 0.5, 0.7, 0.9, 1.1, 1.4, 2.0, 3.0) if turn < 2 else (0.95, 0.98, 1.02, 1.05)
        axes = {"node_gbps": spread(network.node_gbps or 1.0, fine), "latency_us": spread(network.latency_us, fine)}
        network = descend(network, axes, cost, rounds=3)
    return network


def fit_boards(rows: Sequence[AllReduce]) -> dict[str, Any]:
    """The figures of the architectures measured, in the shape of the catalogue file."""
    found: dict[str, Any] = {}
    for age, switched, paired in (("Ampere", *list(FILES)[0::2]), ("Hopper", *list(FILES)[1::2])):
        inside = [row for row in rows if row.nodes == 1]
        whole, pairs = ([row for row in inside if row.kind == kind] for kind in (switched, paired))
        found[age] = {
            "switched": _figures(fit_link(whole, hops=True), _board(whole)),
            "direct": _figures(fit_link([r for r in pairs if r.gpus == 2], hops=False), _board(pairs)),
            "pcie": _figures(fit_link([r for r in pairs if r.gpus == 4], hops=False), None),
        }
    return found


def _board(rows: Sequence[AllReduce]) -> Board:
    return next(iter(layouts_for(rows).values())).board


def _figures(link: Link, board: Board | None) -> dict[str, float]:
    if board is None:
        return {"gbps": round(link.gbps, 1), "launch_us": round(link.launch_us, 1)}
    figures = {"efficiency": round(link.gbps / board.nvlink_raw_gbps, 3), "launch_us": round(link.launch_us, 1)}
    return {**figures, "hop_us": round(link.hop_us, 3)}


def write(measured: Mapping[str, Any]) -> None:
    """The catalogue file: what was fitted, what is assumed from it, and the network cards as they stand there."""
    with FIGURES.open("rb") as file:
        content = yaml.safe_load(file)
    old_pcie = {**measured["Ampere"]["pcie"], "gbps": round(measured["Ampere"]["pcie"]["gbps"] / 2, 1)}
    content["architectures"] = {
        **measured,
        "Blackwell": measured["Hopper"],
        "other": {**measured["Ampere"], "pcie": old_pcie},
    }
    content["sources"]["architectures"] = {
        "Ampere": f"{_SOURCE}: A100, NVSwitch and pairs",
        "Hopper": f"{_SOURCE}: H100, NVSwitch and pairs",
        "Blackwell": "assumed: as Hopper",
        "other": "assumed: as Ampere, PCIe of half its bandwidth",
    }
    FIGURES.write_text(_text(content), encoding="utf-8")


_SOURCE = "fitted to Vidur's all-reduces (github.com/microsoft/vidur), benchmarks/calibration/vidur_collectives.py"


def _text(content: Mapping[str, Any]) -> str:
    about = (
        "# How GPUs of an architecture reach each other, and the network cards of a usual node; see network_board.py.\n"
        "# efficiency: of the NVLink bandwidth of a direction; gbps: GB/s per direction; gpus: that share one card,\n"
        "# 0: a single card for the node; twins: GB/s per direction from a GPU to its twin in the other domain.\n"
    )
    lines = [about + "architectures:"]
    for age, own in content["architectures"].items():
        lines += [f"  {age}:", *(f"    {link}: {_flow(figures)}" for link, figures in own.items())]
    lines += ["network_cards:", *(f"  {kind}: {_flow(card)}" for kind, card in content["network_cards"].items())]
    lines += ["twins:", *(f"  {kind}: {gbps}" for kind, gbps in content["twins"].items()), "sources:"]
    for section, own in content["sources"].items():
        lines += [f"  {section}:", *(f'    {name}: "{text}"' for name, text in own.items())]
    return "\n".join(lines) + "\n"


def _flow(figures: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in figures.items()) + "}"


def report(title: str, rows: Sequence[AllReduce], predicted: Sequence[float]) -> None:
    """Held-out error by size."""
    for low, high, name in BANDS:
        found = [abs(p / r.time_s - 1) for r, p in zip(rows, predicted, strict=True)
                 if low <= r.size_bytes < high and not r.is_fit]  # fmt: skip
        if found:
            print(f"  {title:28} {name:9} n={len(found):5} median {statistics.median(found):6.1%}"
                  f" mean {statistics.fmean(found):6.1%}")  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    rows = measurements()
    boards = fit_boards(rows)
    for age, figures in boards.items():
        print(age, figures)
    if "--write" in arguments:
        write(boards)
        print(f"wrote {FIGURES.name}; run again to see its errors")
    between = [row for row in rows if row.nodes == 2]
    network = fit_network([row for row in between if row.is_fit])
    print(f"between nodes: {network.node_gbps:.1f} GB/s on {network.nics} cards, {network.latency_us:.1f} us")
    layouts = layouts_for(rows)
    for shape in sorted(layouts):
        own = [row for row in rows if (row.kind, row.nodes, row.per_node) == shape]
        title = f"{shape[0]} {shape[1]} x {shape[2]} GPUs"
        report(title, own, times(own, layouts, network))


if __name__ == "__main__":
    main(sys.argv[1:])
