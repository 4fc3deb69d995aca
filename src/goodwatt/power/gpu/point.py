"""Where one GPU settles: clock, watts and speed of a workload that is alone on it, under a locked clock and a cap.

A cap bounds a mean: the board regulates over about 0.2 s (measured on H200: a GEMM from idle draws 963 W under a
700 W cap for its first 100 ms, then keeps to it). So phases that repeat faster than that are capped together, longer
ones each for itself. A cap that even the lowest clock exceeds is violated, and said to be; it is never met silently.
Sharing a GPU is `sharing`, the overshoot before the regulation is `transient`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.workloads.demand import DEFAULT_SETTING, Setting
from goodwatt.power.workloads.workload import Phase

REGULATION_S = 0.2
"""h200_measured, ramp.csv.gz: within it the board holds its cap again."""

Bound = Literal["none", "clock", "cap", "violated"]


class GpuPoint(NamedTuple):
    """Where a GPU settles.

    `clock_mhz` and `watts` are means over time. `speeds`: of each resident, relative to alone at the default setting
    on a nominal chip of the kind. `bound_by`: the locked clock, the cap, a cap that cannot be met, or nothing.
    `idle_w`, `context_w` (on top of idle), `sm_w`, `dram_w` are the parts of `watts`, which is their sum.
    """

    clock_mhz: float
    watts: float
    speeds: tuple[float, ...]
    bound_by: Bound
    idle_w: float
    context_w: float
    sm_w: float
    dram_w: float


class Load(NamedTuple):
    """Phases added up for one kind of GPU, as energies and times of one second at the greatest clock.

    At 1/x = s it takes `fixed_s + scaled_s * s`; its SM energy per watt of the clock's `core_w` is
    `sm_fixed + sm_scaled * s`, its DRAM energy `dram_j` at any clock.
    """

    fixed_s: float
    scaled_s: float
    sm_fixed: float
    sm_scaled: float
    dram_j: float

    def wall_s(self, stretch: float) -> float:
        """Wall time at 1/x."""
        return self.fixed_s + self.scaled_s * stretch


def alone_point(
    model: GpuModel, phases: tuple[Phase, ...], setting: Setting = DEFAULT_SETTING, chip: float = 1.0
) -> GpuPoint:
    """The point of a workload that has the GPU to itself; `chip` scales the SM watts of this very board."""
    return point_of_loads(model, *capped_loads(model, phases), setting, chip)


def point_of_loads(
    model: GpuModel, loads: tuple[Load, ...], default_s: float, setting: Setting, chip: float
) -> GpuPoint:
    """The same from what `capped_loads` gives, for whoever asks of one workload again and again."""
    top = model.index_of(setting.clock_mhz)
    cap_w = model.default_cap_w if setting.cap_w is None else setting.cap_w
    total_s = sm_j = dram_j = clock = 0.0
    bound: Bound = "none" if top == len(model.clocks_mhz) - 1 else "clock"
    for load in loads:
        index = highest_clock(model, load, top, cap_w, chip)
        bound = _worse(bound, index, top)
        index = max(index, 0)
        stretch = model.stretch[index]
        wall_s = load.wall_s(stretch)
        total_s += wall_s
        clock += wall_s * model.clocks_mhz[index]
        sm_j += chip * model.core_w[index] * (load.sm_fixed + load.sm_scaled * stretch)
        dram_j += load.dram_j
    sm_w, dram_w = sm_j / total_s, dram_j / total_s
    return GpuPoint(
        clock_mhz=clock / total_s,
        watts=model.context_w + sm_w + dram_w,
        speeds=(default_s / total_s,),
        bound_by=bound,
        idle_w=model.idle_w,
        context_w=model.context_w - model.idle_w,
        sm_w=sm_w,
        dram_w=dram_w,
    )


def idle_point(model: GpuModel) -> GpuPoint:
    """The point of a GPU on which no process holds a context."""
    lowest = model.clocks_mhz[0]
    return GpuPoint(lowest, model.idle_w, (), "none", idle_w=model.idle_w, context_w=0.0, sm_w=0.0, dram_w=0.0)


def load_of(model: GpuModel, phases: Iterable[Phase]) -> Load:
    """Phases added up, each with the weight of its share of the wall time."""
    fixed, scaled, sm_fixed, sm_scaled, dram = [], [], [], [], []
    for phase in phases:
        share, d = phase.share, phase.demand
        follows = share * d.duty * d.kappa
        fixed.append(share * (1.0 - d.duty * d.kappa))
        scaled.append(follows)
        sm_fixed.append(share * d.duty * d.u * (1.0 - d.kappa))
        sm_scaled.append(follows * d.u)
        dram.append(share * d.duty * d.m)
    fsum = math.fsum
    return Load(fsum(fixed), fsum(scaled), fsum(sm_fixed), fsum(sm_scaled), model.memory_w * fsum(dram))


def highest_clock(model: GpuModel, load: Load, top: int, cap_w: float, chip: float = 1.0) -> int:
    """Position of the greatest clock up to `top` at which the load keeps within the cap; -1 if none."""
    stretches, core_w, context_w = model.stretch, model.core_w, model.context_w

    def watts_at(index: int) -> float:
        stretch = stretches[index]
        sm_j = chip * core_w[index] * (load.sm_fixed + load.sm_scaled * stretch)
        return context_w + (sm_j + load.dram_j) / (load.fixed_s + load.scaled_s * stretch)

    return model.highest_within(watts_at, cap_w, top)


def _worse(bound: Bound, index: int, top: int) -> Bound:
    if index < 0:
        return "violated"
    return "cap" if index < top and bound != "violated" else bound


@lru_cache(maxsize=1024)
def capped_loads(model: GpuModel, phases: tuple[Phase, ...]) -> tuple[tuple[Load, ...], float]:
    """(what each cap bounds for itself, wall time of it all at the default setting on a nominal chip)."""
    present = [phase for phase in phases if phase.share > 0.0]
    short = [phase for phase in present if phase.length_s < REGULATION_S]
    groups = [short] * bool(short) + [[phase] for phase in present if phase.length_s >= REGULATION_S]
    loads = tuple(load_of(model, group) for group in groups)
    top = len(model.clocks_mhz) - 1
    indices = (max(0, highest_clock(model, load, top, model.default_cap_w)) for load in loads)
    return loads, math.fsum(load.wall_s(model.stretch[i]) for load, i in zip(loads, indices, strict=True))
