"""Would these share a GPU well? The answer of the model for one GPU, from classes or telemetry, without a simulation.

A subject is a workload class of the catalogue, or telemetry measured alone on that very kind of GPU. Where a GPU
settles is left to `gpu.point` and `sharing`, what counters mean to `telemetry`; printing is `cli.prediction_view`.
Jobs that do not find their memory would fail, so they get no prediction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.mig import COMPUTE_SLICES, MigProfile, can_coexist
from goodwatt.cluster.mig import profiles as mig_profiles
from goodwatt.cluster.packed import MOST_TENANTS
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.power.colocation.sharing import CONTEXT_MIB, Mode, Resident, fits_memory, shared_point
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.gpu.point import GpuPoint, alone_point
from goodwatt.power.telemetry import prediction_error
from goodwatt.power.telemetry.counters import Counters, demand_from_counters
from goodwatt.power.workloads.catalogue import measured_on, phases_on, speed_on, workload_class
from goodwatt.power.workloads.demand import DEFAULT_SETTING, Demand, Setting
from goodwatt.power.workloads.workload import Phase, WorkloadClass, mean_demand

EXCLUSIVE = "exclusive"
COUNTERS = tuple(field.name for field in fields(Counters))
KERNEL_US = "kernel_us"
"""The mean length of a kernel, where somebody knows it: no counter shows it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is to run: `name` as it was written, its phases alone on the GPU, its class, or the telemetry that it is."""

    name: str
    phases: tuple[Phase, ...]
    workload: WorkloadClass | None = None
    counters: Counters | None = None

    @property
    def demand(self) -> Demand:
        """The mean over its phases."""
        return mean_demand(self.phases)


@dataclass(frozen=True, slots=True)
class JobPrediction:
    """One subject. `speed`: relative to alone at the default clock on this kind. `work`: the same in reference
    GPU-seconds per second, None for telemetry. `alone_w`: what it draws alone at the default setting. `measured`:
    whether its speed on this kind is measured, not derived. `speed_error`, `work_error`: standard deviations in the
    same units, see `prediction_error`.
    """

    job: str
    speed: float
    work: float | None
    alone_w: float
    measured: bool
    speed_error: float
    work_error: float | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """One GPU. `together`: sum of the speeds, 1 being the work of one job alone. `energy_ratio`: joules for this work
    relative to each job alone at the default setting, one after the other. `watts_error`: standard deviation of the
    board's watts, W.
    """

    gpu: str
    mode: str
    jobs: tuple[JobPrediction, ...]
    point: GpuPoint
    together: float
    energy_ratio: float
    watts_error: float


def subject(text: str, kind: GpuKind) -> Subject:
    """A job as a person writes it: the name of a class, or `sm_util=.84,occupancy=.47,...`.

    Raises InputError: an unknown class or counter (with the nearest), figures that cannot be.
    """
    if "=" in text:
        return _from_telemetry(text, kind)
    workload = workload_class(text.strip())
    return Subject(workload.name, phases_on(workload, kind.name), workload)


def predict(
    kind: GpuKind,
    subjects: Sequence[Subject],
    mode: str | None = None,
    threads: Sequence[float] = (),
    slices: Sequence[str] = (),
    setting: Setting = DEFAULT_SETTING,
) -> Prediction:
    """Where one GPU of the kind settles with these subjects on it.

    `mode`: exclusive, timeslice, mps or mig; None means exclusive for one, timeslice for several. `threads`: percent of
    active threads under mps, one for all or one each. `slices`: MIG profiles, one each, by name or by beginning.
    Raises InputError for what the hardware, or the model, would refuse, jobs without room for their memory among it.
    """
    mode = mode or (EXCLUSIVE if len(subjects) == 1 else "timeslice")
    model = gpu_model(kind)
    _check(kind, subjects, mode, threads, slices, setting)
    residents = _residents(kind, subjects, mode, threads, slices)
    _check_memory(kind, subjects, residents, mode)
    if mode == EXCLUSIVE:
        point = alone_point(model, subjects[0].phases, setting)
    else:
        point = shared_point(model, residents, _shared(mode), setting)
    jobs = tuple(_job(model, mode, one, speed) for one, speed in zip(subjects, point.speeds, strict=True))
    in_turns_w = math.fsum(job.speed * job.alone_w for job in jobs)
    off = _watts_error(model, mode, subjects, residents) * point.watts
    return Prediction(kind.name, mode, jobs, point, math.fsum(point.speeds), point.watts / in_turns_w, off)


def _from_telemetry(text: str, kind: GpuKind) -> Subject:
    figures: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in (*COUNTERS, KERNEL_US):
            raise UnknownNameError("counter", name, (*COUNTERS, KERNEL_US))
        if name in figures:
            raise InputError(f"job {text!r}: {name} is given twice")
        figures[name] = _number(name, value)
    kernel_us = figures.pop(KERNEL_US, 0.0)
    counters = Counters(**figures)
    demand = demand_from_counters(gpu_model(kind), counters)
    demand = replace(demand, kernel_us=kernel_us or demand.kernel_us)
    return Subject(text, (Phase("measured", 1.0, 1.0, demand),), counters=counters)


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0.0:
        raise InputError(f"{name}: expected a number, 0 or more, got {text!r}")
    return value


def _job(model: GpuModel, mode: str, one: Subject, speed: float) -> JobPrediction:
    kind, workload = model.kind.name, one.workload
    error = prediction_error.of_speed(model, mode, speed, prediction_error.is_blind(one.counters))
    work = None if workload is None else speed * speed_on(workload, kind)
    return JobPrediction(
        job=one.name,
        speed=speed,
        work=work,
        alone_w=alone_point(model, one.phases).watts,
        measured=workload is None or measured_on(workload, kind),
        speed_error=error,
        work_error=None if workload is None else prediction_error.of_work(speed, error, workload, kind),
    )


def _watts_error(model: GpuModel, mode: str, subjects: Sequence[Subject], residents: Sequence[Resident]) -> float:
    """Relative, of the board's watts: the job that is known worst counts."""
    demand = max(prediction_error.of_demand(model.kind.name, one.workload, one.counters) for one in subjects)
    return prediction_error.of_watts(model, mode, demand, any(resident.threads < 1.0 for resident in residents))


def _residents(
    kind: GpuKind, subjects: Sequence[Subject], mode: str, threads: Sequence[float], slices: Sequence[str]
) -> tuple[Resident, ...]:
    shares = [percent / 100.0 for percent in threads] or [1.0]
    shares = shares * len(subjects) if len(shares) == 1 else shares
    found: list[MigProfile | None] = [None] * len(subjects)
    if mode == "mig":
        found = [_profile(kind, name) for name in slices]
        _check_geometry(kind, [profile for profile in found if profile is not None])
    return tuple(
        Resident(one.demand, share, profile) for one, share, profile in zip(subjects, shares, found, strict=True)
    )


def _profile(kind: GpuKind, wish: str) -> MigProfile:
    """By name, or by beginning; of several that fit the one with the least memory, as `3g` means `3g.40gb`."""
    known = mig_profiles(kind)
    if not known:
        raise InputError(f"--mode mig: no MIG geometry of {kind.name} is known")
    fitting = [profile for name, profile in known.items() if name == wish or name.startswith(f"{wish}.")]
    if not fitting:
        raise UnknownNameError(f"MIG profile of {kind.name}", wish, tuple(known))
    return min(fitting, key=lambda profile: profile.memory_mib)


def _check_geometry(kind: GpuKind, profiles: Sequence[MigProfile]) -> None:
    if not can_coexist(profiles):
        names = " + ".join(profile.name for profile in profiles)
        raise InputError(f"--slices {names}: {kind.name} has no place for them beside each other")


def _check_memory(kind: GpuKind, subjects: Sequence[Subject], residents: Sequence[Resident], mode: str) -> None:
    fits = fits_memory(kind, residents, "timeslice" if mode == EXCLUSIVE else mode)
    if all(fits):
        return
    needs = [resident.demand.memory_mib + CONTEXT_MIB for resident in residents]
    told = [f"{one.name} needs {need:,} MiB" for one, need in zip(subjects, needs, strict=True)]
    context = f"({CONTEXT_MIB} of them for its context)"
    if mode == "mig":
        slices = [resident.profile for resident in residents]
        short = [
            f"{what} {context}, its {profile.name} has {profile.memory_mib:,}"
            for what, profile, fit in zip(told, slices, fits, strict=True)
            if profile is not None and not fit
        ]
        raise InputError(f"jobs that do not fit into their MIG instances: {'; '.join(short)}")
    if len(needs) == 1:
        raise InputError(f"{told[0]} {context}, {kind.name} has {kind.memory_mib:,}")
    raise InputError(
        f"the jobs do not fit into the memory of one GPU together: {', '.join(told)} ({CONTEXT_MIB} of them for each "
        f"context); that is {sum(needs):,}, {kind.name} has {kind.memory_mib:,}"
    )


def _check(
    kind: GpuKind,
    subjects: Sequence[Subject],
    mode: str,
    threads: Sequence[float],
    slices: Sequence[str],
    setting: Setting,
) -> None:
    _check_count(subjects, mode)
    if threads and mode != "mps":
        raise InputError(f"--threads: only MPS limits threads, got --mode {mode}")
    if len(threads) not in {0, 1, len(subjects)} or any(not 0.0 < percent <= 100.0 for percent in threads):
        got = ",".join(f"{percent:g}" for percent in threads)
        raise InputError(f"--threads: expected a percentage above 0 up to 100, one or one for each job, got {got}")
    if slices and mode != "mig":
        raise InputError(f"--slices: only MIG has slices, got --mode {mode}")
    if mode == "mig" and len(slices) != len(subjects):
        raise InputError(f"--slices: expected a MIG profile for each of {len(subjects)} jobs, got {len(slices)}")
    _check_range("--clock", setting.clock_mhz, (kind.min_clock_mhz, kind.max_clock_mhz), f"MHz of {kind.name}")
    _check_range("--cap", setting.cap_w, (kind.min_cap_w, kind.max_cap_w), f"W of {kind.name}")


def _check_count(subjects: Sequence[Subject], mode: str) -> None:
    if mode not in (EXCLUSIVE, "timeslice", "mps", "mig"):
        raise UnknownNameError("mode", mode, (EXCLUSIVE, "timeslice", "mps", "mig"))
    if not subjects:
        raise InputError("expected at least one job")
    most = {EXCLUSIVE: 1, "mig": COMPUTE_SLICES}.get(mode, MOST_TENANTS)
    if len(subjects) > most:
        hint = "; share by timeslice, mps or mig" if mode == EXCLUSIVE else ""
        raise InputError(f"--mode {mode}: expected at most {most} jobs on a GPU, got {len(subjects)}{hint}")


def _check_range(option: str, value: float | None, limits: tuple[int | None, int | None], unit: str) -> None:
    low, high = limits
    if value is None or low is None or high is None:
        return
    if not low <= value <= high:
        raise InputError(f"{option}: expected {low} to {high} {unit}, got {value:g}")


def _shared(mode: str) -> Mode:
    return "timeslice" if mode == "timeslice" else "mps" if mode == "mps" else "mig"
