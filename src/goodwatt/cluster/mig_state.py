"""GPUs in MIG mode as they are used: which instances exist on a node, and which job has which.

Instances are plain tuples that change by being replaced, so a node's slices can be logged and copied like the rest of
`ClusterState`, which calls this. What may stand beside what is `mig`; how long changes take is left to the simulator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, TypeVar

from goodwatt.cluster import mig
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.errors import RunError

NOBODY = ""
_MOST_MILLI = WHOLE_GPU_MILLI - 1
"""An instance of the whole GPU counts a thousandth less, so that whoever asks for one is not taken to want a GPU."""

Request = TypeVar("Request", bound=JobRequest)


class Slot(NamedTuple):
    """An instance: its profile, first memory slice, the job in it, and whether it stays when that job leaves."""

    profile: str
    start: int
    holder: str = NOBODY
    kept: bool = False


class SlicedGpu(NamedTuple):
    """A GPU in MIG mode; one that is not `ready` is being changed: jobs go on there, and none starts."""

    gpu: int
    ready: bool
    slots: tuple[Slot, ...]


Sliced = tuple[SlicedGpu, ...]
"""The GPUs of a node that are in MIG mode, ascending."""


class Repartition(NamedTuple):
    """Instances after a change, and how many were destroyed and created for it."""

    slots: tuple[Slot, ...]
    destroyed: int
    created: int


def share_milli(profile: str) -> int:
    """Thousandths of a GPU that an instance counts for: its compute slices of seven, rounded down."""
    slices = int(profile.partition("g")[0])
    return min(slices * WHOLE_GPU_MILLI // mig.COMPUTE_SLICES, _MOST_MILLI)


def sliced_request(job: Request, profile: str) -> Request:
    """The job as one that runs in an instance of this profile."""
    return replace(job, mig_profile=profile, gpu_milli=share_milli(profile))


def layout(kind: GpuKind, profiles: Iterable[str], gpu: int) -> SlicedGpu:
    """A GPU with idle instances that stay. Raises RunError where they do not fit together, UnknownNameError."""
    return SlicedGpu(gpu, True, repartition(kind, (), tuple(profiles)).slots)


def used_milli(sliced: Sliced) -> int:
    """Thousandths of GPUs that jobs use in instances."""
    return sum(share_milli(slot.profile) for one in sliced for slot in one.slots if slot.holder)


def idle_mask(sliced: Sliced) -> int:
    """The GPUs in MIG mode in which no job runs."""
    return sum(1 << one.gpu for one in sliced if not any(slot.holder for slot in one.slots))


def gpu_of(sliced: Sliced, gpu: int) -> SlicedGpu | None:
    """The GPU, if it is in MIG mode."""
    return next((one for one in sliced if one.gpu == gpu), None)


def with_gpu(sliced: Sliced, new: SlicedGpu) -> Sliced:
    """The GPU put in or exchanged."""
    return tuple(sorted((*without_gpu(sliced, new.gpu), new)))


def without_gpu(sliced: Sliced, gpu: int) -> Sliced:
    """The GPU out of MIG mode."""
    return tuple(one for one in sliced if one.gpu != gpu)


@lru_cache(maxsize=65_536)
def chosen_gpu(kind: GpuKind, sliced: Sliced, profile: str, creates: bool) -> int | None:
    """The GPU in MIG mode that takes one more job with this profile: one with a free instance, else, if instances may
    be created, the one with the fewest slices left that has room for it. None if there is none.
    """
    for one in sliced:
        if one.ready and _free(one, profile):
            return one.gpu
    if not creates:
        return None
    fitting = [(_slices_left(kind, one), one.gpu) for one in sliced if one.ready and _has_room(kind, one, profile)]
    return min(fitting)[1] if fitting else None


def take(kind: GpuKind, sliced: Sliced, gpu: int, profile: str, job_id: str) -> Sliced:
    """A job gets an instance on a GPU: a free one, or one that is created for it, the GPU put into MIG mode if need be.

    Raises RunError where the hardware refuses.
    """
    one = gpu_of(sliced, gpu) or SlicedGpu(gpu, True, ())
    if free := _free(one, profile):
        slots = tuple(slot._replace(holder=job_id) if slot is free else slot for slot in one.slots)
        return with_gpu(sliced, one._replace(slots=slots))
    existing = _instances(kind, one.slots)
    made = mig.create(mig.profile(kind, profile), existing)
    (new,) = set(made) - set(existing)
    slots = tuple(sorted((*one.slots, Slot(profile, new.start, job_id)), key=lambda slot: slot.start))
    return with_gpu(sliced, one._replace(slots=slots))


def leave(sliced: Sliced, gpu: int, job_id: str) -> Sliced:
    """A job leaves its instance, which goes with it if it was made for it; a GPU without any leaves MIG mode."""
    one = gpu_of(sliced, gpu)
    if one is None or all(slot.holder != job_id for slot in one.slots):
        raise RunError(f"job {job_id} has no instance on GPU {gpu}")
    mine = next(slot for slot in one.slots if slot.holder == job_id)
    rest = tuple(slot._replace(holder=NOBODY) if slot is mine else slot for slot in one.slots)
    if not mine.kept:
        rest = tuple(slot for slot in rest if slot.start != mine.start)
    return with_gpu(sliced, one._replace(slots=rest)) if rest else without_gpu(sliced, gpu)


def holds(sliced: Sliced, gpu: int, job_id: str) -> bool:
    """Whether a job has an instance on the GPU."""
    one = gpu_of(sliced, gpu)
    return one is not None and any(slot.holder == job_id for slot in one.slots)


def repartition(kind: GpuKind, slots: Sequence[Slot], profiles: tuple[str, ...]) -> Repartition:
    """Make the instances of a GPU those of `profiles`, jobs going on in theirs; what there is already stays.

    Raises RunError with the hardware's reason: a process runs in what should go, or what should come has no place.
    """
    wanted = Counter(mig.profile(kind, name).name for name in profiles)
    busy = [slot for slot in slots if slot.holder]
    if excess := Counter(slot.profile for slot in busy) - wanted:
        name = next(iter(excess))
        raise RunError(f"MIG instance {name}: expected an idle instance, a process runs in it")
    missing = wanted - Counter(slot.profile for slot in busy)
    idle = _matching([slot for slot in slots if not slot.holder], missing)
    for stay in (idle, []):
        new = _placed(kind, missing - Counter(slot.profile for slot in stay), (*busy, *stay))
        if new is not None:
            kept = sorted((*busy, *stay, *new), key=lambda slot: slot.start)
            all_kept = tuple(slot._replace(kept=True) for slot in kept)
            return Repartition(all_kept, len(slots) - len(busy) - len(stay), len(new))
    beside = ", ".join(f"{slot.profile}@{slot.start}" for slot in busy) or "none"
    raise RunError(f"MIG instances {', '.join(profiles)}: no legal places for all of them, running: {beside}")


def _matching(idle: Iterable[Slot], missing: Counter[str]) -> list[Slot]:
    left, found = missing.copy(), []
    for slot in idle:
        if left[slot.profile]:
            left[slot.profile] -= 1
            found.append(slot)
    return found


def _placed(kind: GpuKind, missing: Counter[str], fixed: Sequence[Slot]) -> list[Slot] | None:
    """Places for the missing instances beside the fixed ones; None if there are none."""
    wanted = sorted((mig.profile(kind, name) for name in missing.elements()), key=lambda p: (-p.size, p.name))
    return _place(tuple(wanted), _instances(kind, fixed))


def _place(wanted: tuple[mig.MigProfile, ...], existing: tuple[mig.Instance, ...]) -> list[Slot] | None:
    if not wanted:
        return []
    for start in reversed(mig.legal_starts(wanted[0], existing)):  # the largest fit only in the beginning
        rest = _place(wanted[1:], (*existing, mig.Instance(wanted[0], start)))
        if rest is not None:
            return [Slot(wanted[0].name, start), *rest]
    return None


def _free(one: SlicedGpu, profile: str) -> Slot | None:
    return next((slot for slot in one.slots if slot.profile == profile and not slot.holder), None)


def _has_room(kind: GpuKind, one: SlicedGpu, profile: str) -> bool:
    known = mig.profiles(kind).get(profile)
    return known is not None and bool(mig.legal_starts(known, _instances(kind, one.slots)))


def _slices_left(kind: GpuKind, one: SlicedGpu) -> int:
    return mig.MEMORY_SLICES - sum(instance.profile.size for instance in _instances(kind, one.slots))


def _instances(kind: GpuKind, slots: Iterable[Slot]) -> tuple[mig.Instance, ...]:
    known = mig.profiles(kind)
    return tuple(mig.Instance(known[slot.profile], slot.start) for slot in slots)
