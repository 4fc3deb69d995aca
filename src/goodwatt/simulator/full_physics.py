"""Full physics: clocks, caps, sharing, topology and chips decide how fast each job runs and what it draws.

For every GPU the model finds where it settles under its tenants and their settings; a job goes at its slowest GPU, a
gang's step then adds the communication that does not hide behind the computation. GPUs of a gang that wait, for a
slower member or for the network, draw what communicating costs. All numbers here are the simulated truth: the model
with the residuals of `power.truth`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from goodwatt.cluster.bitset import members
from goodwatt.cluster.job import WHOLE_GPU_MILLI
from goodwatt.cluster.state import ClusterState
from goodwatt.power.demand import Setting
from goodwatt.power.gang_step import network_share, step_s
from goodwatt.power.gpu_model import GpuModel, gpu_model
from goodwatt.power.gpu_point import GpuPoint
from goodwatt.power.network_layout import layout_of
from goodwatt.power.network_loads import NetworkLoads
from goodwatt.power.sensors import counters_at
from goodwatt.power.sharing import Resident, pair_error, shared_point
from goodwatt.power.telemetry import Counters
from goodwatt.power.truth import Truth
from goodwatt.simulator.job_facts import JobFacts, OnKind
from goodwatt.simulator.job_run import EXCLUSIVE, JobRun
from goodwatt.simulator.physics import Change, ClusterPower, JobPoint
from goodwatt.simulator.power_meter import MICRO, GpuParts, PowerMeter

CHIP_DIGITS = 2
"""Chip factors are rounded to hundredths, so that a gang's GPUs share what was computed for one of them."""


class FullPhysics:
    """See the module; `share_mode`: how jobs that want a share of a GPU share it."""

    def __init__(self, state: ClusterState, truth: Truth, share_mode: str) -> None:
        cluster = state.cluster
        self._state, self._truth, self._share_mode = state, truth, share_mode
        models = {n: None if k.power_model is None else gpu_model(k) for n, k in cluster.kinds.items()}
        self._models: list[GpuModel | None] = [models[node.gpu_kind] for node in cluster.nodes]
        self.gpus_without_energy = sum(n.gpus for n, m in zip(cluster.nodes, self._models, strict=True) if m is None)
        self._facts: dict[str, JobFacts] = {}
        self._runs: dict[str, JobRun] = {}
        self._tenants: list[tuple[tuple[str, ...], ...]] = [((),) * node.gpus for node in cluster.nodes]
        idle = [_idle_parts(model) for model in self._models]
        self._gpu_parts: list[tuple[GpuParts, ...]] = [(i,) * n.gpus for i, n in zip(idle, cluster.nodes, strict=True)]
        self._points: list[tuple[GpuPoint | None, ...]] = [(None,) * node.gpus for node in cluster.nodes]
        self._mode: dict[int, str] = {}
        self._loads = NetworkLoads(cluster)
        self.meter = PowerMeter(cluster)
        self._clocks = [(0, 0)] * len(cluster.nodes)
        self._clocked = (0, 0)
        self._dirty_gpus: dict[int, int] = {}
        self._dirty_jobs: dict[str, None] = {}
        for node in range(len(cluster.nodes)):
            self.meter.on(node, self._gpu_parts[node], 0)

    # what happens ------------------------------------------------------------------------------------------------

    def placed(self, run: JobRun) -> None:
        """A job has got its GPUs."""
        self._runs[run.spec.job_id] = run
        self._move(run, add=True)
        self._dirty_jobs[run.spec.job_id] = None
        if len(run.placement) > 1:
            self._join_network(run)

    def left(self, run: JobRun) -> None:
        """A job is about to leave its GPUs."""
        self._move(run, add=False)
        self._dirty_jobs.update(dict.fromkeys(self._loads.remove(run.spec.job_id)))
        self._dirty_jobs.pop(run.spec.job_id, None)
        del self._runs[run.spec.job_id]

    def reset(self, run: JobRun) -> None:
        """Its GPUs have another setting."""
        for node, mask in run.placement:
            self._dirty_gpus[node] = self._dirty_gpus.get(node, 0) | mask

    def set_node(self, node: int, mode: str) -> None:
        """A node is on, off or asleep from now on."""
        if mode == "on":
            self._mode.pop(node, None)
        else:
            self._mode[node] = mode
        self._dirty_gpus.setdefault(node, 0)

    def checkpoint_mib(self, run: JobRun) -> float:
        """As its class has it."""
        return self.facts_of(run).workload.checkpoint_mib if run.spec.num_gpus else 0.0

    def changes(self) -> Sequence[Change]:
        """Settle every GPU that something happened to, then the jobs on them, then the nodes' watts."""
        jobs, self._dirty_jobs = self._dirty_jobs, {}
        nodes, self._dirty_gpus = self._dirty_gpus, {}
        for node, mask in nodes.items():
            self._settle_gpus(node, mask, jobs)
        points = [(self._runs[job_id], self._settle_job(self._runs[job_id], nodes)) for job_id in jobs]
        for node in nodes:
            self._clock_node(node)
            self._meter_node(node)
        return points

    def counters(self, run: JobRun) -> Counters | None:
        """What the sensors of its first GPU show, without noise; None where it is not alone or nothing is known."""
        node, mask = run.placement[0] if run.placement else (0, 0)
        gpu, model = (mask & -mask).bit_length() - 1, self._models[node]
        if model is None or gpu < 0 or any(len(self._tenants[n][g]) > 1 for n, m in run.placement for g in members(m)):
            return None
        point, watts = self._points[node][gpu], sum(self._gpu_parts[node][gpu]) / MICRO
        return None if point is None else counters_at(model, self._on(run, model).demand, point.clock_mhz, watts)

    def power(self) -> ClusterPower:
        """Watts now."""
        return self.meter.power()

    def clocks(self) -> tuple[float, int]:
        """Of the GPUs that jobs hold now, in whole kHz so that sums are exact."""
        khz, gpus = self._clocked
        return khz / 1000.0, gpus

    def copy(self, state: ClusterState, live: dict[str, JobRun]) -> Self:
        """The same over copies of the state and of the jobs; facts of jobs are shared."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _state=state)
        twin._runs = {job_id: live[job_id] for job_id in self._runs}
        twin._tenants, twin._gpu_parts, twin._points = self._tenants[:], self._gpu_parts[:], self._points[:]
        twin._mode, twin.meter, twin._loads = dict(self._mode), self.meter.copy(), self._loads.copy()
        twin._clocks = self._clocks[:]
        twin._dirty_gpus, twin._dirty_jobs = dict(self._dirty_gpus), dict(self._dirty_jobs)
        return twin

    def _join_network(self, run: JobRun) -> None:
        """A gang over several nodes takes its part of the links that it shares with others."""
        facts, cluster = self.facts_of(run), self._state.cluster
        if facts.exchanges:
            layout = layout_of(cluster, run.placement)
            busy = network_share(facts.workload.step, layout, cluster.network)
            self._dirty_jobs.update(dict.fromkeys(self._loads.add(run.spec.job_id, run.placement, layout, busy)))

    # one GPU -----------------------------------------------------------------------------------------------------

    def _move(self, run: JobRun, add: bool) -> None:
        """Note that a job came to its GPUs or goes."""
        job_id = run.spec.job_id
        for node, mask in run.placement:
            here = list(self._tenants[node])
            for gpu in members(mask):
                here[gpu] = (*here[gpu], job_id) if add else tuple(t for t in here[gpu] if t != job_id)
            self._tenants[node] = tuple(here)
            self._dirty_gpus[node] = self._dirty_gpus.get(node, 0) | mask

    def _settle_gpus(self, node: int, mask: int, jobs: dict[str, None]) -> None:
        if not mask:
            return
        model, tenants = self._models[node], self._tenants[node]
        points, parts = list(self._points[node]), list(self._gpu_parts[node])
        for gpu in members(mask):
            jobs.update(dict.fromkeys(tenants[gpu]))
            points[gpu] = None if model is None else self._point(model, node, gpu, tenants[gpu])
            if not tenants[gpu]:
                parts[gpu] = _idle_parts(model)
        self._points[node], self._gpu_parts[node] = tuple(points), tuple(parts)

    def _point(self, model: GpuModel, node: int, gpu: int, tenants: tuple[str, ...]) -> GpuPoint | None:
        if not tenants:
            return None
        chip = self._chip(model, node, gpu)
        runs = [self._runs[job_id] for job_id in tenants]
        if len(runs) == 1 and runs[0].sharing != "mps":
            run = runs[0]
            return self._on(run, model).alone(model, run.clock_mhz, run.cap_w, chip)
        setting = Setting(_least(run.clock_mhz for run in runs), _least(run.cap_w for run in runs))
        mode = self._sharing(runs)
        residents = tuple(Resident(self._on(run, model).demand, _threads(run, mode)) for run in runs)
        point = shared_point(model, residents, mode, setting, chip)
        factors = self._truth.resident_factors(tenants, pair_error(mode))
        speeds = tuple(min(s * f, 1.0) for s, f in zip(point.speeds, factors, strict=True))
        return GpuPoint(
            point.clock_mhz,
            point.watts,
            speeds,
            point.bound_by,
            point.idle_w,
            point.context_w,
            point.sm_w,
            point.dram_w,
        )

    def _sharing(self, runs: Sequence[JobRun]) -> Any:
        """The mode of a GPU: what its latest tenant that shares asked for."""
        asked = [run.sharing for run in runs if run.sharing != EXCLUSIVE]
        return asked[-1] if asked else self._share_mode

    def _chip(self, model: GpuModel, node: int, gpu: int) -> float:
        name = self._state.cluster.nodes[node].name
        return round(self._truth.chip_factor(name, gpu, model.power.chip_spread), CHIP_DIGITS)

    # one job -----------------------------------------------------------------------------------------------------

    def _on(self, run: JobRun, model: GpuModel) -> OnKind:
        return self.facts_of(run).on(model, run.spec.reference_gpu)

    def facts_of(self, run: JobRun) -> JobFacts:
        """The truth about a job, found out once."""
        facts = self._facts.get(run.spec.job_id)
        if facts is None:
            facts = self._facts[run.spec.job_id] = JobFacts(run.spec, self._state.cluster, self._truth)
        return facts

    def _settle_job(self, run: JobRun, nodes: dict[int, int]) -> JobPoint:
        """Its rate from its slowest GPU, and what its GPUs draw while they compute and while they wait."""
        if not run.spec.num_gpus:
            return JobPoint(1.0, 0.0)
        speeds = self._speeds(run)
        slowest = min(speeds.values(), default=1.0)
        rate, computing = self._gang(run, slowest)
        watts: float | None = 0.0
        for (node, gpu), speed in speeds.items():
            share = self._draw(run, node, gpu, computing * slowest / speed)
            nodes.setdefault(node, 0)
            watts = None if share is None or watts is None else watts + share
        return JobPoint(rate, watts)

    def _speeds(self, run: JobRun) -> dict[tuple[int, int], float]:
        """Work per second of each of its GPUs, before communication."""
        job_id, speeds = run.spec.job_id, {}
        for node, mask in run.placement:
            model, points, tenants = self._models[node], self._points[node], self._tenants[node]
            speed = 1.0 if model is None else self._on(run, model).speed
            for gpu in members(mask):
                point = points[gpu]
                speeds[node, gpu] = speed if point is None else speed * point.speeds[tenants[gpu].index(job_id)]
        return speeds

    def _gang(self, run: JobRun, speed: float) -> tuple[float, float]:
        """(rate, share of the time in which the slowest GPU computes) of a job whose slowest GPU goes at `speed`."""
        facts = self.facts_of(run)
        if not facts.exchanges:
            return speed, 1.0
        cluster = self._state.cluster
        load = self._loads.load(run.spec.job_id) if len(run.placement) > 1 else 1.0
        time = step_s(facts.workload.step, 1.0 / speed, layout_of(cluster, run.placement), cluster.network, load)
        return facts.best_s / time.total_s, 1.0 - time.exposed_s / time.total_s

    def _draw(self, run: JobRun, node: int, gpu: int, busy: float) -> float | None:
        """Note the watts of a GPU on which the job computes for a share `busy` of the time; the job's part of them."""
        point, model = self._points[node][gpu], self._models[node]
        if point is None or model is None:
            return None
        waiting = self._on(run, model).waiting
        idle = 1.0 - busy
        sm_w = point.sm_w * busy + idle * waiting.u * model.core_w[model.index_of(point.clock_mhz)]
        dram_w = point.dram_w * busy + idle * waiting.m * model.memory_w
        parts = list(self._gpu_parts[node])
        held_w = point.idle_w + point.context_w
        parts[gpu] = (0, round(held_w * MICRO), round(sm_w * MICRO), round(dram_w * MICRO))
        self._gpu_parts[node] = tuple(parts)
        tenants = self._tenants[node][gpu]
        if len(tenants) == 1:
            return held_w + sm_w + dram_w
        return held_w / len(tenants) + (sm_w + dram_w) * self._activity(run, model, point, tenants)

    def _activity(self, run: JobRun, model: GpuModel, point: GpuPoint, tenants: tuple[str, ...]) -> float:
        """The job's part of what the tenants of a GPU make it draw above its context."""
        drawn = []
        for job_id, speed in zip(tenants, point.speeds, strict=True):
            demand = self._on(self._runs[job_id], model).demand
            drawn.append(speed * demand.duty * (demand.u * model.core_w[-1] + demand.m * model.memory_w))
        total = sum(drawn)
        return drawn[tenants.index(run.spec.job_id)] / total if total > 0.0 else 1.0 / len(tenants)

    # nodes -------------------------------------------------------------------------------------------------------

    def _clock_node(self, node: int) -> None:
        """Take over the clocks of a node's GPUs."""
        khz = [round(point.clock_mhz * 1000.0) for point in self._points[node] if point is not None]
        (old_khz, old_gpus), (all_khz, all_gpus) = self._clocks[node], self._clocked
        self._clocks[node] = sum(khz), len(khz)
        self._clocked = all_khz + sum(khz) - old_khz, all_gpus + len(khz) - old_gpus

    def _meter_node(self, node: int) -> None:
        mode = self._mode.get(node, "on")
        if mode == "on":
            self.meter.on(node, self._gpu_parts[node], sum(map(bool, self._tenants[node])))
        elif mode == "asleep":
            self.meter.asleep(node)
        else:
            self.meter.off(node)


def _idle_parts(model: GpuModel | None) -> GpuParts:
    return (0, 0, 0, 0) if model is None else (round(model.idle_w * MICRO), 0, 0, 0)


def _least(values: Any) -> float | None:
    given = [value for value in values if value is not None]
    return min(given) if given else None


def _threads(run: JobRun, mode: str) -> float:
    """The share of SMs that a tenant may use under MPS."""
    if mode != "mps":
        return 1.0
    return run.thread_percent / 100.0 * run.spec.gpu_milli / WHOLE_GPU_MILLI
