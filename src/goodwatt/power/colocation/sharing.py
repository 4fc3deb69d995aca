"""Where a GPU settles that several residents share: one clock and one cap for all, each one's speed, the watts.

Modes: `timeslice` (one context at a time), `mps` (kernels overlap, optionally under a limit of threads), `mig` (hard
slices). Interference is a function of the co-runners' demands: `interference_law` says what neighbours cost,
`interference_scaling` what a smaller share costs. Watts follow the work that is done: each resident adds its energy
per unit of work times its speed, so u and m of the GPU are the sums of what is achieved.

    speed_i(f) = 1 / (share_i interference_i slowdown_i(f))       relative to alone at the greatest clock
    P(f) = P_act + sum_i speed_i(f) duty_i (u_i A x V(f)^2 t_i(f) + m_i P_mem)

Memory that must fit and who dies of whose fault are here too; contention for the host is `host_contention`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.mig import MigProfile
from goodwatt.errors import InputError
from goodwatt.power.colocation.interference_constants import (
    LAWS,
    LEAST_SM,
    PAIR_ERRORS,
    TYPICAL_SM,
    Laws,
)
from goodwatt.power.colocation.interference_law import Presence, stretches
from goodwatt.power.colocation.interference_scaling import (
    SliceLaw,
    capacity_used,
    slice_stretch,
    thread_limit_stretch,
    watts_share,
)
from goodwatt.power.colocation.kernel_length import kernel_length_us
from goodwatt.power.colocation.thread_overlap import common_shares
from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.gpu.point import Bound, GpuPoint, highest_clock, idle_point, load_of
from goodwatt.power.workloads.demand import DEFAULT_SETTING, Demand, Setting
from goodwatt.power.workloads.workload import Phase

Mode = Literal["timeslice", "mps", "mig"]
MODES: tuple[Mode, ...] = ("timeslice", "mps", "mig")

CONTEXT_MIB = 500
"""Device memory that a process's CUDA context takes beside its own data. Assumed: 400-600 MiB on recent kinds."""


@dataclass(frozen=True, slots=True)
class Resident:
    """Who shares: its demand alone on the whole GPU, its share of active threads under MPS, its MIG profile.

    `kernel_us`: mean length of its kernels; 0 takes what the demand tells, see `kernel_length`.
    """

    demand: Demand
    threads: float = 1.0
    profile: MigProfile | None = None
    kernel_us: float = 0.0


class _Mix(NamedTuple):
    """Residents at one another's mercy, at the greatest clock: what a clock then does to them is arithmetic.

    By resident: `stretch` time by sharing relative to alone, `scaled` share of the wall time that follows the clock,
    `default` wall time alone at the default setting; joules per second of work alone are `sm` (per watt of `core_w`:
    fixed part, part that stretches) and `dram_j`.
    """

    stretch: tuple[float, ...]
    scaled: tuple[float, ...]
    default: tuple[float, ...]
    sm: tuple[tuple[float, float], ...]
    dram_j: tuple[float, ...]


def shared_point(
    model: GpuModel,
    residents: tuple[Resident, ...],
    mode: Mode,
    setting: Setting = DEFAULT_SETTING,
    chip: float = 1.0,
    laws: Laws = LAWS,
) -> GpuPoint:
    """The point of a GPU with these residents; speeds are relative to each alone at the default setting.

    Raises InputError for an unknown mode, for MIG without profiles, for a thread share outside (0, 1].
    """
    if not residents:
        return idle_point(model)
    mix = _mix(model, residents, mode, laws)
    top = model.index_of(setting.clock_mhz)
    cap_w = model.default_cap_w if setting.cap_w is None else setting.cap_w
    index = model.highest_within(lambda at: math.fsum(_watts(model, mix, at, chip)), cap_w, top)
    bound = _bound(model, index, top)
    index = max(index, 0)
    base_w, sm_w, dram_w = _watts(model, mix, index, chip)
    more = model.stretch[index] - 1.0
    speeds = tuple(
        default / (stretch * (1.0 + scaled * more))
        for default, stretch, scaled in zip(mix.default, mix.stretch, mix.scaled, strict=True)
    )
    return GpuPoint(
        clock_mhz=model.clocks_mhz[index],
        watts=base_w + sm_w + dram_w,
        speeds=speeds,
        bound_by=bound,
        idle_w=model.idle_w,
        context_w=base_w - model.idle_w,
        sm_w=sm_w,
        dram_w=dram_w,
    )


def stretches_of(model: GpuModel, residents: tuple[Resident, ...], mode: Mode, laws: Laws = LAWS) -> tuple[float, ...]:
    """How many times longer each resident's work takes than alone on the whole GPU, at the greatest clock.

    Raises InputError as `shared_point`.
    """
    return _mix(model, residents, mode, laws).stretch


def iteration_tail(
    model: GpuModel,
    residents: tuple[Resident, ...],
    mode: Mode,
    position: int,
    iteration_s: float,
    laws: Laws = LAWS,
) -> float:
    """p99 over mean of the times of a serving instance's iterations, 1 or more, at the greatest clock.

    `position`: the instance among the residents, with a duty of 1, since it is asked while its kernels run;
    `iteration_s`: mean seconds of an iteration there, neighbours included. 1 where it is alone, in MIG instances, and
    under time-slicing, where nobody measured it. Raises InputError as `shared_point`.
    """
    times = stretches_of(model, residents, mode, laws)
    if mode != "mps" or len(residents) < 2:
        return 1.0
    limited, found = _presences(model, residents, mode)
    shares = common_shares(tuple([r.threads for r in residents]))
    others = [k for k in range(len(residents)) if k != position]
    phases = [
        laws.tail.phases(shares[position][k] * shares[k][position], found[k].kernel_us / found[position].kernel_us)
        for k in others
    ]
    longest_s = max(_kernel_us(residents[k]) * times[k] for k in others) / 1e6
    share = 1.0 - limited[position] / times[position]
    return laws.tail.p99(share, math.fsum(phases) / len(phases), longest_s / iteration_s)


def pair_error(mode: str) -> float:
    """Standard deviation of a speed's error in pairs whose workloads were left out of the fit, by mode."""
    return PAIR_ERRORS[_mode(mode)]


def fits_memory(kind: GpuKind, residents: Sequence[Resident], mode: str) -> tuple[bool, ...]:
    """Which residents, arriving in this order, find their memory; who does not fit fails alone, the others stay.

    Under MIG each has its own instance's memory, else all share the board's; a kind without a known size refuses none.
    """
    needs_mib = [resident.demand.memory_mib for resident in residents]
    return memory_fits(kind, needs_mib, [resident.profile for resident in residents], _mode(mode))


def memory_fits(
    kind: GpuKind, needs_mib: Sequence[int], profiles: Sequence[MigProfile | None], mode: str
) -> tuple[bool, ...]:
    """The same by what each holds beside its context."""
    whole = [need_mib + CONTEXT_MIB for need_mib in needs_mib]
    if mode == "mig":
        rooms = (profile.memory_mib if profile else kind.memory_mib for profile in profiles)
        return tuple(need <= room for need, room in zip(whole, rooms, strict=True))
    room = kind.memory_mib or math.inf
    fits = []
    for need in whole:
        fits.append(need <= room)
        room -= need * fits[-1]
    return tuple(fits)


def fault_victims(mode: str, count: int, failing: int, fatal: bool = True) -> tuple[int, ...]:
    """Which of `count` residents die when resident `failing` does, itself included, ascending.

    A fatal fault (an illegal address, say) under MPS takes every client of the GPU down, because they share one
    context; under MIG and time-slicing only its own process. An error that is not fatal, such as an allocation that
    does not fit, or a client that exits, takes nobody else.
    """
    if not 0 <= failing < count:
        raise InputError(f"expected a resident from 0 to {count - 1}, got {failing}")
    return tuple(range(count)) if _mode(mode) == "mps" and fatal else (failing,)


@lru_cache(maxsize=2048)
def _mix(model: GpuModel, residents: tuple[Resident, ...], mode: Mode, laws: Laws) -> _Mix:
    _check(residents, mode)
    demands = [r.demand for r in residents]
    scaled = [d.duty * d.kappa for d in demands]
    return _Mix(
        stretch=_stretches(model, residents, mode, laws),
        scaled=tuple(scaled),
        default=tuple(_default_wall_s(model, d) for d in demands),
        sm=tuple((d.duty * d.u * (1.0 - d.kappa), s * d.u) for d, s in zip(demands, scaled, strict=True)),
        dram_j=tuple(d.duty * d.m * model.memory_w for d in demands),
    )


def _stretches(model: GpuModel, residents: tuple[Resident, ...], mode: Mode, laws: Laws) -> tuple[float, ...]:
    """Time of each at the greatest clock relative to alone on the whole GPU at that clock."""
    if mode == "mig":
        return tuple(_mig_stretch(model, r, laws.mig) for r in residents)
    limited, found = _presences(model, residents, mode)
    law, apart = (laws.mps, laws.mps_limited) if mode == "mps" else (laws.timeslice, None)
    return tuple([a * b for a, b in zip(limited, stretches(found, law, apart), strict=True)])


def _presences(
    model: GpuModel, residents: tuple[Resident, ...], mode: Mode
) -> tuple[Sequence[float], Sequence[Presence]]:
    """(time under its own limit of threads relative to none, how its neighbours feel it) of each."""
    limited = [thread_limit_stretch(model, r.demand, r.threads) if mode == "mps" else 1.0 for r in residents]
    return limited, [presence(model, r, mode, limit) for r, limit in zip(residents, limited, strict=True)]


def presence(model: GpuModel, resident: Resident, mode: Mode, limited: float = 1.0) -> Presence:
    """A resident as its neighbours feel it; `limited`: its time under its thread limit relative to none.

    Time-slicing gives the whole GPU to one context, so its time on the GPU counts; under MPS only the SMs in use do.
    """
    demand = resident.demand
    kernel_us = _kernel_us(resident)
    sm = max(demand.sm, LEAST_SM) if demand.sm > 0.0 else TYPICAL_SM
    if mode == "timeslice":
        return Presence(demand.duty, 1.0, kernel_us, demand.duty * demand.m)
    busy = demand.duty * sm
    longer = (limited - 1.0 + busy) / busy if busy > 0.0 else 1.0
    return Presence(
        busy=busy * longer / limited,
        fill=min(1.0, sm / resident.threads),
        kernel_us=kernel_us * longer,
        dram=demand.duty * demand.m / limited,
        threads=resident.threads,
        used=max(capacity_used(model, demand), LEAST_SM) / (resident.threads * limited),
    )


def _kernel_us(resident: Resident) -> float:
    return resident.kernel_us or kernel_length_us(resident.demand)


def _mig_stretch(model: GpuModel, resident: Resident, law: SliceLaw) -> float:
    profile, demand = resident.profile, resident.demand
    if profile is None:
        raise InputError("expected a MIG profile for every resident of a GPU in MIG mode")
    share = watts_share(model, demand)
    return slice_stretch(share, demand.duty * demand.m, profile.sm_share, profile.memory_share, law)


def _watts(model: GpuModel, mix: _Mix, index: int, chip: float) -> tuple[float, float, float]:
    """(context, SM, DRAM) watts at a clock: energy per unit of work times the rate of work."""
    stretch = model.stretch[index]
    sm_w = dram_w = 0.0
    for share, scaled, (fixed, grows), dram_j in zip(mix.stretch, mix.scaled, mix.sm, mix.dram_j, strict=True):
        speed = 1.0 / (share * (1.0 + scaled * (stretch - 1.0)))
        sm_w += speed * (fixed + grows * stretch)
        dram_w += speed * dram_j
    # rounding up of small residents must not carry the bandwidth above what the board has
    return model.context_w, sm_w * chip * model.core_w[index], min(dram_w, model.memory_w)


@lru_cache(maxsize=4096)
def _default_wall_s(model: GpuModel, demand: Demand) -> float:
    """Wall time alone at the default setting on a nominal chip, relative to the greatest clock."""
    load = load_of(model, (Phase("alone", 1.0, 1.0, demand),))
    index = max(0, highest_clock(model, load, len(model.clocks_mhz) - 1, model.default_cap_w))
    return load.wall_s(model.stretch[index])


def _bound(model: GpuModel, index: int, top: int) -> Bound:
    if index < 0:
        return "violated"
    if index < top:
        return "cap"
    return "none" if top == len(model.clocks_mhz) - 1 else "clock"


def _check(residents: tuple[Resident, ...], mode: str) -> None:
    _mode(mode)
    if any(not 0.0 < r.threads <= 1.0 for r in residents):
        raise InputError(f"expected thread shares above 0 and up to 1, got {[r.threads for r in residents]}")


def _mode(mode: str) -> str:
    if mode not in MODES:
        raise InputError(f"expected a way of sharing out of {', '.join(MODES)}, got {mode!r}")
    return mode
