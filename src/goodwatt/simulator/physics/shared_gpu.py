"""One GPU and the jobs on it: how they share it, where it settles, and whose watts are whose.

`physics.full` says who is where and how much of its time each computes; the model is `power.gpu.point` for a job alone
and `power.colocation.sharing` for several, or for one that has only a part of the GPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from goodwatt.cluster import mig
from goodwatt.cluster.job import WHOLE_GPU_MILLI
from goodwatt.power.colocation.sharing import (
    CONTEXT_MIB,
    Mode,
    Resident,
    memory_fits,
    pair_error,
    shared_point,
    stretches_of,
)
from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.gpu.point import GpuPoint
from goodwatt.power.workloads.demand import Setting
from goodwatt.simulator.jobs.job_run import EXCLUSIVE, JobRun
from goodwatt.simulator.physics.instance_facts import InstanceFacts
from goodwatt.simulator.physics.job_facts import OnKind
from goodwatt.simulator.physics.power_meter import MICRO, GpuParts
from goodwatt.simulator.physics.truth import Truth


class Tenant(NamedTuple):
    """A job on a GPU, the share of the time that it computes (`busy`), and that it waits for others of its gang."""

    run: JobRun
    on: OnKind | InstanceFacts
    busy: float
    waits: float


def sharing_mode(runs: Sequence[JobRun], share_mode: str) -> Mode | None:
    """How the jobs on a GPU share it: what the latest that shares asked for; None if one has it all.

    `share_mode`: how jobs share that want a share of a GPU.
    """
    if runs[0].spec.mig_profile is not None:
        return "mig"
    asked = [run.sharing for run in runs if run.sharing != EXCLUSIVE]
    if len(runs) == 1 and not asked and runs[0].spec.gpu_milli == WHOLE_GPU_MILLI:
        return None
    mode: Mode = "mps" if (asked[-1] if asked else share_mode) == "mps" else "timeslice"
    return None if len(runs) == 1 and mode == "timeslice" else mode


def settled(
    model: GpuModel,
    on: Sequence[tuple[JobRun, OnKind | InstanceFacts]],
    mode: Mode | None,
    setting: Setting,
    chip: float,
    truth: Truth,
) -> GpuPoint:
    """Where a GPU settles with these jobs on it."""
    if mode is None:
        return on[0][1].alone(model, setting.clock_mhz, setting.cap_w, chip)
    residents = tuple(_resident(run, at, mode, model) for run, at in on)
    point = shared_point(model, residents, mode, setting, chip)
    factors = _truly([run for run, _ in on], mode, truth)
    return point._replace(speeds=tuple([min(s * f, 1.0) for s, f in zip(point.speeds, factors, strict=True)]))


class Stretch(NamedTuple):
    """How many times longer something takes than alone on the whole GPU: kernels while they run, and all that a job
    does with the gaps between them, as far as the meter goes by."""

    kernels: float
    wall: float


ALONE = Stretch(1.0, 1.0)


def stretch(
    model: GpuModel, on: Sequence[tuple[JobRun, OnKind | InstanceFacts]], mode: Mode, position: int, truth: Truth
) -> Stretch:
    """What neighbours, a share of threads or a slice make of the job at this position."""
    residents = [_resident(run, at, mode, model) for run, at in on]
    wall = stretches_of(model, tuple(residents), mode)[position]
    mine = residents[position]
    residents[position] = replace(mine, demand=replace(mine.demand, duty=1.0))
    factor = _truly([run for run, _ in on], mode, truth)[position]
    return Stretch(max(1.0, stretches_of(model, tuple(residents), mode)[position] / factor), max(1.0, wall))


def fits(model: GpuModel, on: Sequence[tuple[JobRun, OnKind | InstanceFacts]], mode: Mode, position: int) -> bool:
    """Whether the job at this position, counted by arrival, finds its memory.

    A job that names its MIG profile has been measured in it and fits; so does any job on a GPU that it has to itself,
    where it takes as much as there is.
    """
    if on[position][0].base.mig_profile is not None:
        return True
    most_mib = model.kind.memory_mib - CONTEXT_MIB if mode != "mig" else model.kind.memory_mib
    needs_mib = [min(run.spec.gpu_memory_mib or at.demand.memory_mib, most_mib) for run, at in on]
    profiles = [_resident(run, at, mode, model).profile if mode == "mig" else None for run, at in on]
    return memory_fits(model.kind, needs_mib, profiles, mode)[position]


def parts_by_tenant(model: GpuModel, point: GpuPoint, tenants: Sequence[Tenant], cap_w: float | None) -> list[GpuParts]:
    """The microwatts of a GPU that belong to each of the jobs on it; their sums are the GPU's.

    What it draws for being held is divided evenly, what work adds by who does it. A job that waits for the others of
    its gang draws what communicating takes, as far as the cap allows and others leave it the GPU: waiting never carries
    a shared GPU above its cap.
    """
    held = round((point.idle_w + point.context_w) * MICRO)
    wait_w = [_waiting_w(model, point, tenant.on, cap_w) if tenant.waits > 0.0 else (0.0, 0.0) for tenant in tenants]
    if len(tenants) == 1:
        return [_parts(held, point, (1.0, 1.0), tenants[0], wait_w[0], 1)]
    each, rest = divmod(held, len(tenants))
    shares = _shares_of_work(model, point, tenants)
    spare_w = max((model.default_cap_w if cap_w is None else cap_w) - point.watts, 0.0)
    wait_w = [_within(spare_w, len(tenants), point, *pair) for pair in zip(shares, wait_w, strict=True)]
    return [
        _parts(each + (i < rest), point, share, tenant, waiting, len(tenants))
        for i, (tenant, share, waiting) in enumerate(zip(tenants, shares, wait_w, strict=True))
    ]


def _parts(
    held: int, point: GpuPoint, share: tuple[float, float], tenant: Tenant, wait_w: tuple[float, float], count: int
) -> GpuParts:
    waits = tenant.waits / count
    sm_w = point.sm_w * share[0] * tenant.busy + wait_w[0] * waits
    dram_w = point.dram_w * share[1] * tenant.busy + wait_w[1] * waits
    return 0, held, round(sm_w * MICRO), round(dram_w * MICRO)


def _waiting_w(
    model: GpuModel, point: GpuPoint, on: OnKind | InstanceFacts, cap_w: float | None
) -> tuple[float, float]:
    """SM and DRAM watts while a job waits for the others of its gang, within the cap if that can be."""
    sm_w, dram_w = on.waiting.u * model.core_w[model.index_of(point.clock_mhz)], on.waiting.m * model.memory_w
    if cap_w is not None:
        left_w = cap_w - point.idle_w - point.context_w - dram_w
        sm_w = min(sm_w, max(left_w, on.waiting.u * model.core_w[0]))
    return sm_w, dram_w


def _within(
    spare_w: float, count: int, point: GpuPoint, share: tuple[float, float], wait_w: tuple[float, float]
) -> tuple[float, float]:
    """A tenant's watts while it waits: at most what it draws while it computes, and its part of what nobody draws."""
    own_w = point.sm_w * share[0] + point.dram_w * share[1]
    wanted_w, most_w = sum(wait_w), count * own_w + spare_w
    return wait_w if wanted_w <= most_w else (wait_w[0] * most_w / wanted_w, wait_w[1] * most_w / wanted_w)


def _shares_of_work(model: GpuModel, point: GpuPoint, tenants: Sequence[Tenant]) -> list[tuple[float, float]]:
    """Each one's part of the SM and of the DRAM watts: energy per unit of work times the rate of work."""
    longer = model.top_mhz / point.clock_mhz - 1.0
    sm, dram = [], []
    for tenant, speed in zip(tenants, point.speeds, strict=True):
        demand = tenant.on.demand
        sm.append(speed * demand.duty * demand.u * (1.0 + demand.kappa * longer))
        dram.append(speed * demand.duty * demand.m)
    return list(zip(_normalised(sm), _normalised(dram), strict=True))


def _normalised(values: Sequence[float]) -> Iterable[float]:
    total = sum(values)
    return [value / total if total > 0.0 else 1.0 / len(values) for value in values]


def _resident(run: JobRun, on: OnKind | InstanceFacts, mode: Mode, model: GpuModel) -> Resident:
    if mode == "mig":
        assert run.spec.mig_profile is not None  # noqa: S101 - nobody else is on a GPU in MIG mode
        return Resident(on.demand, profile=mig.profile(model.kind, run.spec.mig_profile))
    threads = run.thread_percent / 100.0 * run.spec.gpu_milli / WHOLE_GPU_MILLI if mode == "mps" else 1.0
    return Resident(on.demand, threads)


def _truly(runs: Sequence[JobRun], mode: Mode, truth: Truth) -> Sequence[float]:
    """Factors on speeds by which the model errs; in MIG instances neighbours have no part in that."""
    names = [run.spec.job_id for run in runs]
    if mode != "mig":
        return truth.resident_factors(names, pair_error(mode))
    return [
        truth.pair_factors(name, f"MIG {run.spec.mig_profile}", pair_error(mode))[0]
        for name, run in zip(names, runs, strict=True)
    ]
