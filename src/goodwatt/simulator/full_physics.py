"""Full physics: clocks, caps, sharing, topology and chips decide how fast each job runs and what it draws.

For every GPU the model finds where it settles under its tenants and their settings; a job goes at its slowest GPU, a
gang's step then adds the communication that does not hide behind the computation. GPUs of a gang that wait, for a
slower member or for the network, draw what communicating costs. All numbers here are the simulated truth: the model
with the residuals of `power.truth`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Self

from goodwatt.cluster.bitset import members
from goodwatt.cluster.state import ClusterState
from goodwatt.power.demand import Demand, Setting
from goodwatt.power.gang_step import network_share, step_s
from goodwatt.power.gpu_model import GpuModel, gpu_model
from goodwatt.power.gpu_point import GpuPoint
from goodwatt.power.network_layout import layout_of
from goodwatt.power.network_loads import NetworkLoads
from goodwatt.power.sensors import counters_at, of_gang
from goodwatt.power.telemetry import Counters
from goodwatt.power.truth import Truth
from goodwatt.power.workload_catalogue import communicating
from goodwatt.simulator.elastic import doubling
from goodwatt.simulator.host_share import Asker, HostShare
from goodwatt.simulator.job_facts import JobFacts, OnKind
from goodwatt.simulator.job_run import JobRun
from goodwatt.simulator.physics import Change, ClusterPower, JobPoint
from goodwatt.simulator.power_meter import MICRO, GpuParts, PowerMeter
from goodwatt.simulator.shared_gpu import Tenant, fits, parts_by_tenant, settled, sharing_mode

COMMUNICATING = communicating(Demand(u=0.0, m=0.0, kappa=0.0))
"""What a GPU does that waits for others, whatever its job."""
CHIP_DIGITS = 2
"""Chip factors are rounded to hundredths, so that a gang's GPUs share what was computed for one of them."""


class FullPhysics:
    """See the module; `share_mode`: how jobs that want a share of a GPU share it."""

    limits_memory = True

    def __init__(self, state: ClusterState, truth: Truth, share_mode: str) -> None:
        cluster = state.cluster
        self._state, self._truth, self._share_mode = state, truth, share_mode
        models = {n: None if k.power_model is None else gpu_model(k) for n, k in cluster.kinds.items()}
        self._models: list[GpuModel | None] = [models[node.gpu_kind] for node in cluster.nodes]
        self.gpus_without_energy = sum(n.gpus for n, m in zip(cluster.nodes, self._models, strict=True) if m is None)
        self._chips: dict[tuple[int, int], float] = {}
        self._facts: dict[str, JobFacts] = {}
        self._runs: dict[str, JobRun] = {}
        self._tenants: list[tuple[tuple[str, ...], ...]] = [((),) * node.gpus for node in cluster.nodes]
        idle = [_idle_parts(model) for model in self._models]
        self._gpu_parts: list[tuple[GpuParts, ...]] = [(i,) * n.gpus for i, n in zip(idle, cluster.nodes, strict=True)]
        self._points: list[tuple[GpuPoint | None, ...]] = [(None,) * node.gpus for node in cluster.nodes]
        self._mode: dict[int, str] = {}
        self._loads, self._hosts = NetworkLoads(cluster), HostShare(cluster)
        self._pace: dict[str, float] = {}
        self.meter = PowerMeter(cluster)
        self._clocks = [(0, 0)] * len(cluster.nodes)
        self._clocked = (0, 0)
        self._paused: set[str] = set()
        self._launching: dict[str, int] = {}
        self._dormant: dict[int, int] = {}
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
        self._pace.pop(run.spec.job_id, None)
        self._paused.discard(run.spec.job_id)
        if run.spec.job_id in self._launching:
            self.launch(run, None)
            del self._dirty_jobs[run.spec.job_id]

    def pause(self, run: JobRun, on: bool) -> bool:
        """A job computes no more, its GPUs hold a context; or it does again."""
        if on:
            self._paused.add(run.spec.job_id)
        else:
            self._paused.discard(run.spec.job_id)
        self.reset(run)
        return True

    def paused(self, job_id: str) -> bool:
        """Whether a running job is held up."""
        return job_id in self._paused

    def launch(self, run: JobRun, up: int | None) -> None:
        """So many of its nodes are up and wait for the others; None: all are, and it computes."""
        if up is None:
            self._launching.pop(run.spec.job_id, None)
        else:
            self._launching[run.spec.job_id] = up
        for i, (node, mask) in enumerate(run.placement):
            dormant = self._dormant.pop(node, 0) & ~mask
            if up is not None and i >= up:
                dormant |= mask
            if dormant:
                self._dormant[node] = dormant
            self._dirty_gpus.setdefault(node, 0)
        self._dirty_jobs[run.spec.job_id] = None

    def reset(self, run: JobRun) -> None:
        """Its GPUs have another setting."""
        for node, mask in run.placement:
            self._dirty_gpus[node] = self._dirty_gpus.get(node, 0) | mask

    def set_node(self, node: int, mode: str) -> None:
        """A node is on, off or at a stage of sleep from now on."""
        if mode == "on":
            self._mode.pop(node, None)
        else:
            self._mode[node] = mode
        self._dirty_gpus.setdefault(node, 0)

    def fits_memory(self, run: JobRun) -> bool:
        """Whether every one of its GPUs has room for it beside those who came before."""
        for node, mask in run.placement:
            model, tenants = self._models[node], self._tenants[node]
            for gpu in members(mask) if model is not None else ():
                runs = [self._runs[job_id] for job_id in tenants[gpu]]
                mode = sharing_mode(runs, self._share_mode)
                if model is None or mode is None or (len(runs) == 1 and mode != "mig"):
                    continue
                on = [(other, self._on(other, model)) for other in runs]
                if not fits(model, on, mode, runs.index(run)):
                    return False
        return True

    def checkpoint_mib(self, run: JobRun) -> float:
        """As its class has it."""
        return self.facts_of(run).workload.checkpoint_mib if run.spec.num_gpus else 0.0

    def changes(self) -> Sequence[Change]:
        """Settle every GPU that something happened to, then the jobs on them, then the nodes' watts."""
        jobs, self._dirty_jobs = self._dirty_jobs, {}
        nodes, self._dirty_gpus = self._dirty_gpus, {}
        for node, mask in nodes.items():
            self._settle_gpus(node, mask, jobs)
            if self._hosts.crowded(node):
                jobs.update(dict.fromkeys(self._hosts.settle(node, self._askers(node))))
        points = [(self._runs[job_id], self._settle_job(self._runs[job_id], nodes)) for job_id in jobs]
        for node in nodes:
            self._clock_node(node)
            self._meter_node(node)
        return points

    def counters(self, run: JobRun) -> Counters | None:
        """What the sensors of its first GPU show, without noise; None where it is not alone or nothing is known."""
        if run.spec.job_id in self._launching or run.spec.job_id in self._paused:
            return None
        node, mask = run.placement[0] if run.placement else (0, 0)
        gpu, model = (mask & -mask).bit_length() - 1, self._models[node]
        shared = any(len(self._tenants[n][g]) > 1 for n, m in run.placement for g in members(m))
        if model is None or gpu < 0 or shared or run.spec.mig_profile is not None:
            return None
        point = self._points[node][gpu]
        if point is None:
            return None
        here = self._tenant(run.spec.job_id, node, point.speeds[0], model)
        watts = sum(parts_by_tenant(model, point, [here], self._cap_w(model, [run]))[0]) / MICRO
        seen = counters_at(model, here.on.demand, point.clock_mhz, watts)
        return of_gang(seen, here.busy, here.waits, here.on.waiting) if here.waits else seen

    def forget(self, run: JobRun) -> None:
        """A job has ended: what was found out about it is not needed again."""
        self._facts.pop(run.spec.job_id, None)

    def power(self) -> ClusterPower:
        """Watts now."""
        return self.meter.power()

    def tenants(self, node: int) -> tuple[tuple[str, ...], ...]:
        """The jobs on each GPU of a node."""
        return self._tenants[node]

    def run_of(self, job_id: str) -> JobRun:
        """A running job."""
        return self._runs[job_id]

    def mode(self, node: int) -> str:
        """On, off or a stage of sleep, as it was told."""
        return self._mode.get(node, "on")

    def idle_w(self, node: int) -> float:
        """What a GPU of a node draws that nobody holds."""
        model = self._models[node]
        return 0.0 if model is None else model.idle_w

    def most_w(self, node: int, gpu: int, on: Sequence[tuple[JobRun, float | None]]) -> float:
        """The most that a GPU draws with these jobs on it, each under its cap (None: the board's own).

        It is the highest of the caps, because the job with a lower one may leave; where that cannot be met, it is what
        the GPU draws all the same.
        """
        model = self._models[node]
        if model is None or not on:
            return self.idle_w(node)
        cap_w = max(model.default_cap_w if cap is None else _in_range(model, cap) for _, cap in on)
        runs = [run for run, _ in on]
        point = self._settled(model, node, gpu, runs, Setting(None, cap_w))
        waiting = [self._on(run, model).waiting for run in runs]
        least_w = max(_waiting_w(model, demand, 0) for demand in waiting) + model.context_w
        return max(cap_w, point.watts, least_w)

    def gpu_w(self, node: int, gpu: int) -> float:
        """What a GPU draws now."""
        return sum(self._gpu_parts[node][gpu]) / MICRO

    def clock_step_w(self, node: int, gpu: int) -> float:
        """What the next higher clock may add to what a GPU draws."""
        model, point = self._models[node], self._points[node][gpu]
        if model is None or point is None:
            return 0.0
        at = min(model.index_of(point.clock_mhz), len(model.core_w) - 2)
        drawn = sum(self._gpu_parts[node][gpu][2:]) / MICRO
        return drawn * (model.core_w[at + 1] / model.core_w[at] - 1.0)

    def launched_w(self, node: int) -> float | None:
        """What a GPU of a node draws while it waits for other members of its gang to come up; None if unknown."""
        model = self._models[node]
        return None if model is None else model.context_w + _waiting_w(model, COMMUNICATING, -1)

    def least_cap_w(self, node: int) -> float:
        """The lowest cap that the boards of a node take."""
        model = self._models[node]
        return 0.0 if model is None else float(model.kind.min_cap_w or 0.0)

    def default_cap_w(self, node: int) -> float:
        """The boards' own cap."""
        model = self._models[node]
        return 0.0 if model is None else model.default_cap_w

    def in_use(self, node: int) -> int:
        """How many GPUs of a node jobs hold that have been launched."""
        dormant = self._dormant.get(node, 0)
        held = sum(map(bool, self._tenants[node]))
        return held - dormant.bit_count()

    def held_mhz(self, run: JobRun) -> Mapping[str, float]:
        """Where each of its GPUs has settled."""
        lowest: dict[str, float] = {}
        for node, mask in run.placement:
            kind, points = self._state.cluster.nodes[node].gpu_kind, self._points[node]
            for point in (points[gpu] for gpu in members(mask)):
                if point is not None:
                    lowest[kind] = min(lowest.get(kind, point.clock_mhz), point.clock_mhz)
        return lowest

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
        twin._hosts, twin._pace = self._hosts.copy(), dict(self._pace)
        twin._clocks = self._clocks[:]
        twin._paused = set(self._paused)
        twin._launching, twin._dormant = dict(self._launching), dict(self._dormant)
        twin._dirty_gpus, twin._dirty_jobs = dict(self._dirty_gpus), dict(self._dirty_jobs)
        return twin

    def _join_network(self, run: JobRun) -> None:
        """A gang over several nodes takes its part of the links that it shares with others."""
        facts, cluster = self.facts_of(run), self._state.cluster
        step = facts.step_of(run.spec.num_gpus)
        if step.exchange_bytes:
            layout = layout_of(cluster, run.placement)
            busy = network_share(step, layout, cluster.network)
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
            model = self._models[node]
            if model is not None and mask:
                self._hosts.add(node, self._on(run, model).demand, mask.bit_count(), 1 if add else -1)
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
        runs = [self._runs[job_id] for job_id in tenants]
        setting = Setting(_least([run.clock_mhz for run in runs]), self._cap_w(model, runs))
        if self._paused and not self._paused.isdisjoint(tenants):
            runs = [run for run in runs if run.spec.job_id not in self._paused] or runs
        point = self._settled(model, node, gpu, runs, setting)
        return point if len(runs) == len(tenants) else _with_paused(point, runs, tenants)

    def _cap_w(self, model: GpuModel, runs: Sequence[JobRun]) -> float | None:
        """The cap of a GPU with these jobs: the lowest of theirs, or the next to it that the board takes."""
        cap_w = _least([run.cap_w for run in runs])
        return None if cap_w is None else _in_range(model, cap_w)

    def _settled(self, model: GpuModel, node: int, gpu: int, runs: Sequence[JobRun], setting: Setting) -> GpuPoint:
        """Where a GPU settles with these jobs on it under a setting."""
        on = [(run, self._on(run, model)) for run in runs]
        mode = sharing_mode(runs, self._share_mode)
        return settled(model, on, mode, setting, self._chip(model, node, gpu), self._truth)

    def _askers(self, node: int) -> list[Asker]:
        """The jobs with GPUs on a node, and what they ask of its host."""
        model, points, tenants = self._models[node], self._points[node], self._tenants[node]
        found: dict[str, list[float]] = {}
        for point, here in zip(points, tenants, strict=True):
            for job_id, speed in zip(here, point.speeds if point is not None else (), strict=False):
                if job_id in self._paused:
                    continue
                found.setdefault(job_id, []).append(speed)
        if model is None:
            return []
        return [
            Asker(job_id, self._on(self._runs[job_id], model).demand, len(speeds), min(speeds))
            for job_id, speeds in found.items()
        ]

    def _chip(self, model: GpuModel, node: int, gpu: int) -> float:
        chip = self._chips.get((node, gpu))
        if chip is None:
            name = self._state.cluster.nodes[node].name
            chip = round(self._truth.chip_factor(name, gpu, model.power.chip_spread), CHIP_DIGITS)
            self._chips[node, gpu] = chip
        return chip

    # one job -----------------------------------------------------------------------------------------------------

    def _on(self, run: JobRun, model: GpuModel) -> OnKind:
        facts = self._facts.get(run.spec.job_id) or self.facts_of(run)
        return facts.kinds.get(model.kind.name) or facts.on(model, run._truth.job.reference_gpu)

    def facts_of(self, run: JobRun) -> JobFacts:
        """The truth about a job, found out once."""
        facts = self._facts.get(run.spec.job_id)
        if facts is None:
            facts = self._facts[run.spec.job_id] = JobFacts(run._truth.job, self._state.cluster, self._truth)
        return facts

    def _settle_job(self, run: JobRun, nodes: dict[int, int]) -> JobPoint:
        """Its rate from its slowest GPU, and what its GPUs draw while they compute and while they wait."""
        if not run.spec.num_gpus:
            return JobPoint(1.0, 0.0)
        if run.spec.job_id in self._launching:
            return self._launch_point(run, nodes)
        if run.spec.job_id in self._paused:
            return self._paused_point(run, nodes)
        speeds = self._speeds(run)
        slowest, at = min((speed, place) for place, (_, speed) in speeds.items())
        rate, computing = self._gang(run, slowest)
        self._pace[run.spec.job_id] = computing * slowest
        watts: float | None = 0.0
        for node, gpu in speeds:
            share = self._draw(run, node, gpu)
            nodes.setdefault(node, 0)
            watts = None if share is None or watts is None else watts + share
        return JobPoint(rate, watts, self._slow(run, at, speeds[at], rate))

    def _launch_point(self, run: JobRun, nodes: dict[int, int]) -> JobPoint:
        """It does not compute yet: nodes that are up draw what waiting draws, the others idle."""
        up, watts = self._launching[run.spec.job_id], 0.0
        for i, (node, mask) in enumerate(run.placement):
            model, parts = self._models[node], list(self._gpu_parts[node])
            nodes.setdefault(node, 0)
            if model is None:
                continue
            for gpu in members(mask):
                parts[gpu] = _launched_parts(model, run.cap_w) if i < up else (0, round(model.idle_w * MICRO), 0, 0)
                watts += sum(parts[gpu]) / MICRO
            self._gpu_parts[node] = tuple(parts)
        return JobPoint(0.0, watts)

    def _paused_point(self, run: JobRun, nodes: dict[int, int]) -> JobPoint:
        """It does not compute: its part of its GPUs' contexts is all that it draws."""
        nodes.update((node, nodes.get(node, 0)) for node, _ in run.placement)
        watts = [self._draw(run, node, gpu) for node, mask in run.placement for gpu in members(mask)]
        known = [share for share in watts if share is not None]
        return JobPoint(0.0, math.fsum(known) if len(known) == len(watts) else None)

    def _speeds(self, run: JobRun) -> dict[tuple[int, int], tuple[float, float]]:
        """Work per second of each of its GPUs, before communication: as the GPU allows, and as its host does too."""
        job_id, speeds = run.spec.job_id, {}
        for node, mask in run.placement:
            model, points, tenants = self._models[node], self._points[node], self._tenants[node]
            speed = 1.0 if model is None else self._on(run, model).speed
            host = self._hosts.factor(node, job_id)
            for gpu in members(mask):
                point = points[gpu]
                own = speed if point is None else speed * point.speeds[tenants[gpu].index(job_id)]
                speeds[node, gpu] = own, own * host
        return speeds

    def _gang(self, run: JobRun, speed: float) -> tuple[float, float]:
        """(rate, share of the time in which the slowest GPU computes) of a job whose slowest GPU goes at `speed`."""
        facts, gpus = self.facts_of(run), run.spec.num_gpus
        if not (facts.exchanges or run.resized):
            return speed, 1.0
        step = facts.step_of(gpus)
        if not step.exchange_bytes:
            return speed * doubling(run.asked)(gpus), 1.0
        cluster = self._state.cluster
        load = self._loads.load(run.spec.job_id) if len(run.placement) > 1 else 1.0
        time = step_s(step, 1.0 / speed, layout_of(cluster, run.placement), cluster.network, load)
        return facts.best_step_s / time.total_s, 1.0 - time.exposed_s / time.total_s

    def _slow(
        self, run: JobRun, at: tuple[int, int], speeds: tuple[float, float], rate: float
    ) -> tuple[float, float, float] | tuple[()]:
        """How many times longer its slowest GPU's clock, its neighbours and its network make it take.

        Shared, the clock's part is what the job alone would lose by it; the rest is the neighbours'.
        """
        node, gpu = at
        model, point = self._models[node], self._points[node][gpu]
        if model is None or point is None:
            return ()
        on, (own, together) = self._on(run, model), speeds
        clock = on.speed / own
        if sharing_mode([self._runs[job_id] for job_id in self._tenants[node][gpu]], self._share_mode) is not None:
            clock = model.slowdown(on.demand, point.clock_mhz) / on.default_slowdown(model)
        neighbours = on.speed / (clock * together)
        network = together * run.spec.num_gpus / (rate * run.asked)
        return () if clock == neighbours == network == 1.0 else (clock, neighbours, network)

    def _draw(self, run: JobRun, node: int, gpu: int) -> float | None:
        """Note the watts of a GPU that a job holds, alone or with others; the job's part of them."""
        point, model = self._points[node][gpu], self._models[node]
        if point is None or model is None:
            return None
        here = self._tenants[node][gpu]
        tenants = [self._tenant(job_id, node, speed, model) for job_id, speed in zip(here, point.speeds, strict=True)]
        tenants = [_between_checkpoints(tenant) for tenant in tenants]
        found = parts_by_tenant(model, point, tenants, self._cap_w(model, [tenant.run for tenant in tenants]))
        parts = list(self._gpu_parts[node])
        parts[gpu] = found[0] if len(found) == 1 else tuple(map(sum, zip(*found, strict=True)))  # type: ignore[assignment]
        self._gpu_parts[node] = tuple(parts)
        return sum(found[here.index(run.spec.job_id)]) / MICRO

    def _tenant(self, job_id: str, node: int, speed: float, model: GpuModel) -> Tenant:
        """A job on a GPU on which it could go at `speed`, with the time that it computes and waits there."""
        run = self._runs[job_id]
        on = self._on(run, model)
        if job_id in self._paused:
            return Tenant(run, on, 0.0, 0.0)
        own = on.speed * speed
        together = own * self._hosts.factor(node, job_id)
        pace = self._pace.get(job_id, together)
        return Tenant(run, on, pace / own, max(0.0, 1.0 - pace / together))

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
            self.meter.on(node, self._gpu_parts[node], self.in_use(node))
        elif mode == "off":
            self.meter.off(node)
        else:
            self.meter.sleeping(node, mode)


def _with_paused(point: GpuPoint, runs: Sequence[JobRun], tenants: tuple[str, ...]) -> GpuPoint:
    """The point of those who compute as one of all tenants; the others stand still."""
    speeds = dict(zip((run.spec.job_id for run in runs), point.speeds, strict=True))
    return point._replace(speeds=tuple(speeds.get(job_id, 0.0) for job_id in tenants))


def _between_checkpoints(tenant: Tenant) -> Tenant:
    """While a job writes a checkpoint its GPUs wait; watts are the mean over both."""
    saving = tenant.run._truth.saving
    return tenant if saving == 1.0 else tenant._replace(busy=tenant.busy / saving, waits=tenant.waits / saving)


def _idle_parts(model: GpuModel | None) -> GpuParts:
    return (0, 0, 0, 0) if model is None else (round(model.idle_w * MICRO), 0, 0, 0)


def _launched_parts(model: GpuModel, cap_w: float | None) -> GpuParts:
    """A GPU that waits for other members of its gang to come up, at the greatest clock that its cap allows."""
    sm_w, dram_w = COMMUNICATING.u * model.core_w[-1], COMMUNICATING.m * model.memory_w
    if cap_w is not None:
        sm_w = min(sm_w, max(cap_w - model.context_w - dram_w, COMMUNICATING.u * model.core_w[0]))
    return 0, round(model.context_w * MICRO), round(sm_w * MICRO), round(dram_w * MICRO)


def _in_range(model: GpuModel, cap_w: float) -> float:
    """The cap that a board takes next to this one."""
    least_w, most_w = model.kind.min_cap_w or 0.0, model.kind.max_cap_w or math.inf
    return min(max(cap_w, least_w), most_w)


def _least(values: Sequence[float | None]) -> float | None:
    if len(values) == 1:
        return values[0]
    return min([value for value in values if value is not None], default=None)


def _waiting_w(model: GpuModel, waiting: Demand, clock: int) -> float:
    """What waiting for others draws beyond a context, at a clock by its position."""
    return waiting.u * model.core_w[clock] + waiting.m * model.memory_w
