"""What a job would have taken elsewhere, at other clocks, by itself, or better placed: by the model, without its luck.

The model is that of the full physics without residuals. Energies are those of the job's GPUs; times are of service,
without waiting. What a run really took is in its record, off the model by as much as the simulated truth is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import JobRequest
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.gpu.point import GpuPoint
from goodwatt.power.network.gang_step import step_s
from goodwatt.power.network.layout import Layout, best_layout, layout_of
from goodwatt.simulator.physics.job_facts import JobFacts
from goodwatt.simulator.physics.truth import NO_RESIDUAL
from goodwatt.simulator.records.explanation_record import JobRecord, Stay


@dataclass(frozen=True, slots=True)
class Alternative:
    """The same work in another way: `time_s` of service, `energy_j` of its GPUs, `watts` and `clock_mhz` of each.

    `free_gpus`: GPUs of that kind that were free when it started; `fitted`: whether it had found room there then.
    """

    name: str
    gpu: str
    clock_mhz: float
    watts: float
    time_s: float
    energy_j: float
    free_gpus: int
    fitted: bool


@dataclass(frozen=True, slots=True)
class ClockChoice:
    """`default_mhz`: where the board settles by itself, `bound_by` what; `least_mhz`: where its GPUs need the fewest
    joules for its work, which takes `least_slower` times as long as the default and `least_j` times the joules.
    """

    default_mhz: float
    bound_by: str
    least_mhz: float
    least_slower: float
    least_j: float


class _Outcome(NamedTuple):
    rate: float
    watts: float
    clock_mhz: float


def clock_choice(job: JobRecord, cluster: Cluster, kind: str, stay: Stay) -> ClockChoice | None:
    """What clocks there were to choose from on a kind, where the run's physics knows of any."""
    world = _World.of(job, cluster, kind)
    if world is None:
        return None
    layout = world.layout(stay)
    default, least = world.outcome(layout, None), world.least(layout)
    point = world.point(None)
    return ClockChoice(
        default.clock_mhz,
        point.bound_by,
        least.clock_mhz,
        default.rate / least.rate,
        least.watts / least.rate / (default.watts / default.rate),
    )


def alternatives(
    job: JobRecord, cluster: Cluster, stay: Stay, free: Mapping[str, int], shared: bool
) -> tuple[Alternative, ...]:
    """Other ways to do the job's work, from where its longest stay began; `free`: masks of free GPUs by node then."""
    kinds = {node.name: node.gpu_kind for node in cluster.nodes}
    own = kinds[stay.pieces[0][0]] if stay.pieces else ""
    world = _World.of(job, cluster, own)
    if world is None or job.work_gpu_s <= 0.0:
        return ()
    layout, room = world.layout(stay), _Room(cluster, free, job.num_gpus)
    found = []
    if shared or stay.clock_mhz is not None or stay.cap_w is not None:
        name = "alone on its GPUs, as set" if shared else "as it was set"
        found.append((name, own, world.outcome(layout, stay.clock_mhz, stay.cap_w)))
    if not shared or stay.clock_mhz is not None or stay.cap_w is not None:
        found.append(("default clock", own, world.outcome(layout, None)))
    found.append(("least-energy clock", own, world.least(layout)))
    best = world.best_layout()
    if best is not None and layout is not None and best.num_nodes < layout.num_nodes:
        found.append((f"on {best.num_nodes} nodes instead of {layout.num_nodes}", own, world.outcome(best, None)))
    for kind in sorted(set(kinds.values()) - {own}):
        other = _World.of(job, cluster, kind)
        if other is not None and other.fits_memory:
            found.append(("default clock", kind, other.outcome(other.best_layout(), None)))
            found.append(("least-energy clock", kind, other.least(other.best_layout())))
    return tuple(_alternative(job, name, kind, outcome, room) for name, kind, outcome in found)


def _alternative(job: JobRecord, name: str, kind: str, outcome: _Outcome, room: _Room) -> Alternative:
    time_s = job.work_gpu_s / (job.gpus * outcome.rate)
    energy_j = outcome.watts * job.num_gpus * time_s
    free_gpus, fitted = room.of(kind)
    return Alternative(name, kind, outcome.clock_mhz, outcome.watts, time_s, energy_j, free_gpus, fitted)


class _Room:
    """Where a gang would have found room at an instant."""

    def __init__(self, cluster: Cluster, free: Mapping[str, int], gpus: int) -> None:
        self._cluster, self._free, self._gpus = cluster, free, gpus

    def of(self, kind: str) -> tuple[int, bool]:
        """(free GPUs of a kind, whether the gang fits on them)."""
        nodes = [node for node in self._cluster.nodes if node.gpu_kind == kind]
        free = [self._free[node.name].bit_count() for node in nodes]
        wide = self._gpus > max((node.gpus for node in nodes), default=0)
        return sum(free), sum(free) >= self._gpus if wide else max(free, default=0) >= self._gpus


class _World:
    """A job on one kind of GPU, by the model."""

    def __init__(self, job: JobRecord, cluster: Cluster, model: GpuModel) -> None:
        request = JobRequest(
            job_id=job.job_id,
            submit_s=job.submit_s,
            num_gpus=job.num_gpus,
            workload=job.workload,
            reference_gpu=job.reference_gpu,
        )
        self._cluster, self._model, self._gpus = cluster, model, job.num_gpus
        self._facts = JobFacts(request, cluster, NO_RESIDUAL)
        self._on = self._facts.on(model, job.reference_gpu)

    @classmethod
    def of(cls, job: JobRecord, cluster: Cluster, kind: str) -> _World | None:
        """None where the run had no workload classes (ideal physics), or the kind's power is unknown."""
        if job.workload is None or not job.num_gpus or kind not in cluster.kinds:
            return None
        facts = cluster.kinds[kind]
        return None if facts.power_model is None else cls(job, cluster, gpu_model(facts))

    @property
    def fits_memory(self) -> bool:
        """Whether a GPU of the kind has the memory."""
        return self._facts.workload.memory_mib <= self._model.kind.memory_mib

    def layout(self, stay: Stay) -> Layout | None:
        """Of a gang where it ran; None for a single GPU."""
        if self._gpus < 2 or not self._facts.exchanges:
            return None
        position = {node.name: i for i, node in enumerate(self._cluster.nodes)}
        return layout_of(self._cluster, tuple((position[node], mask) for node, mask in stay.pieces))

    def best_layout(self) -> Layout | None:
        """Of a gang that is well placed on the kind; None for a single GPU, or where the kind has too few GPUs."""
        if self._gpus < 2 or not self._facts.exchanges:
            return None
        try:
            return best_layout(self._cluster, self._gpus, self._model.kind.name)
        except ValueError:
            return None

    def point(self, clock_mhz: float | None, cap_w: float | None = None) -> GpuPoint:
        """Where one of its GPUs settles while it computes."""
        return self._on.alone(self._model, clock_mhz, cap_w, 1.0)

    def outcome(self, layout: Layout | None, clock_mhz: float | None, cap_w: float | None = None) -> _Outcome:
        """Work per second of each GPU, its watts, and its clock."""
        point = self.point(clock_mhz, cap_w)
        speed = self._on.speed * point.speeds[0]
        if layout is None:
            return _Outcome(speed, point.watts, point.clock_mhz)
        time = step_s(self._facts.workload.step, 1.0 / speed, layout, self._cluster.network)
        model, waiting, idle = self._model, self._on.waiting, time.exposed_share
        sm_w = point.sm_w * (1.0 - idle) + idle * waiting.u * model.core_w[model.index_of(point.clock_mhz)]
        dram_w = point.dram_w * (1.0 - idle) + idle * waiting.m * model.memory_w
        watts = point.idle_w + point.context_w + sm_w + dram_w
        return _Outcome(self._facts.best_step_s / time.total_s, watts, point.clock_mhz)

    def least(self, layout: Layout | None) -> _Outcome:
        """At the lock at which its GPUs need the fewest joules for its work."""
        outcomes: Sequence[_Outcome] = [self.outcome(layout, clock) for clock in self._model.clocks_mhz]
        return min(outcomes, key=lambda outcome: outcome.watts / outcome.rate)
