"""Beside which running job a new one would do well, by what telemetry has shown of both.

Predictions come from `power.sharing` with estimated demands, rounded to what estimates are worth, so that jobs alike
share one computation. What is not known is not packed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Literal, NamedTuple

from goodwatt.cluster.beside import shortage_beside
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.power_memory import power_memory
from goodwatt.power.demand import Demand
from goodwatt.power.estimator import Estimate
from goodwatt.power.gpu_model import GpuModel, gpu_model
from goodwatt.power.kernel_length import kernel_length_us
from goodwatt.power.sharing import CONTEXT_MIB, Resident, shared_point
from goodwatt.simulator.job_run import JobRun
from goodwatt.simulator.view import View

Mode = Literal["timeslice", "mps"]
THREADS = (100.0, 70.0, 50.0, 30.0)
"""Percentages of the SMs that are tried for the newcomer under MPS."""
_STEP = 0.05
_PER_OCTAVE = 4
"""Steps in which estimates are rounded: shares, lengths of kernels."""
_FIELDS = ("u", "m", "kappa", "duty", "sm", "occupancy", "tensor")


class Pair(NamedTuple):
    """A host and how the two would do: speeds relative to alone, of the host and of the newcomer."""

    host: JobRun
    host_speed: float
    speed: float
    thread_percent: float

    @property
    def total(self) -> float:
        """Work of both, relative to one alone."""
        return self.host_speed + self.speed


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
    pairs = (_pair(job, host, view, rules) for host in islice(_hosts(job, state, view), rules.depth))
    return max((pair for pair in pairs if pair is not None), key=lambda pair: pair.total, default=None)


def _hosts(job: JobRequest, state: ClusterState, view: View) -> Iterator[JobRun]:
    """Running jobs that are alone on as many GPUs as the new one wants, those started last first."""
    for pool in view.pools:
        for run in reversed(pool.running.values()):
            if (
                run.spec.num_gpus == job.num_gpus
                and not run.alone
                and _is_alone(run, state)
                and shortage_beside(state, job, run.spec) is None
            ):
                yield run


def _is_alone(run: JobRun, state: ClusterState) -> bool:
    placement = state.placements.get(run.spec.job_id, ())
    return not any(mask >> gpu & 1 for node, mask in placement for gpu, _ in state.packed[node])


def _pair(job: JobRequest, host: JobRun, view: View, rules: Rules) -> Pair | None:
    kind = view.kind_of(host.placement)
    if kind is None or kind.power_model is None:
        return None
    demands = power_memory(view).demands
    theirs, ours = demands.estimate(host.spec, kind.name), demands.estimate(job, kind.name)
    if theirs is None or ours is None or not (rules.guess or (theirs.known and ours.known)):
        return None
    if rules.mode == "mps" and not (theirs.demand.sm and ours.demand.sm):
        return None  # without counters nobody knows who leaves SMs to whom
    if not _fit(kind, _need_mib(theirs, host.spec), _need_mib(ours, job)):
        return None
    there, here = _rounded(theirs.demand), _rounded(ours.demand)
    speeds = _best_speeds(gpu_model(kind), there, here, rules.mode, rules.least_speed, rules.gain)
    return None if speeds is None else Pair(host, *speeds)


def _need_mib(estimate: Estimate, job: JobRequest) -> int:
    """What was seen, or what the job asks for if that is more; 0 if nothing is known."""
    return max(estimate.demand.memory_mib, job.gpu_memory_mib)


def _fit(kind: GpuKind, there_mib: int, here_mib: int) -> bool:
    """Whether the memory of both is known and there is enough of it, their contexts included."""
    return there_mib > 0 < here_mib and there_mib + here_mib + 2 * CONTEXT_MIB <= kind.memory_mib


@lru_cache(maxsize=65_536)
def _best_speeds(
    model: GpuModel, there: Demand, here: Demand, mode: Mode, least_speed: float, gain: float
) -> tuple[float, float, float] | None:
    """(speed of the host, of the newcomer, thread percentage) with the greatest sum that is good enough."""
    found = []
    for percent in THREADS if mode == "mps" else THREADS[:1]:
        point = shared_point(model, (Resident(there), Resident(here, percent / 100.0)), mode)
        host, newcomer = point.speeds
        if min(host, newcomer) >= least_speed and host + newcomer >= gain:
            found.append((host, newcomer, percent))
    return max(found, key=lambda entry: entry[0] + entry[1], default=None)


@lru_cache(maxsize=65_536)
def _rounded(demand: Demand) -> Demand:
    rounded = {name: round(getattr(demand, name) / _STEP) * _STEP for name in _FIELDS}
    octaves = round(_PER_OCTAVE * math.log2(kernel_length_us(demand)))
    rounded |= {"duty": max(rounded["duty"], _STEP), "kernel_us": 2.0 ** (octaves / _PER_OCTAVE)}
    return replace(demand, **rounded, memory_mib=0)
