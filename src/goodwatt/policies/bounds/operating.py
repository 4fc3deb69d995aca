"""What a job needs at least for a unit of its work on a GPU of a kind: seconds of the GPU and joules, at every clock.

The choices of clock and cap are a curve of seconds s against joules e above a GPU that is held and does nothing. What
lies on the curve or above its convex hull is described from below by its support:

    h(price) = min (e + price s)     for some prices in watts,     and the least s

All of it is per reference GPU-second of work. Clocks may be mixed in a linear program, so the hull gives nothing away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.network import Network
from goodwatt.power.colocation.interference_constants import PAIR_ERRORS
from goodwatt.power.gpu.model import CAP_KEPT, GpuModel
from goodwatt.power.gpu.point import Load, capped_loads, highest_clock, load_of
from goodwatt.power.network.board import BYTES_PER_GB, Board, board_of, node_gbps, pcie_gbps
from goodwatt.power.network.collectives import NVLS_EFFICIENCY
from goodwatt.power.workloads.workload import Phase, Step
from goodwatt.simulator.jobs.elastic import doubling, elastic_range, gpu_efficiency
from goodwatt.simulator.physics.job_facts import JobFacts, OnKind
from goodwatt.simulator.physics.truth import NO_RESIDUAL, Truth, greatest_factor

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Needs:
    """Support `joules` at the prices asked for, and the least GPU-seconds `held_s`, per unit of work.

    `rate`: the most work per second for each GPU that the job asks for.
    """

    joules: Floats
    held_s: float
    rate: float


IDEAL_RATE = 1.0


class FullNeeds:
    """Needs under full physics; `residents`: the most jobs that may hold a GPU whole at once;
    `least_milli`: the smallest share of a GPU that a job asks for."""

    def __init__(self, cluster: Cluster, truth: Truth, residents: int, least_milli: int) -> None:
        self._cluster, self._truth, self._residents = cluster, truth, residents
        tenants = max(residents, WHOLE_GPU_MILLI // max(least_milli, 1))
        error = max(PAIR_ERRORS.values())
        self._links = links_of(cluster)
        self._luck = 1.0 if truth is NO_RESIDUAL else greatest_factor(error, tenants)
        self._last: tuple[OnKind, tuple[tuple[Load, ...], float]] | None = None
        """What chips do not change of the job asked for last, on the kind asked for last."""

    def facts(self, job: JobRequest) -> JobFacts:
        """The truth about a job."""
        return JobFacts(job, self._cluster, self._truth)

    def needs(self, job: JobRequest, facts: JobFacts, model: GpuModel | None, chip: float, prices: Floats) -> Needs:
        """Of a job on a GPU of this model whose SMs draw `chip` times nominal; no joules where power is unknown."""
        part = 1.0 if job.gpu_milli == WHOLE_GPU_MILLI else job.gpu_milli / WHOLE_GPU_MILLI
        shares = self._residents > 1 or part < 1.0
        tenants = self._residents if part == 1.0 else 1
        curves = (
            [_Unknown()] if model is None else self._curves(facts.on(model, job.reference_gpu), model, chip, shares)
        )
        exchange = _Exchange.of(facts, job, self._links)
        # A job with a share of a GPU does `part` of the work that its class does there, at the same joules.
        scaled = prices * (part / tenants)
        joules = np.minimum.reduce([exchange.support(curve, scaled) for curve in curves]) / part
        held_s = min(exchange.held_s(curve) for curve in curves)
        return resized(job, Needs(joules, held_s / tenants, 1.0 / held_s))

    def _curves(self, on: OnKind, model: GpuModel, chip: float, shares: bool) -> list[_Curve]:
        if self._last is None or self._last[0] is not on:
            self._last = on, capped_loads(model, on.phases)
        loads, default_s = self._last[1]
        alone = _Curve([_points(model, load, chip, capped=True) for load in loads], 1.0 / (default_s * on.speed))
        if not shares:
            return [alone]
        load = load_of(model, (Phase("mean", 1.0, 1.0, on.demand),))
        top = len(model.clocks_mhz) - 1
        wall_s = load.wall_s(model.stretch[max(0, highest_clock(model, load, top, model.default_cap_w))])
        walls, joules = _points(model, load, chip, capped=False)
        # Good luck beside a neighbour gives more work in the same time for the same joules, but no speed above alone.
        lucky = np.maximum(walls / self._luck, walls.min()), joules / self._luck
        return [alone, _Curve([lucky], 1.0 / (wall_s * on.speed))]


def ideal_needs(job: JobRequest, active_w: float, prices: Floats) -> Needs:
    """Under ideal physics every GPU works at rate 1 and draws so much more than idle."""
    return resized(job, Needs(active_w + prices, 1.0, IDEAL_RATE))


def resized(job: JobRequest, needs: Needs) -> Needs:
    """Needs of a job at whichever of its sizes does best: small gangs waste least, large ones do most in a second."""
    sizes = elastic_range(job)
    if not sizes.elastic:
        return needs
    saved = gpu_efficiency(sizes.asked, sizes.least, doubling(sizes.asked)(sizes.least))
    return Needs(needs.joules / saved, needs.held_s / saved, needs.rate * sizes.most / sizes.asked)


class _Curve:
    """Stretches that settle each for itself, their points as (seconds, joules); `per_work` turns them into work."""

    def __init__(self, stretches: Sequence[tuple[Floats, Floats]], per_work: float) -> None:
        self._stretches, self._per_work = stretches, per_work

    def support(self, prices: Floats) -> Floats:
        """min (e + price s), which adds up over stretches."""
        parts = [(joules + prices[:, None] * walls).min(axis=1) for walls, joules in self._stretches]
        total: Floats = np.add.reduce(parts) * self._per_work
        return total

    @property
    def held_s(self) -> float:
        """The least seconds."""
        return math.fsum(float(walls.min()) for walls, _ in self._stretches) * self._per_work


class _Unknown(_Curve):
    """A GPU of which only the name is known: rate 1, and nobody knows the joules."""

    def __init__(self) -> None:
        super().__init__([(np.ones(1), np.zeros(1))], 1.0)


def _points(model: GpuModel, load: Load, chip: float, capped: bool) -> tuple[Floats, Floats]:
    """(seconds, joules above the context) at each clock that some cap allows; the lowest is always allowed."""
    stretch, core_w = _tables(model)
    walls = load.fixed_s + load.scaled_s * stretch
    joules = chip * core_w * (load.sm_fixed + load.sm_scaled * stretch) + load.dram_j
    if capped:
        most_w = CAP_KEPT * max(model.kind.max_cap_w or 0.0, model.default_cap_w)
        kept = model.context_w + joules / walls <= most_w
        kept[0] = True
        walls, joules = walls[kept], joules[kept]
    return walls, joules


@lru_cache(maxsize=64)
def _tables(model: GpuModel) -> tuple[Floats, Floats]:
    return np.array(model.stretch), np.array(model.core_w)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """What a gang's exchange adds: a step takes at least max(c s, x + (1 - overlap) c s) instead of s.

    c: `compute`, its seconds of computation over those of the whole step where rate 1 is; x: `exchange` likewise.
    """

    compute: float = 1.0
    exchange: float = 0.0
    overlap: float = 0.0

    @classmethod
    def of(cls, facts: JobFacts, job: JobRequest, links: Sequence[Link]) -> _Exchange:
        """Of a job; nothing where it exchanges nothing, or may do so at another size."""
        if not facts.exchanges:
            return cls()
        step = facts.workload.step
        exchange_s = 0.0 if elastic_range(job).elastic else least_exchange_s(step, job.num_gpus, links)
        return cls(step.compute_s / facts.best_s, exchange_s / facts.best_s, step.overlap)

    def support(self, curve: _Curve, prices: Floats) -> Floats:
        """Both parts of the max are bounds; what GPUs draw while they wait counts as nothing."""
        hidden = self.compute * curve.support(prices)
        if not self.exchange:
            return hidden
        exposed = self.compute * curve.support(prices * (1.0 - self.overlap)) + prices * self.exchange
        return np.maximum(hidden, exposed)

    def held_s(self, curve: _Curve) -> float:
        """The least seconds."""
        compute = self.compute * curve.held_s
        return max(compute, self.exchange + (1.0 - self.overlap) * compute)


@dataclass(frozen=True, slots=True)
class Link:
    """The best wires of a kind of GPU: `machine_gpus` of the largest machine (a node, or what NVLink joins), GB/s
    inside it, GB/s of its network cards; `switch_gbps`: buffers per second where its NVSwitches add up, 0 without.
    """

    machine_gpus: int
    inside_gbps: float
    outside_gbps: float
    switch_gbps: float


def least_exchange_s(step: Step, gpus: int, links: Sequence[Link]) -> float:
    """Seconds below which no placement of so many GPUs brings the exchange of a step.

    Of each algorithm of `power.network.collectives` only the volume over its narrowest link counts, as if nothing ever
    waited for a hop, and links are the best that the cluster has.
    """
    if gpus < 2 or step.exchange_bytes <= 0.0:
        return 0.0
    return min(_least_s(step.exchange_bytes / BYTES_PER_GB, gpus, link) for link in links)


def _least_s(size_gb: float, gpus: int, link: Link) -> float:
    ring_gb = 2.0 * (gpus - 1) / gpus * size_gb
    # Whatever the algorithm, what leaves a machine is at least the buffer once.
    found = [size_gb / link.outside_gbps]
    if gpus <= link.machine_gpus:
        found.append(ring_gb / link.inside_gbps)
        if link.switch_gbps:
            found.append(size_gb / link.switch_gbps)
    return min(found)


def links_of(cluster: Cluster) -> tuple[Link, ...]:
    """The best wires of each kind of GPU in a cluster."""
    machines: dict[str, list[int]] = {}
    for node in cluster.nodes:
        machines.setdefault(node.clique or f"\0{node.name}", []).append(node.gpus)
    shapes = {(gpus, len(sizes)) for sizes in machines.values() for gpus in sizes if gpus}
    largest = max(map(sum, machines.values()))
    kinds = dict.fromkeys(node.gpu_kind for node in cluster.nodes if node.gpus)
    return tuple(_link(board_of(cluster.kinds[kind]), cluster.network, largest, shapes) for kind in kinds)


def _link(board: Board, network: Network, machine_gpus: int, shapes: Iterable[tuple[int, int]]) -> Link:
    inside, switch = pcie_gbps(board, network, 1), 0.0
    if board.nvlink is not None:
        twins = board.domain * board.twin_gbps * board.nvlink.gbps / board.nvlink_raw_gbps
        inside = max(inside, board.nvlink.gbps, twins)
        switch = NVLS_EFFICIENCY * board.nvlink_raw_gbps
    outside = max(nodes * node_gbps(board, network, gpus, gpus) for gpus, nodes in shapes)
    return Link(machine_gpus, inside, outside, switch)
