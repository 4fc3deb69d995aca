"""Instances of services that have their GPUs to themselves, as rows: told all at once what they draw.

There may be hundreds of them, told every few seconds, and hardly anybody looks at one GPU of theirs meanwhile. So only
sums are kept up to date, the watts and clocks of their nodes; what stands in the books about a single GPU follows when
somebody looks at its node (`bring`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goodwatt.cluster.bitset import bitset, members
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.instance_facts import InstanceFacts
from goodwatt.simulator.physics.node_book import NodeBook
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.physics.settled_gpus import SettledGpus
from goodwatt.simulator.physics.tenants import Tenants

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Watched = tuple[JobRun, float]
"""An instance, and what its GPUs draw together, W."""


@dataclass(frozen=True, slots=True)
class InstanceDraws:
    """What instances did of late, an entry for each; columns as in `InstanceFacts`, `idle`: what they are otherwise."""

    runs: list[JobRun]
    idle: list[InstanceFacts]
    clock_mhz: Floats
    sm_w: Floats
    dram_w: Floats
    duty: Floats
    u: Floats
    m: Floats
    kappa: Floats

    def facts(self, at: int) -> InstanceFacts:
        """Of one."""
        return self.idle[at]._replace(
            clock_mhz=float(self.clock_mhz[at]),
            sm_w=float(self.sm_w[at]),
            dram_w=float(self.dram_w[at]),
            duty=float(self.duty[at]),
            u=float(self.u[at]),
            m=float(self.m[at]),
            kappa=float(self.kappa[at]),
        )


@dataclass(slots=True)
class _Rows:
    """A row for each GPU of those who have theirs to themselves.

    `told`: all who are told of; `plain`: which of them have rows, `others`: which not. Of a row, `gpu` on node
    `nodes[node]` is of instance `plain[whose]`, which is `told[at]`. `most_w`: what it may draw beyond its context, by
    cap and chip. As last told: `context_uw`, `sm_uw`, `dram_uw`, `khz`.
    """

    told: list[JobRun]
    plain: list[int]
    others: list[int]
    nodes: list[int]
    node: Ints
    gpu: list[int]
    whose: Ints
    at: Ints
    most_w: Floats
    context_uw: Floats
    sm_uw: Floats
    dram_uw: Floats
    khz: Floats

    def watts(self) -> list[float]:
        """Of the GPUs of each that has some, together."""
        all_uw = self.context_uw + self.sm_uw + self.dram_uw
        watts: list[float] = (np.bincount(self.whose, weights=all_uw, minlength=len(self.plain)) / MICRO).tolist()
        return watts


class InstanceRows:
    """`tell`, and `bring` a node up to date before anybody looks at its GPUs."""

    def __init__(self, tenants: Tenants, gpus: SettledGpus, book: NodeBook) -> None:
        self._tenants, self._gpus, self._book = tenants, gpus, book
        self._rows: _Rows | None = None
        self._told: dict[int, tuple[_Rows, InstanceDraws]] = {}

    def changed(self, node: int) -> None:
        """Somebody comes to this node, leaves it or has another setting."""
        if self._rows is not None and node in self._rows.nodes:
            self._rows = None

    def tell(self, draws: InstanceDraws, plain: Callable[[JobRun], bool]) -> tuple[list[Watched], list[int]]:
        """What those draw now that are `plain`; where the others are.

        Of who has a row it is asked when something has changed, of the others each time: so copies, which have no rows
        yet, find the same.
        """
        rows = self._rows
        if rows is None or rows.told != draws.runs or any(plain(draws.runs[at]) for at in rows.others):
            rows = self._rows = self._made(draws, plain)
        sm_w, dram_w = draws.sm_w[rows.at], draws.dram_w[rows.at]
        sm_uw = np.rint(np.minimum(sm_w, np.maximum(0.0, rows.most_w - dram_w)) * MICRO)
        dram_uw, khz = np.rint(dram_w * MICRO), np.rint(draws.clock_mhz[rows.at] * 1000.0)
        self._shift(rows, sm_uw - rows.sm_uw, dram_uw - rows.dram_uw, khz - rows.khz)
        rows.sm_uw, rows.dram_uw, rows.khz = sm_uw, dram_uw, khz
        self._told.update(dict.fromkeys(rows.nodes, (rows, draws)))
        return [(draws.runs[at], drawn) for at, drawn in zip(rows.plain, rows.watts(), strict=True)], rows.others

    def bring(self, node: int) -> None:
        """The books say of each GPU of a node what has been told of its instances."""
        rows, draws = self._told.pop(node, (None, None))
        if rows is None or draws is None:
            return
        here = np.flatnonzero(rows.node == rows.nodes.index(node)).tolist()
        for at in dict.fromkeys(rows.at[here].tolist()):
            self._tenants.served[draws.runs[at].spec.job_id] = draws.facts(at)
        self._gpus.settle(node, bitset(rows.gpu[row] for row in here))
        for row in here:
            parts = 0, int(rows.context_uw[row]), int(rows.sm_uw[row]), int(rows.dram_uw[row])
            self._book.set_gpu(node, rows.gpu[row], parts)

    def bring_all(self) -> None:
        """The same of all nodes."""
        for node in list(self._told):
            self.bring(node)

    def _shift(self, rows: _Rows, sm_uw: Floats, dram_uw: Floats, khz: Floats) -> None:
        """Nodes draw so much more."""
        size = len(rows.nodes)
        by_node = [np.bincount(rows.node, weights=more, minlength=size).tolist() for more in (sm_uw, dram_uw, khz)]
        for node, more_sm, more_dram, more_khz in zip(rows.nodes, *by_node, strict=True):
            self._book.shift(node, int(more_sm), int(more_dram), int(more_khz))

    def _made(self, draws: InstanceDraws, plain: Callable[[JobRun], bool]) -> _Rows:
        """Rows of those who have their GPUs to themselves, with what the books say of them."""
        self.bring_all()
        plain_ones = [at for at, run in enumerate(draws.runs) if plain(run)]
        gpus = list(_gpus_of(draws.runs, plain_ones))
        nodes = list(dict.fromkeys(node for _, _, node, _ in gpus))
        index = {node: i for i, node in enumerate(nodes)}
        parts = np.array([self._book.parts[node][gpu] for _, _, node, gpu in gpus], dtype=np.float64)
        _, context_uw, sm_uw, dram_uw = parts.reshape(-1, 4).T
        return _Rows(
            told=draws.runs,
            plain=plain_ones,
            others=sorted(set(range(len(draws.runs))).difference(plain_ones)),
            nodes=nodes,
            node=np.array([index[node] for _, _, node, _ in gpus], dtype=np.int64),
            gpu=[gpu for _, _, _, gpu in gpus],
            whose=np.array([whose for whose, _, _, _ in gpus], dtype=np.int64),
            at=np.array([at for _, at, _, _ in gpus], dtype=np.int64),
            most_w=np.array([self._most_w(draws, at, node, gpu) for _, at, node, gpu in gpus]),
            context_uw=context_uw,
            sm_uw=sm_uw,
            dram_uw=dram_uw,
            khz=np.array([self._khz(node, gpu) for _, _, node, gpu in gpus]),
        )

    def _most_w(self, draws: InstanceDraws, at: int, node: int, gpu: int) -> float:
        """What a GPU of an instance may draw beyond its context."""
        model = self._tenants.models[node]
        assert model is not None  # noqa: S101 - it would not be plain
        return draws.idle[at].most_w(model, draws.runs[at].cap_w, self._gpus.chip(node, gpu)) - model.context_w

    def _khz(self, node: int, gpu: int) -> float:
        point = self._gpus.points[node][gpu]
        return 0.0 if point is None else float(round(point.clock_mhz * 1000.0))


def _gpus_of(runs: Sequence[JobRun], plain: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
    """(whose, at, node, GPU), see `_Rows`."""
    for whose, at in enumerate(plain):
        for node, mask in runs[at].placement:
            for gpu in members(mask):
                yield whose, at, node, gpu
