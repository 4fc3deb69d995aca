"""What a policy sees at a decision. It is read-only; trying things out is what `View.what_if` is for."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sortedcontainers import SortedList

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.state import ClusterState, NodeCounts, Placement, WhatIf
from goodwatt.errors import RunError
from goodwatt.simulator.held import Held
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import Memory
from goodwatt.simulator.quota import QuotaUse
from goodwatt.simulator.settings.engine import EngineSettings
from goodwatt.simulator.settings.guardrails import NO_GUARDRAILS, Guardrails

if TYPE_CHECKING:
    from goodwatt.power.facility.energy_price import EnergyPrice, StepSeries
    from goodwatt.simulator.decisions import Place
    from goodwatt.simulator.power.power_room import PowerRoom
    from goodwatt.simulator.power.racks import RackPower, Racks
    from goodwatt.simulator.services.services_view import ServicesView


_NOBODY: dict[str, JobRun] = {}


class Pool:
    """The jobs that compete for the same nodes: a partition's, or all where the cluster has no partitions.

    `queue` holds (key, sequence, run) in the policy's order, equals by who entered first; `running` is by job id in
    order of starting; `changed` says whether anything happened here since the last decision. `gpus` is the pool's
    size, without nodes that are away.
    """

    __slots__ = ("_by_size", "changed", "gpus", "partition", "queue", "running")

    def __init__(self, partition: str | None, gpus: int) -> None:
        self.partition = partition
        self.gpus = gpus
        self.queue: SortedList[tuple[Any, int, JobRun]] = SortedList()
        self.running: dict[str, JobRun] = {}
        self.changed = False
        self._by_size: dict[int, dict[str, JobRun]] | None = None

    def running_on(self, gpus: int) -> dict[str, JobRun]:
        """Those of `running` that hold so many GPUs, in the same order. The index is made when first asked for."""
        if self._by_size is None:
            self._by_size = {}
            for run in self.running.values():
                self._note(run)
        return self._by_size.get(gpus, _NOBODY)

    def enter(self, run: JobRun) -> None:
        """A job has started; for the simulation."""
        self.running[run.spec.job_id] = run
        if self._by_size is not None:
            self._note(run)

    def leave(self, run: JobRun) -> None:
        """A job has stopped or ended, its size is still that at which it ran; for the simulation."""
        del self.running[run.spec.job_id]
        if self._by_size is not None:
            del self._by_size[run.spec.num_gpus][run.spec.job_id]

    def resized(self) -> None:
        """A job runs on another number of GPUs from now on; for the simulation."""
        self._by_size = None

    def copy(self, live: dict[str, JobRun]) -> Pool:
        """The same pool over copies of its jobs, by id in `live`."""
        twin = Pool(self.partition, self.gpus)
        twin.queue.update((key, sequence, live[run.spec.job_id]) for key, sequence, run in self.queue)
        twin.running = {job_id: live[job_id] for job_id in self.running}
        twin.changed = self.changed
        return twin

    def _note(self, run: JobRun) -> None:
        assert self._by_size is not None  # noqa: S101 - asked by the callers
        self._by_size.setdefault(run.spec.num_gpus, {})[run.spec.job_id] = run


class View:
    """The moment of a decision.

    `state` is the cluster's use, with its indexes; `pools` the queues; `memory` what the policy remembers; `quotas`
    what is used of them, if the cluster has any; `random` the stream of random numbers that belongs to the policy.
    `late`: who is served before all others because he has waited too long, `kept`: a mask of the nodes on which nobody
    else gets anything meanwhile. `preemptive`: the scheduling policy stops jobs, so that it looks at more than the
    fronts of the queues. `asleep` says of nodes that sleep, fall asleep or wake which of these they do; `budget_w` is
    the power budget. `price` is what energy costs, now and as far as it is known in advance; None: nobody says. `book`
    says who may draw how much, where the policy has budgets enforced. `guardrails` is what will be refused, whatever is
    decided. `fed`: the share of each node's GPUs for which a power policy has power, while the scheduling policy is
    asked; None: of all. `held` are waiting jobs that a power policy holds back while the scheduling policy is asked;
    `leaving` running jobs that the scheduling policy stops at this moment, while the power policy is asked about what
    it starts. `services`: the services that run beside the jobs; None without any. `between`: it is about services
    only, between the rounds in which the scheduling policy decides.
    """

    __slots__ = (
        "_live",
        "_oracle",
        "_racks",
        "asleep",
        "between",
        "book",
        "budget_w",
        "engine",
        "fed",
        "guardrails",
        "held",
        "kept",
        "late",
        "leaving",
        "memory",
        "now_s",
        "pools",
        "preemptive",
        "price",
        "quotas",
        "random",
        "services",
        "state",
    )

    def __init__(
        self,
        state: ClusterState,
        pools: list[Pool],
        engine: EngineSettings,
        memory: Memory,
        rng: random.Random,
        quotas: QuotaUse | None,
        oracle: bool,
    ) -> None:
        self.now_s = 0.0
        self.state = state
        self.pools = pools
        self.engine = engine
        self.memory = memory
        self.random = rng
        self.quotas = quotas
        self._oracle = oracle
        self._live: Mapping[str, JobRun] = {}
        self.asleep: Mapping[int, str] = {}
        self.preemptive = self.between = False
        self.kept = 0
        self.late: str | None = None
        self.held: Held = frozenset()
        self.fed: Sequence[float] | None = None
        self.leaving: tuple[str, ...] = ()
        self.budget_w: float | None = None
        self.price: EnergyPrice | None = None
        self.book: PowerRoom | None = None
        self.guardrails: Guardrails = NO_GUARDRAILS
        self.services: ServicesView | None = None
        self._racks: Racks | None = None

    def run(self, job_id: str) -> JobRun:
        """A waiting or running job. KeyError if it is neither."""
        return self._live[job_id]

    def may_stop(self, run: JobRun) -> bool:
        """Whether a running job may be made to wait again."""
        if self.now_s < self.guardrails.left_alone_until_s(run.started_s):
            return False
        return self.guardrails.may_stop(run.spec) and not run.waited_enough

    def gpus_of(self, pool: Pool) -> float:
        """How many GPUs of a pool jobs may hold at once: all that are not away, as far as there is power for them."""
        if self.fed is None:
            return pool.gpus
        pairs = zip(self.state.cluster.nodes, self.fed, strict=True)
        return min(pool.gpus, sum(node.gpus * fed for node, fed in pairs if pool.partition in {None, node.partition}))

    def waiting(self, job_id: str) -> JobRun | None:
        """A waiting job; None if there is none of this name."""
        run = self._live.get(job_id)
        return None if run is None or run.placement else run

    def running(self, job_id: str) -> JobRun | None:
        """A running job; None if there is none of this name."""
        run = self._live.get(job_id)
        return run if run is not None and run.placement else None

    @property
    def racks(self) -> Mapping[str, RackPower]:
        """Racks whose limits are known, or that have lost a feed."""
        return {} if self._racks is None else self._racks.shown()

    @property
    def carbon(self) -> StepSeries | None:
        """Grams of CO2 per kWh over time; None: nobody says."""
        return None if self.price is None else self.price.gco2_per_kwh

    def kind_at(self, place: Place) -> GpuKind | None:
        """The GPU kind of the GPUs that a placement would give, beside another job those of that one."""
        return self.kind_of(place.nodes if place.beside is None else self.run(place.beside).placement)

    def kind_of(self, nodes: NodeCounts | Placement) -> GpuKind | None:
        """The GPU kind of a placement, of its first node where kinds differ; None for CPU-only nodes."""
        if not nodes:
            return None
        cluster = self.state.cluster
        return cluster.kinds.get(cluster.nodes[nodes[0][0]].gpu_kind)

    def holders(self, pool: Pool) -> Iterator[tuple[JobRun, int]]:
        """Running jobs that hold GPUs on a pool's nodes, its own or another's, and how many thousandths there.

        Jobs without a partition run on the nodes of all, so pools may share nodes.
        """
        for run in pool.running.values():
            yield run, run.spec.num_gpus * run.spec.gpu_milli
        for other in self.pools:
            if other is not pool and None in {other.partition, pool.partition}:
                for run in other.running.values():
                    if held := self._held_there(run, pool) * run.spec.gpu_milli:
                        yield run, held

    def _held_there(self, run: JobRun, pool: Pool) -> int:
        nodes = self.state.cluster.nodes
        here = [mask for node, mask in run.placement if pool.partition in {None, nodes[node].partition}]
        return sum(mask.bit_count() for mask in here)

    def what_if(self) -> WhatIf:
        """The state to try things on: whatever is done to it inside the block is undone at its end."""
        return self.state.what_if()

    def true_remaining_s(self, run: JobRun) -> float:
        """Seconds of work left in truth, at rate 1: for oracles only, anyone else gets a RunError."""
        if not self._oracle:
            raise RunError("a policy that is not marked as an oracle asked for a true duration")
        return run._truth.remaining_at(self.now_s - run.since_s if run.placement else 0.0)
