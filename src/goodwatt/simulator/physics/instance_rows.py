"""Instances of services that have their GPUs to themselves, as rows: told all at once what they draw.

There may be hundreds of them, told every few seconds, and hardly anybody looks at one GPU of theirs meanwhile. So only
sums are kept up to date, the watts and clocks of their nodes; what stands in the books about a single GPU follows when
somebody looks at its node (`bring`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
    """`told`: all who are told of, `at`: which of them have a row, `others`: which not.

    The GPUs of a row are `members` of node `nodes[node]`.

    `most_w`: what a GPU may draw beyond its context. As last told, all GPUs of an instance together: `context_uw`,
    `sm_uw`, `dram_uw`, `khz`.
    """

    told: list[JobRun]
    at: NDArray[np.int64]
    others: list[int]
    members: list[tuple[int, ...]]
    nodes: list[int]
    node: NDArray[np.int64]
    gpus: Floats
    most_w: Floats
    context_uw: Floats
    sm_uw: Floats
    dram_uw: Floats
    khz: Floats

    @property
    def watts(self) -> tuple[Floats, Floats, Floats]:
        """Microwatts by where they go."""
        return self.context_uw, self.sm_uw, self.dram_uw


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
        sm_uw = np.rint(np.minimum(sm_w, np.maximum(0.0, rows.most_w - dram_w)) * MICRO) * rows.gpus
        dram_uw, khz = np.rint(dram_w * MICRO) * rows.gpus, np.rint(draws.clock_mhz[rows.at] * 1000.0) * rows.gpus
        self._shift(rows, sm_uw - rows.sm_uw, dram_uw - rows.dram_uw, khz - rows.khz)
        rows.sm_uw, rows.dram_uw, rows.khz = sm_uw, dram_uw, khz
        self._told.update(dict.fromkeys(rows.nodes, (rows, draws)))
        watts = ((rows.context_uw + sm_uw + dram_uw) / MICRO).tolist()
        return [(draws.runs[at], drawn) for at, drawn in zip(rows.at.tolist(), watts, strict=True)], rows.others

    def bring(self, node: int) -> None:
        """The books say of each GPU of a node what has been told of its instances."""
        rows, draws = self._told.pop(node, (None, None))
        if rows is None or draws is None:
            return
        for i in np.flatnonzero(rows.node == rows.nodes.index(node)).tolist():
            at, gpus = int(rows.at[i]), rows.members[i]
            context_uw, sm_uw, dram_uw = (int(column[i]) // len(gpus) for column in rows.watts)
            self._tenants.served[draws.runs[at].spec.job_id] = draws.facts(at)
            self._gpus.settle(node, bitset(gpus))
            self._book.put(node, gpus, (0, context_uw, sm_uw, dram_uw))

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
        at = [place for place, run in enumerate(draws.runs) if plain(run)]
        places = [draws.runs[i].placement[0] for i in at]
        nodes = list(dict.fromkeys(node for node, _ in places))
        index = {node: i for i, node in enumerate(nodes)}
        gpus = [(node, tuple(members(mask))) for node, mask in places]
        parts = np.array([np.sum([self._book.parts[n][g] for g in all_], axis=0) for n, all_ in gpus], dtype=np.float64)
        _, context_uw, sm_uw, dram_uw = parts.reshape(-1, 4).T
        return _Rows(
            told=draws.runs,
            at=np.array(at, dtype=np.int64),
            others=sorted(set(range(len(draws.runs))).difference(at)),
            members=[all_ for _, all_ in gpus],
            nodes=nodes,
            node=np.array([index[node] for node, _ in gpus], dtype=np.int64),
            gpus=np.array([float(len(all_)) for _, all_ in gpus]),
            most_w=np.array([self._most_w(draws, i, *one) for i, one in zip(at, gpus, strict=True)]),
            context_uw=context_uw,
            sm_uw=sm_uw,
            dram_uw=dram_uw,
            khz=np.array([self._khz(*one) for one in gpus]),
        )

    def _most_w(self, draws: InstanceDraws, at: int, node: int, gpus: Sequence[int]) -> float:
        """What a GPU of an instance may draw beyond its context."""
        model, run = self._tenants.models[node], draws.runs[at]
        assert model is not None  # noqa: S101 - it would not be plain
        chip = min(self._gpus.chip(node, gpu) for gpu in gpus)
        return draws.idle[at].most_w(model, run.cap_w, chip) - model.context_w

    def _khz(self, node: int, gpus: Iterable[int]) -> float:
        points = [self._gpus.points[node][gpu] for gpu in gpus]
        return float(sum(round(point.clock_mhz * 1000.0) for point in points if point is not None))
