"""Beside which running job a new one would do well, by what telemetry has shown of both.

Predictions come from `power.colocation.sharing` with estimated demands, rounded to what estimates are worth, so that
jobs alike share one computation. What is not known is not packed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Literal, NamedTuple

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.packed import packed_gpus
from goodwatt.cluster.shortage import find_host_shortage
from goodwatt.cluster.state import ClusterState, Placement
from goodwatt.policies.pair_memory import STEP, STEPS_PER_OCTAVE, Candidate, PairMemory, Shape
from goodwatt.power.colocation.sharing import CONTEXT_MIB, Resident, shared_point
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View

Mode = Literal["timeslice", "mps"]
THREADS = (100.0, 70.0, 50.0, 30.0)
"""Percentages of the SMs that are tried for the newcomer under MPS, as far as guardrails allow."""
MOST_HOSTS = 4096
"""Shapes of hosts that are remembered for one newcomer."""


class Pair(NamedTuple):
    """A host and how the two would do: speeds relative to alone, of the host and of the newcomer."""

    host: JobRun
    host_speed: float
    speed: float
    thread_percent: float


class Rules(NamedTuple):
    """What a pair must reach: see `policies.pack`."""

    mode: Mode
    least_speed: float
    gain: float
    depth: int
    guess: bool


def best_pair(job: JobRequest, state: ClusterState, view: View, rules: Rules) -> Pair | None:
    """The pair with the most work done, if any is good enough; the host that has run least long of equals."""
    if job.gpu_milli < WHOLE_GPU_MILLI or not job.num_gpus or view.run(job.job_id).alone:
        return None
    if not (view.guardrails.may_pack(job) and view.guardrails.may_slow(job)):
        return None
    kinds, nodes = state.cluster.kinds, state.cluster.nodes
    newcomers = {name: _newcomer(job, kind, view, rules) for name, kind in kinds.items()}
    if not any(newcomers.values()):
        return None
    best, most = None, -math.inf
    for host in islice(_hosts(job, state, view), rules.depth):
        newcomer = newcomers[nodes[host.placement[0][0]].gpu_kind]
        speeds = newcomer and newcomer.beside(host)
        if speeds and speeds[0] + speeds[1] > most:
            best, most = Pair(host, *speeds), speeds[0] + speeds[1]
    return best


def _hosts(job: JobRequest, state: ClusterState, view: View) -> Iterator[JobRun]:
    """Running jobs that are alone on as many whole GPUs as the new one wants and may use, those started last first."""
    placements, packed = state.placements, state.packed
    allowed = state.eligible(job).nodes
    protected = bool(view.guardrails.protected)
    anywhere = allowed.bit_count() == len(packed) and not state.limits_hosts
    for pool in view.pools:
        for job_id, run in reversed(pool.running_on(job.num_gpus).items()):
            placement = placements.get(job_id)
            if placement is None or run.alone or run.spec.gpu_milli < WHOLE_GPU_MILLI:
                continue
            if protected and not view.guardrails.may_pack(run.spec):
                continue
            for node, mask in placement:
                if packed[node] and packed_gpus(packed[node]) & mask:
                    break
            else:
                if anywhere or _admits(job, placement, allowed, state):
                    yield run


def _admits(job: JobRequest, placement: Placement, allowed: int, state: ClusterState) -> bool:
    """Whether the job may use these nodes, and they have CPU and memory for it."""
    return all(
        allowed >> node & 1 and not find_host_shortage(state, job, node, mask.bit_count()) for node, mask in placement
    )


class _Newcomer:
    """A waiting job on one kind of GPU: with whom it would do well."""

    __slots__ = ("_guess", "_kind", "_memory", "_mib", "_mps", "_seen")

    def __init__(self, itself: Candidate, kind: GpuKind, view: View, rules: Rules) -> None:
        memory = view.memory
        assert isinstance(memory, PairMemory)  # noqa: S101 - `Pack.new_memory` made it
        percents = THREADS if rules.mode == "mps" else THREADS[:1]
        threads = tuple(percent for percent in percents if view.guardrails.may_limit(percent))
        self._kind, self._memory = kind.name, memory
        self._guess, self._mps = rules.guess, rules.mode == "mps"
        self._mib = kind.memory_mib - 2 * CONTEXT_MIB - itself.need_mib
        self._seen = _seen_beside(gpu_model(kind), itself.shape, rules.mode, threads, rules.least_speed, rules.gain)

    def beside(self, run: JobRun) -> tuple[float, float, float] | None:
        """(speed of the host, of the newcomer, thread percentage), if the two fit and the pair is good enough."""
        # asked of every host of every newcomer: written out, where `PairMemory.candidate` and `_understood` would do
        host = self._memory.candidates.get(run.spec.job_id)
        if host is None or host.lasts != self._kind:
            host = self._memory.candidate(run.spec, self._kind)
        if host is None or not 0 < host.need_mib <= self._mib or not (self._guess or host.known):
            return None
        return None if self._mps and not host.uses_sms else self._seen[host.shape]


def _newcomer(job: JobRequest, kind: GpuKind, view: View, rules: Rules) -> _Newcomer | None:
    """None if not enough is known of the job, or of the kind."""
    memory = view.memory
    assert isinstance(memory, PairMemory)  # noqa: S101 - `Pack.new_memory` made it
    itself = None if kind.power_model is None else memory.candidate(job, kind.name)
    if itself is None or not itself.need_mib or not _understood(itself, rules):
        return None
    return _Newcomer(itself, kind, view, rules)


def _understood(job: Candidate, rules: Rules) -> bool:
    """Whether enough is known of it; without counters nobody knows who leaves SMs to whom under MPS."""
    return (rules.guess or job.known) and (rules.mode != "mps" or job.uses_sms)


class _Beside(dict[Shape, tuple[float, float, float] | None]):
    """How one newcomer would do beside hosts of any shape, computed when first asked for."""

    def __init__(
        self, model: GpuModel, newcomer: Shape, mode: Mode, threads: tuple[float, ...], least_speed: float, gain: float
    ) -> None:
        super().__init__()
        self._pair = model, newcomer, mode, threads, least_speed, gain

    def __missing__(self, host: Shape) -> tuple[float, float, float] | None:
        if len(self) >= MOST_HOSTS:
            self.clear()
        model, newcomer, mode, threads, least_speed, gain = self._pair
        found = self[host] = _best_speeds(model, _demand(host), _demand(newcomer), mode, threads, least_speed, gain)
        return found


_seen_beside = lru_cache(maxsize=1024)(_Beside)


def _best_speeds(
    model: GpuModel,
    there: Demand,
    here: Demand,
    mode: Mode,
    threads: tuple[float, ...],
    least_speed: float,
    gain: float,
) -> tuple[float, float, float] | None:
    """(speed of the host, of the newcomer, thread percentage) with the greatest sum that is good enough."""
    found = []
    for percent in threads:
        point = shared_point(model, (Resident(there), Resident(here, percent / 100.0)), mode)
        host, newcomer = point.speeds
        if min(host, newcomer) >= least_speed and host + newcomer >= gain:
            found.append((host, newcomer, percent))
    return max(found, key=lambda entry: entry[0] + entry[1], default=None)


def _demand(shape: Shape) -> Demand:
    u, m, kappa, duty, sm, occupancy, tensor = (steps * STEP for steps in shape[:-1])
    return Demand(
        u=u,
        m=m,
        kappa=kappa,
        duty=max(duty, STEP),
        sm=sm,
        occupancy=occupancy,
        tensor=tensor,
        kernel_us=2.0 ** (shape[-1] / STEPS_PER_OCTAVE),
    )
