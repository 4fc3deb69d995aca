"""Time and power of one GPU against its SM clock: what every reader of the physics computes with.

    x = f / f_max
    V(f) = 1 + (r - 1) max(0, (f - f_k) / (f_max - f_k))
    t(f) = (1 - kappa) + kappa / x
    P(f) = P_act + u A x V(f)^2 + m P_mem / t(f)
    cap: the greatest supported clock with P(f) <= 0.985 cap

f: SM clock; V: voltage relative to its floor, which holds up to the knee f_k; t: time on the GPU relative to the
greatest clock; A, P_act, P_mem, r, f_k: the kind's `PowerModel`; u, m, kappa: the workload's `Demand`. DRAM is read
as often as work is done, hence the 1 / t. A workload that is on the GPU a share d of its wall time draws P_act in the
gaps, which do not stretch with the clock: wall time d t(f) + (1 - d).

`gpu.point` finds where a GPU settles under a clock and a cap, `sharing` where several residents put it. How well the
formulas hold is printed by benchmarks/fidelity; the figures of a kind come from benchmarks/calibration.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from functools import cache

from goodwatt.cluster.gpu_kind import GpuKind, PowerModel
from goodwatt.errors import InputError
from goodwatt.power.workloads.demand import Demand

_CLOCK_SLACK_MHZ = 1.0
"""A clock written as a whole number means the supported one beside it: 1087 for 1087.5."""


CAP_KEPT = 0.985
"""Boards regulate a little below their cap. Mean draw of jobs that hold it, over the cap: 0.985 on A100-PCIE
(a100_rtxpro6000_clock_x_cap), 0.98 on H200 (h200_measured), 0.98 to 0.99 on V100 (zeus_power), 0.99 on B300
(b300_power), 1.00 on RTX PRO 6000."""


class GpuModel:
    """One kind's model, with tables over its supported clocks. Make it by `gpu_model`, which caches."""

    def __init__(self, kind: GpuKind, power: PowerModel) -> None:
        if kind.min_clock_mhz is None or kind.max_clock_mhz is None or kind.max_w is None or kind.idle_w is None:
            raise InputError(f"GPU kind {kind.name}: expected clocks, max_w and idle_w beside power_model")
        self.kind, self.power = kind, power
        self.idle_w = kind.idle_w
        self.context_w = power.context_w
        self.default_cap_w = kind.max_w
        """The cap of the default setting: the board's rated power."""
        self.clocks_mhz = _supported(kind.min_clock_mhz, kind.max_clock_mhz, power.clock_step_mhz)
        self.top_mhz = self.clocks_mhz[-1]
        self.stretch = tuple(self.top_mhz / clock for clock in self.clocks_mhz)
        """1 / x for each supported clock."""
        self.core_w = tuple(self.core_at(clock) for clock in self.clocks_mhz)
        """SM watts of activity 1 at each supported clock: A x V^2."""
        self.memory_w = power.memory_w

    def voltage(self, clock_mhz: float) -> float:
        """Relative to its floor."""
        knee = self.power.knee_mhz
        return 1.0 + (self.power.voltage_rise - 1.0) * max(0.0, (clock_mhz - knee) / (self.top_mhz - knee))

    def slowdown(self, demand: Demand, clock_mhz: float) -> float:
        """Wall time at a clock relative to the greatest one, gaps included; 1 or more."""
        return 1.0 + demand.duty * demand.kappa * (self.top_mhz / clock_mhz - 1.0)

    def watts(self, demand: Demand, clock_mhz: float, chip: float = 1.0) -> float:
        """Mean board watts at a clock, gaps included; `chip` scales the SM part."""
        on_gpu = 1.0 + demand.kappa * (self.top_mhz / clock_mhz - 1.0)
        sm_j = demand.u * self.core_at(clock_mhz) * chip * on_gpu
        dram_j = demand.m * self.memory_w
        return self.context_w + demand.duty * (sm_j + dram_j) / self.slowdown(demand, clock_mhz)

    def index_of(self, clock_mhz: float | None) -> int:
        """Position in `clocks_mhz` of the clock that a lock at `clock_mhz` gives; None means the greatest.

        It is the greatest supported clock that is not above; below all of them the lowest.
        """
        if clock_mhz is None:
            return len(self.clocks_mhz) - 1
        return max(0, bisect_right(self.clocks_mhz, clock_mhz + _CLOCK_SLACK_MHZ) - 1)

    def highest_within(self, watts_at: Callable[[int], float], cap_w: float, top: int) -> int:
        """Position of the greatest clock up to `top` at which the board holds the cap; -1 if none does.

        `watts_at` takes positions in `clocks_mhz` and must not fall as they rise. What keeps within `CAP_KEPT` of the
        cap holds it; the lowest clock holds it up to the whole cap.
        """
        kept_w = cap_w * CAP_KEPT
        if watts_at(top) <= kept_w:
            return top
        low, high = -1, top  # low fits, high does not
        while high - low > 1:
            middle = (low + high) // 2
            if watts_at(middle) <= kept_w:
                low = middle
            else:
                high = middle
        return 0 if low < 0 and watts_at(0) <= cap_w else low

    def core_at(self, clock_mhz: float) -> float:
        """SM watts of activity 1 at any clock: A x V^2."""
        return self.power.core_w * clock_mhz / self.top_mhz * self.voltage(clock_mhz) ** 2


@cache
def gpu_model(kind: GpuKind) -> GpuModel:
    """The model of a kind. Raises InputError if nothing but its name is known."""
    if kind.power_model is None:
        raise InputError(f"GPU kind {kind.name}: its power model is unknown")
    return GpuModel(kind, kind.power_model)


def _supported(low_mhz: float, high_mhz: float, step_mhz: float) -> tuple[float, ...]:
    """Clocks from the greatest down in equal steps, ascending; the lowest is supported whatever the step."""
    steps = math.ceil((high_mhz - low_mhz) / step_mhz - 1e-9)
    return (float(low_mhz), *(high_mhz - step_mhz * i for i in range(steps - 1, -1, -1)))
