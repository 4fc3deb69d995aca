"""What the simulated world knows of a job and no policy does: its true demand, its speed on each kind, its steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import JobRequest
from goodwatt.errors import RunError
from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.gpu.point import GpuPoint, capped_loads, point_of_loads
from goodwatt.power.network.gang_step import step_s
from goodwatt.power.network.layout import best_layout
from goodwatt.power.workloads.catalogue import communicating, phases_on, speed_on, workload_class
from goodwatt.power.workloads.demand import Demand, Setting
from goodwatt.power.workloads.workload import Phase, Step, WorkloadClass, mean_demand
from goodwatt.simulator.physics.truth import Truth


class OnKind:
    """A job on one kind of GPU: its true phases and mean demand, and work per second relative to its reference."""

    def __init__(self, model: GpuModel, phases: tuple[Phase, ...], speed: float) -> None:
        self.phases, self.speed = phases, speed
        self.demand = mean_demand(phases)
        self._loads, self._default_s = capped_loads(model, phases)
        self._points: dict[tuple[float | None, float | None, float], GpuPoint] = {}

    @cached_property
    def waiting(self) -> Demand:
        """What it asks for while it waits for the others of its gang."""
        return communicating(self.demand)

    def default_slowdown(self, model: GpuModel) -> float:
        """Wall time alone at the default setting relative to the greatest clock."""
        return model.slowdown(self.demand, self.alone(model, None, None, 1.0).clock_mhz)

    def alone(self, model: GpuModel, clock_mhz: float | None, cap_w: float | None, chip: float) -> GpuPoint:
        """Where a GPU settles that the job has to itself."""
        key = (clock_mhz, cap_w, chip)
        point = self._points.get(key)
        if point is None:
            setting = Setting(clock_mhz, cap_w)
            point = self._points[key] = point_of_loads(model, self._loads, self._default_s, setting, chip)
        return point


class JobFacts:
    """The truth about one job; it never changes, so forks share it."""

    __slots__ = ("_asked", "_residual", "_truth", "best_s", "job_id", "kinds", "workload")

    def __init__(self, job: JobRequest, cluster: Cluster, truth: Truth) -> None:
        if job.workload is None:
            raise RunError(f"job {job.job_id}: full physics needs its workload class")
        self.job_id, self._asked = job.job_id, job.num_gpus
        self.workload: WorkloadClass = workload_class(job.workload)
        self._truth = truth
        self._residual = truth.job_residual(job.job_id)
        self.kinds: dict[str, OnKind] = {}
        self.best_s = self._best_step_s(job, cluster)

    @property
    def exchanges(self) -> bool:
        """Whether a gang of it has anything to say to each other."""
        return self.best_s > 0.0

    @property
    def best_step_s(self) -> float:
        """Seconds of a step of the size that the job asked for, well placed."""
        return self.best_s or self.workload.step.compute_s

    def step_of(self, gpus: int) -> Step:
        """A step of the same batch on so many GPUs: what the asked ones compute, divided among them."""
        step = self.workload.step
        return step if gpus == self._asked else replace(step, compute_s=step.compute_s * self._asked / gpus)

    def on(self, model: GpuModel, reference: str | None) -> OnKind:
        """The job on a kind; `reference`: the kind on which its duration was measured."""
        known = self.kinds.get(model.kind.name)
        if known is None:
            known = self.kinds[model.kind.name] = self._make(model, reference or model.kind.name)
        return known

    def _make(self, model: GpuModel, reference: str) -> OnKind:
        kind, workload, truth = model.kind.name, self.workload, self._truth
        phases = truth.phases(phases_on(workload, kind), self._residual, model)
        speed = speed_on(workload, kind) / speed_on(workload, reference)
        if kind != reference:
            speed *= truth.speed_factor(self.job_id, workload, kind) / truth.speed_factor(
                self.job_id, workload, reference
            )
        return OnKind(model, phases, speed)

    def _best_step_s(self, job: JobRequest, cluster: Cluster) -> float:
        """Seconds of a step where the gang is well placed; 0 if it is no gang or exchanges nothing."""
        if job.num_gpus < 2 or not self.workload.step.exchange_bytes:
            return 0.0
        try:
            layout = best_layout(cluster, job.num_gpus, job.reference_gpu, job.partition)
        except ValueError:
            layout = best_layout(cluster, job.num_gpus)
        return step_s(self.workload.step, 1.0, layout, cluster.network).total_s
