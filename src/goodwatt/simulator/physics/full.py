"""Full physics: clocks, caps, sharing, topology and chips decide how fast each job runs and what it draws.

For every GPU the model finds where it settles under its tenants and their settings (`settled_gpus`); a job goes at its
slowest GPU, a gang's step then adds the communication that does not hide behind the computation (`job_points`); nodes
add up what their GPUs draw (`node_book`). Here is what happens to whom, and in which order all that follows. All
numbers are the simulated truth: the model with the residuals of `simulator.physics.truth`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from goodwatt.cluster.bitset import members
from goodwatt.cluster.state import ClusterState
from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.telemetry.counters import Counters
from goodwatt.power.telemetry.sensors import counters_at, of_gang
from goodwatt.power.workloads.demand import Setting
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.contract import Change, ClusterPower
from goodwatt.simulator.physics.instance_facts import InstanceFacts
from goodwatt.simulator.physics.job_points import COMMUNICATING, JobPoints, waiting_w
from goodwatt.simulator.physics.node_book import NodeBook
from goodwatt.simulator.physics.power_meter import MICRO, PowerMeter
from goodwatt.simulator.physics.settled_gpus import SettledGpus, cap_in_range, common_cap_w
from goodwatt.simulator.physics.shared_gpu import ALONE, Stretch, parts_by_tenant
from goodwatt.simulator.physics.tenants import Tenants
from goodwatt.simulator.physics.truth import Truth

if TYPE_CHECKING:
    from goodwatt.simulator.physics.instance_rows import InstanceDraws, InstanceRows, Watched


class FullPhysics:
    """See the module; `share_mode`: how jobs that want a share of a GPU share it."""

    limits_memory = True

    def __init__(self, state: ClusterState, truth: Truth, share_mode: str) -> None:
        cluster = state.cluster
        self._tenants = Tenants(cluster, truth)
        self._models = self._tenants.models
        self.gpus_without_energy = sum(n.gpus for n, m in zip(cluster.nodes, self._models, strict=True) if m is None)
        self._gpus = SettledGpus(cluster, self._tenants, truth, share_mode)
        self._book = NodeBook(cluster, self._models)
        self._jobs = JobPoints(cluster, self._tenants, self._gpus, self._book)
        self._dirty_gpus: dict[int, int] = {}
        self._dirty_jobs: dict[str, None] = {}
        self._rows: InstanceRows | None = None

    @property
    def meter(self) -> PowerMeter:
        """Watts by node and rack."""
        return self._book.meter

    # what happens ------------------------------------------------------------------------------------------------

    def placed(self, run: JobRun) -> None:
        """A job has got its GPUs."""
        self._tenants.enter(run)
        self.reset(run)
        self._dirty_jobs[run.spec.job_id] = None
        self._dirty_jobs.update(dict.fromkeys(self._jobs.enter(run)))

    def left(self, run: JobRun) -> None:
        """A job is about to leave its GPUs."""
        self._tenants.leave(run)
        self.reset(run)
        self._dirty_jobs.update(dict.fromkeys(self._jobs.leave(run)))
        if run.spec.job_id in self._jobs.launching:
            self.launch(run, None)
        self._dirty_jobs.pop(run.spec.job_id, None)

    def pause(self, run: JobRun, on: bool) -> bool:
        """A job computes no more, its GPUs hold a context; or it does again."""
        if on:
            self._tenants.paused.add(run.spec.job_id)
        else:
            self._tenants.paused.discard(run.spec.job_id)
        self.reset(run)
        return True

    def paused(self, job_id: str) -> bool:
        """Whether a running job is held up."""
        return job_id in self._tenants.paused

    def launch(self, run: JobRun, up: int | None) -> None:
        """So many of its nodes are up and wait for the others; None: all are, and it computes."""
        if up is None:
            self._jobs.launching.pop(run.spec.job_id, None)
        else:
            self._jobs.launching[run.spec.job_id] = up
        self._book.launch(run.placement, up)
        for node, _ in run.placement:
            self._mark(node, 0)
        self._dirty_jobs[run.spec.job_id] = None

    def reset(self, run: JobRun) -> None:
        """Its GPUs have another setting."""
        for node, mask in run.placement:
            self._mark(node, mask)

    def serve(self, job_id: str, served: InstanceFacts) -> None:
        """What an instance of a service does from now on, before it gets its GPUs or while it holds them."""
        run = self._tenants.runs.get(job_id)
        if run is not None:
            self.reset(run)  # before it is told, for that brings what it was told last
            self._dirty_jobs[job_id] = None
        self._tenants.served[job_id] = served

    def serve_all(self, draws: InstanceDraws) -> list[Watched]:
        """What instances do from now on; the watts of those that have their GPUs to themselves.

        The others follow with `changes`.
        """
        rows = self._instance_rows()
        watts, others = rows.tell(draws, self._plain)
        for at in others:
            run = draws.runs[at]
            self._tenants.served[run.spec.job_id] = draws.facts(at)
            for node, mask in run.placement:
                self._dirty_gpus[node] = self._dirty_gpus.get(node, 0) | mask
            self._dirty_jobs[run.spec.job_id] = None
        return watts

    def served(self, job_id: str) -> InstanceFacts:
        """What an instance of a service was last told to do."""
        run = self._tenants.runs.get(job_id)
        for node, _ in run.placement if run is not None else ():
            self._bring(node)
        return self._tenants.served[job_id]

    def set_node(self, node: int, mode: str) -> None:
        """A node is on, off or at a stage of sleep from now on."""
        self._book.set_mode(node, mode)
        self._mark(node, 0)

    def stretch(self, run: JobRun) -> Stretch:
        """How many times longer neighbours, or its slice, make a job's work take, on the GPU where they do so most."""
        pieces = ((node, gpu) for node, mask in run.placement for gpu in members(mask))
        return max((self._gpus.stretch(node, gpu, run) for node, gpu in pieces), default=ALONE)

    def setting(self, run: JobRun) -> Setting:
        """The clock and the cap of a job's GPUs: the least that anybody on them has been given."""
        settings = [self._gpus.setting(node, gpu) for node, mask in run.placement for gpu in members(mask)]
        clocks = [one.clock_mhz for one in settings if one.clock_mhz is not None]
        caps = [one.cap_w for one in settings if one.cap_w is not None]
        return Setting(min(clocks, default=None), min(caps, default=None))

    def chip(self, run: JobRun) -> float:
        """Mean of the chip factors of a running job's GPUs."""
        chips = [self._gpus.chip(node, gpu) for node, mask in run.placement for gpu in members(mask)]
        return math.fsum(chips) / len(chips) if chips else 1.0

    def forget(self, run: JobRun) -> None:
        """A job has ended for good."""
        self._tenants.forget(run)

    def changes(self) -> Sequence[Change]:
        """Settle every GPU that something happened to, then the jobs on them, then the nodes' watts."""
        jobs, self._dirty_jobs = self._dirty_jobs, {}
        nodes, self._dirty_gpus = self._dirty_gpus, {}
        hosts, runs = self._jobs.hosts, self._tenants.runs
        for node, mask in nodes.items():
            self._bring(node)
            if mask:
                self._settle_gpus(node, mask, jobs)
            if hosts.crowded(node):
                jobs.update(dict.fromkeys(hosts.settle(node, self._gpus.askers(node))))
        points = [(runs[job_id], self._jobs.settle(runs[job_id], nodes)) for job_id in jobs]
        for node in nodes:
            self._bring(node)
            self._book.close(node, self._gpus.points[node], self._tenants.of_gpus[node])
        return points

    # what is asked -----------------------------------------------------------------------------------------------

    def fits_memory(self, run: JobRun) -> bool:
        """Whether every one of its GPUs has room for it beside those who came before."""
        return self._gpus.fits_memory(run)

    def checkpoint_mib(self, run: JobRun) -> float:
        """As its class has it; an instance of a service has nothing to save."""
        if run.spec.job_id in self._tenants.served:
            return 0.0
        return self._tenants.facts_of(run).workload.checkpoint_mib if run.spec.num_gpus else 0.0

    def counters(self, run: JobRun) -> Counters | None:
        """What the sensors of its first GPU show, without noise; None where it is not alone or nothing is known."""
        if run.spec.job_id in self._jobs.launching or self.paused(run.spec.job_id):
            return None
        node, mask = run.placement[0] if run.placement else (0, 0)
        self._bring(node)
        gpu, model = (mask & -mask).bit_length() - 1, self._models[node]
        shared = any(len(self._tenants.of_gpus[n][g]) > 1 for n, m in run.placement for g in members(m))
        if model is None or gpu < 0 or shared or run.spec.mig_profile is not None:
            return None
        point = self._gpus.points[node][gpu]
        if point is None:
            return None
        here = self._jobs.tenant(run.spec.job_id, node, point.speeds[0], model)
        watts = sum(parts_by_tenant(model, point, [here], common_cap_w(model, [run]))[0]) / MICRO
        seen = counters_at(model, here.on.demand, point.clock_mhz, watts)
        return of_gang(seen, here.busy, here.waits, here.on.waiting) if here.waits else seen

    def power(self) -> ClusterPower:
        """Watts now."""
        return self.meter.power()

    def tenants(self, node: int) -> tuple[tuple[str, ...], ...]:
        """The jobs on each GPU of a node."""
        return self._tenants.of_gpus[node]

    def run_of(self, job_id: str) -> JobRun:
        """A running job."""
        return self._tenants.runs[job_id]

    def mode(self, node: int) -> str:
        """On, off or a stage of sleep, as it was told."""
        return self._book.mode(node)

    def in_use(self, node: int) -> int:
        """How many GPUs of a node jobs hold that have been launched."""
        return self._book.in_use(node, self._tenants.of_gpus[node])

    def held_mhz(self, run: JobRun) -> Mapping[str, float]:
        """Where each of its GPUs has settled, with who is there now, though its watts may not have followed yet."""
        for node, mask in run.placement:
            self._bring(node)
            self._gpus.settle(node, mask & self._dirty_gpus.get(node, 0))
        return self._gpus.held_mhz(run)

    def clocks(self) -> tuple[float, int]:
        """Of the GPUs that jobs hold now."""
        return self._book.clocks()

    # watts of one GPU --------------------------------------------------------------------------------------------

    def gpu_w(self, node: int, gpu: int) -> float:
        """What a GPU draws now."""
        self._bring(node)
        return sum(self._book.parts[node][gpu]) / MICRO

    def idle_w(self, node: int) -> float:
        """What a GPU of a node draws that nobody holds."""
        model = self._models[node]
        return 0.0 if model is None else model.idle_w

    def most_w(self, node: int, gpu: int, on: Sequence[tuple[JobRun, float | None]]) -> float:
        """The most that a GPU draws with these jobs on it, each under its cap (None: the board's own).

        It is the highest of the caps, because the job with a lower one may leave; where that cannot be met, it is what
        the GPU draws all the same, whichever of the jobs compute or wait: those that are held up now go on unasked.
        """
        model = self._models[node]
        if model is None or not on:
            return self.idle_w(node)
        self._bring(node)
        cap_w = max(model.default_cap_w if cap is None else cap_in_range(model, cap) for _, cap in on)
        runs = [run for run, _ in on]
        return max(self._gpus.most_w(model, node, gpu, runs, cap_w), self._least_waiting_w(model, runs))

    def clock_step_w(self, node: int, gpu: int) -> float:
        """What the next higher clock may add to what a GPU draws."""
        self._bring(node)
        model, point = self._models[node], self._gpus.points[node][gpu]
        if model is None or point is None:
            return 0.0
        at = min(model.index_of(point.clock_mhz), len(model.core_w) - 2)
        drawn = sum(self._book.parts[node][gpu][2:]) / MICRO
        return drawn * (model.core_w[at + 1] / model.core_w[at] - 1.0)

    def launched_w(self, node: int) -> float | None:
        """What a GPU of a node draws while it waits for other members of its gang to come up; None if unknown."""
        model = self._models[node]
        return None if model is None else model.context_w + waiting_w(model, COMMUNICATING, -1)

    def least_cap_w(self, node: int) -> float:
        """The lowest cap that the boards of a node take."""
        model = self._models[node]
        return 0.0 if model is None else float(model.kind.min_cap_w or 0.0)

    def default_cap_w(self, node: int) -> float:
        """The boards' own cap."""
        model = self._models[node]
        return 0.0 if model is None else model.default_cap_w

    # copies and the rest -----------------------------------------------------------------------------------------

    def copy(self, state: ClusterState, live: dict[str, JobRun]) -> Self:  # noqa: ARG002 - the contract
        """The same over copies of the jobs; facts of jobs are shared."""
        if self._rows is not None:
            self._rows.bring_all()
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._tenants, twin._book = self._tenants.copy(live), self._book.copy()
        twin._gpus = self._gpus.copy(twin._tenants)
        twin._jobs = self._jobs.copy(twin._tenants, twin._gpus, twin._book)
        twin._dirty_gpus, twin._dirty_jobs = dict(self._dirty_gpus), dict(self._dirty_jobs)
        twin._rows = None
        return twin

    def _mark(self, node: int, mask: int) -> None:
        """These GPUs are to be settled again, or without any the node's watts.

        Who asks before they are, for what neighbours do to each other, asks about what instances do now.
        """
        self._dirty_gpus[node] = self._dirty_gpus.get(node, 0) | mask
        if self._rows is not None:
            self._rows.bring(node)
            self._rows.changed(node)

    def _bring(self, node: int) -> None:
        """What was told of a node's instances is in the books of its GPUs from now on."""
        if self._rows is not None:
            self._rows.bring(node)

    def _instance_rows(self) -> InstanceRows:
        if self._rows is None:
            from goodwatt.simulator.physics.instance_rows import InstanceRows

            self._rows = InstanceRows(self._tenants, self._gpus, self._book)
        return self._rows

    def _plain(self, run: JobRun) -> bool:
        """Whether an instance has GPUs of one node to itself, and nothing else is to be done about it."""
        job_id = run.spec.job_id
        if len(run.placement) != 1 or run.spec.mig_profile is not None:
            return False
        if job_id in self._dirty_jobs or job_id in self._jobs.launching:
            return False
        (node, mask), here = run.placement[0], self._tenants.of_gpus[run.placement[0][0]]
        settled = node not in self._dirty_gpus and self._book.mode(node) == "on" and self._models[node] is not None
        return settled and not self.paused(job_id) and all(here[gpu] == (job_id,) for gpu in members(mask))

    def _settle_gpus(self, node: int, mask: int, jobs: dict[str, None]) -> None:
        """Find where these GPUs settle; `jobs` gets the jobs on them."""
        tenants, idle = self._tenants.of_gpus[node], 0
        for gpu in members(mask):
            jobs.update(dict.fromkeys(tenants[gpu]))
            if not tenants[gpu]:
                idle |= 1 << gpu
        self._gpus.settle(node, mask)
        if idle:
            self._book.set_idle(node, idle, self._models[node])

    def _least_waiting_w(self, model: GpuModel, runs: Sequence[JobRun]) -> float:
        """What a GPU draws at the lowest clock while a job on it waits for the others of its gang."""
        return max(waiting_w(model, self._tenants.on(run, model).waiting, 0) for run in runs) + model.context_w
