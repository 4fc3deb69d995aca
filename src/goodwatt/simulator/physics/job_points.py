"""How one job goes on under full physics, and what it draws: its slowest GPU, its host, its gang and the network.

GPUs of a gang that wait, for a slower member or for the network, draw what communicating costs; those of a job that is
being launched or held up draw what holding them costs.
"""

from __future__ import annotations

import math

from goodwatt.cluster.bitset import members
from goodwatt.cluster.cluster import Cluster
from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.network.gang_step import network_share, step_s
from goodwatt.power.network.layout import layout_of
from goodwatt.power.network.loads import NetworkLoads
from goodwatt.power.workloads.catalogue import communicating
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.jobs.elastic import doubling
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.contract import JobPoint
from goodwatt.simulator.physics.host_share import HostShare
from goodwatt.simulator.physics.node_book import NodeBook, idle_parts
from goodwatt.simulator.physics.power_meter import MICRO, GpuParts
from goodwatt.simulator.physics.settled_gpus import SettledGpus, common_cap_w
from goodwatt.simulator.physics.shared_gpu import Tenant, parts_by_tenant
from goodwatt.simulator.physics.tenants import Tenants

COMMUNICATING = communicating(Demand(u=0.0, m=0.0, kappa=0.0))
"""What a GPU does that waits for others, whatever its job."""


class JobPoints:
    """Works out the points of jobs, and notes in the book of nodes what their GPUs draw.

    `loads`, `hosts`: who uses the network and the hosts. `launching`: jobs of which so many nodes are up and wait for
    the others.
    """

    def __init__(self, cluster: Cluster, tenants: Tenants, gpus: SettledGpus, book: NodeBook) -> None:
        self._cluster, self._tenants, self._gpus, self._book = cluster, tenants, gpus, book
        self.loads, self.hosts = NetworkLoads(cluster), HostShare(cluster)
        self.launching: dict[str, int] = {}
        self._pace: dict[str, float] = {}

    def enter(self, run: JobRun) -> list[str]:
        """A job takes its part of hosts and network; those who feel that at once."""
        self._use_hosts(run, 1)
        if len(run.placement) < 2:
            return []
        step = self._tenants.facts_of(run).step_of(run.spec.num_gpus)
        if not step.exchange_bytes:
            return []
        layout = layout_of(self._cluster, run.placement)
        busy = network_share(step, layout, self._cluster.network)
        return list(self.loads.add(run.spec.job_id, run.placement, layout, busy))

    def leave(self, run: JobRun) -> list[str]:
        """It gives that back."""
        self._use_hosts(run, -1)
        self._pace.pop(run.spec.job_id, None)
        return list(self.loads.remove(run.spec.job_id))

    def settle(self, run: JobRun, nodes: dict[int, int]) -> JobPoint:
        """Its rate from its slowest GPU, and what its GPUs draw while they compute and while they wait.

        `nodes` gets those whose watts may be others now.
        """
        job_id = run.spec.job_id
        if not run.spec.num_gpus:
            return JobPoint(1.0, 0.0)
        if job_id in self._tenants.served:
            return self._instance_point(run, nodes)
        for node, _ in run.placement:
            nodes.setdefault(node, 0)
        if job_id in self.launching:
            return self._launch_point(run)
        if job_id in self._tenants.paused:
            watts = [self._draw(run, node, gpu) for node, mask in run.placement for gpu in members(mask)]
            return JobPoint(0.0, None if None in watts else math.fsum(watts))  # type: ignore[arg-type]
        speeds = self._speeds(run)
        slowest, at = min((speed, place) for place, (_, speed) in speeds.items())
        rate, computing = self._gang(run, slowest)
        self._pace[job_id] = computing * slowest
        drawn: float | None = 0.0
        for node, gpu in speeds:
            share = self._draw(run, node, gpu)
            drawn = None if share is None or drawn is None else drawn + share
        return JobPoint(rate, drawn, self._slow(run, at, speeds[at], rate))

    def tenant(self, job_id: str, node: int, speed: float, model: GpuModel) -> Tenant:
        """A job on a GPU on which it could go at `speed`, with the time that it computes and waits there."""
        run = self._tenants.runs[job_id]
        on = self._tenants.on(run, model)
        if job_id in self._tenants.paused:
            return Tenant(run, on, 0.0, 0.0)
        if job_id in self._tenants.served:
            return Tenant(run, on, 1.0, 0.0)
        own = on.speed * speed
        together = own * self.hosts.factor(node, job_id)
        pace = self._pace.get(job_id, together)
        return Tenant(run, on, pace / own, max(0.0, 1.0 - pace / together))

    def copy(self, tenants: Tenants, gpus: SettledGpus, book: NodeBook) -> JobPoints:
        """The same over copies of the others."""
        twin = object.__new__(JobPoints)
        twin._cluster, twin._tenants, twin._gpus, twin._book = self._cluster, tenants, gpus, book
        twin.loads, twin.hosts = self.loads.copy(), self.hosts.copy()
        twin.launching, twin._pace = dict(self.launching), dict(self._pace)
        return twin

    def _use_hosts(self, run: JobRun, sign: int) -> None:
        for node, mask in run.placement:
            model = self._tenants.models[node]
            if model is not None and mask:
                self.hosts.add(node, self._tenants.on(run, model).demand, mask.bit_count(), sign)

    def _instance_point(self, run: JobRun, nodes: dict[int, int]) -> JobPoint:
        """It does no work that this knows of; its GPUs draw what it told."""
        for node, _ in run.placement:
            nodes.setdefault(node, 0)
        watts = [self._draw(run, node, gpu) for node, mask in run.placement for gpu in members(mask)]
        return JobPoint(0.0, None if None in watts else math.fsum(watts))  # type: ignore[arg-type] # None is not in them

    def _launch_point(self, run: JobRun) -> JobPoint:
        """It does not compute yet: nodes that are up draw what waiting draws, the others idle."""
        up, watts = self.launching[run.spec.job_id], 0.0
        for i, (node, mask) in enumerate(run.placement):
            model = self._tenants.models[node]
            if model is None:
                continue
            for gpu in members(mask):
                parts = launched_parts(model, run.cap_w) if i < up else _held_idle(model)
                self._book.set_gpu(node, gpu, parts)
                watts += sum(parts) / MICRO
        return JobPoint(0.0, watts)

    def _speeds(self, run: JobRun) -> dict[tuple[int, int], tuple[float, float]]:
        """Work per second of each of its GPUs, before communication: as the GPU allows, and as its host does too."""
        job_id, speeds = run.spec.job_id, {}
        for node, mask in run.placement:
            model, points, tenants = self._tenants.models[node], self._gpus.points[node], self._tenants.of_gpus[node]
            speed = 1.0 if model is None else self._tenants.on(run, model).speed
            host = self.hosts.factor(node, job_id)
            for gpu in members(mask):
                point = points[gpu]
                own = speed if point is None else speed * point.speeds[tenants[gpu].index(job_id)]
                speeds[node, gpu] = own, own * host
        return speeds

    def _gang(self, run: JobRun, speed: float) -> tuple[float, float]:
        """(rate, share of the time in which the slowest GPU computes) of a job whose slowest GPU goes at `speed`."""
        facts, gpus = self._tenants.facts_of(run), run.spec.num_gpus
        if not (facts.exchanges or run.resized):
            return speed, 1.0
        step = facts.step_of(gpus)
        if not step.exchange_bytes:
            return speed * doubling(run.asked)(gpus), 1.0
        load = self.loads.load(run.spec.job_id) if len(run.placement) > 1 else 1.0
        time = step_s(step, 1.0 / speed, layout_of(self._cluster, run.placement), self._cluster.network, load)
        return facts.best_step_s / time.total_s, 1.0 - time.exposed_s / time.total_s

    def _slow(
        self, run: JobRun, at: tuple[int, int], speeds: tuple[float, float], rate: float
    ) -> tuple[float, float, float] | tuple[()]:
        """How many times longer its slowest GPU's clock, its neighbours and its network make it take.

        Shared, the clock's part is what the job alone would lose by it; the rest is the neighbours'.
        """
        node, gpu = at
        model, point = self._tenants.models[node], self._gpus.points[node][gpu]
        if model is None or point is None:
            return ()
        on, (own, together) = self._tenants.on(run, model), speeds
        clock = on.speed / own
        if self._gpus.shared(node, gpu):
            clock = model.slowdown(on.demand, point.clock_mhz) / on.default_slowdown(model)
        neighbours = on.speed / (clock * together)
        network = together * run.spec.num_gpus / (rate * run.asked)
        return () if clock == neighbours == network == 1.0 else (clock, neighbours, network)

    def _draw(self, run: JobRun, node: int, gpu: int) -> float | None:
        """Note the watts of a GPU that a job holds, alone or with others; the job's part of them."""
        point, model = self._gpus.points[node][gpu], self._tenants.models[node]
        if point is None or model is None:
            return None
        here = self._tenants.of_gpus[node][gpu]
        tenants = [self.tenant(job_id, node, speed, model) for job_id, speed in zip(here, point.speeds, strict=True)]
        tenants = [_between_checkpoints(tenant) for tenant in tenants]
        found = parts_by_tenant(model, point, tenants, common_cap_w(model, [tenant.run for tenant in tenants]))
        together = found[0] if len(found) == 1 else tuple(map(sum, zip(*found, strict=True)))
        self._book.set_gpu(node, gpu, together)  # type: ignore[arg-type]
        return sum(found[here.index(run.spec.job_id)]) / MICRO


def launched_parts(model: GpuModel, cap_w: float | None) -> GpuParts:
    """A GPU that waits for other members of its gang to come up, at the greatest clock that its cap allows."""
    sm_w, dram_w = COMMUNICATING.u * model.core_w[-1], COMMUNICATING.m * model.memory_w
    if cap_w is not None:
        sm_w = min(sm_w, max(cap_w - model.context_w - dram_w, COMMUNICATING.u * model.core_w[0]))
    return 0, round(model.context_w * MICRO), round(sm_w * MICRO), round(dram_w * MICRO)


def waiting_w(model: GpuModel, waiting: Demand, clock: int) -> float:
    """What waiting for others draws beyond a context, at a clock by its position."""
    return waiting.u * model.core_w[clock] + waiting.m * model.memory_w


def _held_idle(model: GpuModel) -> GpuParts:
    """A GPU that a job holds and has not begun to use: idle, and the job's."""
    return 0, idle_parts(model)[0], 0, 0


def _between_checkpoints(tenant: Tenant) -> Tenant:
    """While a job writes a checkpoint its GPUs wait; watts are the mean over both."""
    saving = tenant.run._truth.saving
    return tenant if saving == 1.0 else tenant._replace(busy=tenant.busy / saving, waits=tenant.waits / saving)
