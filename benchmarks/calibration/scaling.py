"""Fit the step of a gang and the network under it to measured step times, a placement at a time.

A set of measurements is one testbed: rows of (workload, variant, placement, seconds of a step). A workload's
computation is fitted per variant (batch size, way of training), its exchange and overlap once, the testbed's wires
once for all workloads. What reads the files is left to `sia_scaling` and `rubick_scaling`.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.network import Network
from goodwatt.power.network.collectives import all_reduce_s
from goodwatt.power.network.gang_step import step_s
from goodwatt.power.network.layout import Layout, layout_of
from goodwatt.power.workloads.workload import Step


@dataclass(frozen=True)
class Row:
    """One measurement: `placement` has a digit per node, its GPUs there."""

    app: str
    variant: str
    placement: str
    step_s: float
    work: float = 1.0
    """Share of the variant's computation that each GPU does: 1 / GPUs where the batch is divided among them."""


@dataclass(frozen=True)
class AppFit:
    """What was fitted of a workload: seconds of computation by variant, its exchange, the stretch by neighbours.

    `crowding`: each further GPU of the gang on its fullest node stretches the computation by this share (input
    pipeline and memory bandwidth of the host).
    """

    exchange_bytes: float
    overlap: float = 0.0
    crowding: float = 0.0
    compute_s: Mapping[str, float] = field(default_factory=dict)
    fixed_s: float = 0.0
    """Part of the computation that does not shrink with the share of work."""


@dataclass(frozen=True)
class Testbed:
    """Identical nodes of one kind, and the measurements made on them."""

    name: str
    kind: str
    gpus: int
    rows: Sequence[Row]
    nvlink_domain: int | None = None

    def cluster(self) -> Cluster:
        """As many such nodes as any placement needs."""
        node: dict[str, Any] = {"gpu": self.kind, "gpus": self.gpus, "count": 32}
        if self.nvlink_domain is not None:
            node["nvlink_domain"] = self.nvlink_domain
        return build_cluster({"nodes": [node]})


Layouts = Mapping[str, Layout]


@dataclass(frozen=True)
class BedFit:
    """A testbed with its wires and the workloads on it."""

    bed: Testbed
    layouts: Layouts
    network: Network
    apps: Mapping[str, AppFit]


def layouts_of(bed: Testbed) -> Layouts:
    """The layout of every placement."""
    cluster = bed.cluster()
    placements = {row.placement for row in bed.rows}
    return {p: layout_of(cluster, [(i, (1 << int(k)) - 1) for i, k in enumerate(p)]) for p in sorted(placements)}


def fullest(placement: str) -> int:
    """Most GPUs on one node."""
    return max(map(int, placement))


def compute_from(row: Row, app: AppFit, exchange_s: float) -> float:
    """Seconds of computation of the variant, whole, with which this measurement would be met exactly."""
    stretch = 1.0 + app.crowding * (fullest(row.placement) - 1)
    own_s = row.step_s
    if exchange_s > app.overlap * own_s:
        own_s = max((row.step_s - exchange_s) / (1.0 - app.overlap), 0.05 * row.step_s)
    return max((own_s / stretch - app.fixed_s) / row.work, 1e-6)


def predict(row: Row, app: AppFit, layout: Layout, network: Network) -> float:
    """Seconds of the step by the model of the package."""
    compute_s = app.compute_s[row.variant] * row.work + app.fixed_s
    stretch = 1.0 + app.crowding * (fullest(row.placement) - 1)
    step = Step(compute_s=compute_s, exchange_bytes=app.exchange_bytes, overlap=app.overlap)
    return step_s(step, stretch, layout, network).total_s


def with_compute(app: AppFit, rows: Iterable[Row], layouts: Layouts, network: Network) -> AppFit:
    """The fit with each variant's computation: the median of what its rows ask for."""
    asked: dict[str, list[float]] = {}
    for row in rows:
        exchange_s = all_reduce_s(layouts[row.placement], network, app.exchange_bytes)
        asked.setdefault(row.variant, []).append(compute_from(row, app, exchange_s))
    return replace(app, compute_s={variant: statistics.median(values) for variant, values in asked.items()})


def errors(rows: Iterable[Row], app: AppFit, layouts: Layouts, network: Network) -> list[float]:
    """Relative errors of the steps predicted, signed; variants that the fit has not seen are left out."""
    known = (row for row in rows if row.variant in app.compute_s)
    return [predict(row, app, layouts[row.placement], network) / row.step_s - 1.0 for row in known]


def mean_abs(values: Sequence[float]) -> float:
    return statistics.fmean(map(abs, values)) if values else 0.0


def loss(rows: Sequence[Row], app: AppFit, layouts: Layouts, network: Network) -> float:
    """Mean absolute relative error on the fit's own rows, its computation chosen for them."""
    return mean_abs(errors(rows, with_compute(app, rows, layouts, network), layouts, network))


def bed_loss(
    by_app: Mapping[str, Sequence[Row]], apps: Mapping[str, AppFit], layouts: Layouts, network: Network
) -> float:
    """The loss of all workloads of a testbed, each weighing as many rows as it has."""
    return sum(len(own) * loss(own, apps[app], layouts, network) for app, own in by_app.items() if own)


def descend(start: Any, axes: Mapping[str, Sequence[float]], cost: Callable[[Any], float], rounds: int = 3) -> Any:
    """Coordinate descent over the values of each field of a dataclass, a few times around."""
    best, least = start, cost(start)
    for _, (name, values) in itertools.product(range(rounds), axes.items()):
        for value in values:
            candidate = replace(best, **{name: value})
            found = cost(candidate)
            if found < least:
                best, least = candidate, found
    return best


FACTORS = (0.5, 0.7, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25, 1.4, 2.0)


def spread(center: float, factors: Sequence[float] = FACTORS) -> list[float]:
    """Values around one that is known."""
    return [center * factor for factor in factors]
