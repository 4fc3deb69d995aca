"""The GPUs of one instance as its iterations meet them: clock, cap, co-runners, and what regulates them.

A board regulates the mean of its power over about 0.2 s (see `power.gpu.point`). So an iteration may draw more than the
cap as long as those before it drew less: the greatest clock is taken with which the moving mean keeps the cap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from goodwatt.power.gpu.model import CAP_KEPT, GpuModel
from goodwatt.power.gpu.point import REGULATION_S
from goodwatt.power.serving.iteration_law import Cost

CostAt = Callable[[float], Cost]
"""The cost of what is to be done at a clock relative to the greatest."""


class Ran(NamedTuple):
    """What was done, at which clock (position in `GpuModel.clocks_mhz`) and with how many watts a GPU."""

    cost: Cost
    clock: int
    watts: float


class Setting(NamedTuple):
    """What others decide of a board: see `Board`."""

    top: int
    cap_w: float
    sharing: float


SPENT = ("joules", "wall_s", "gpu_s", "scaled_s", "sm_s", "dram_s", "iterations")
"""What of `Spent` stands in which column where it is a table."""


class Spent:
    """What iterations took since this was last emptied.

    `joules` of one GPU above its context's watts; `wall_s` from iteration to iteration, `gpu_s` of it with a kernel,
    `scaled_s` following the clock; `sm_s`, `dram_s` as in `Cost`; `iterations`.
    """

    __slots__ = ("dram_s", "gpu_s", "iterations", "joules", "scaled_s", "sm_s", "wall_s")

    def __init__(self) -> None:
        self.joules = self.wall_s = self.gpu_s = self.scaled_s = self.sm_s = self.dram_s = 0.0
        self.iterations = 0

    def copy(self) -> Spent:
        """An independent copy."""
        twin = Spent()
        for name in Spent.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin

    def add(self, cost: Cost, watts: float, times: int) -> None:
        """So many iterations of this mean cost, at `watts` above the context's."""
        self.joules += watts * cost.wall_s * times
        self.wall_s += cost.wall_s * times
        self.gpu_s += cost.gpu_s * times
        self.scaled_s += cost.scaled_s * times
        self.sm_s += cost.sm_s * times
        self.dram_s += cost.dram_s * times
        self.iterations += times


class Board:
    """One GPU of an instance; the others do the same.

    `top`: position of the greatest clock that is allowed, `cap_w`: the cap, `sharing`: how much longer co-runners make
    its kernels, `mean_w`: the moving mean of its power. `chip` scales the SM watts of this very board.
    """

    __slots__ = ("cap_w", "chip", "mean_w", "model", "sharing", "top")

    def __init__(self, model: GpuModel, chip: float = 1.0) -> None:
        self.model, self.chip, self.sharing = model, chip, 1.0
        self.top, self.cap_w = len(model.clocks_mhz) - 1, model.default_cap_w
        self.mean_w = model.context_w

    @property
    def setting(self) -> Setting:
        """What others decide of it."""
        return Setting(self.top, self.cap_w, self.sharing)

    def find(self, cost_at: CostAt, times: int = 1) -> Ran:
        """Something done so often, at the greatest clock that the cap allows."""
        ran = self._at(cost_at, self.top)
        return ran if ran.watts <= self._allowed_w(ran.cost.wall_s * times) else self._slower(cost_at, times)

    def spend(self, watts: float, span_s: float) -> None:
        """So many watts were drawn for so long."""
        self.mean_w += (watts - self.mean_w) * -math.expm1(-span_s / REGULATION_S)

    def rest(self, span_s: float) -> None:
        """Nothing runs for so long."""
        self.spend(self.model.context_w, span_s)

    def copy(self) -> Board:
        """An independent copy."""
        twin = Board(self.model, self.chip)
        twin.top, twin.cap_w, twin.sharing, twin.mean_w = self.top, self.cap_w, self.sharing, self.mean_w
        return twin

    def x_of(self, clock: int) -> float:
        """The clock relative to the greatest."""
        return self.model.clocks_mhz[clock] / self.model.top_mhz

    def watts(self, cost: Cost, clock: int) -> float:
        """Mean over an iteration of this cost at this clock."""
        model = self.model
        core_w = model.core_w[clock] * model.stretch[clock] * self.chip
        return model.context_w + float((core_w * cost.sm_s + model.memory_w * cost.dram_s) / cost.wall_s)

    def _at(self, cost_at: CostAt, clock: int) -> Ran:
        cost = cost_at(self.x_of(clock))
        return Ran(cost, clock, self.watts(cost, clock))

    def _allowed_w(self, span_s: float) -> float:
        """Watts for so long that bring the moving mean to what the board keeps."""
        kept_w = self.cap_w * CAP_KEPT
        left = math.exp(-span_s / REGULATION_S)
        return kept_w + max(0.0, kept_w - self.mean_w) * left / (1.0 - left)

    def _slower(self, cost_at: CostAt, times: int) -> Ran:
        low, high, best = 0, self.top, None
        while low < high:
            middle = (low + high) // 2
            ran = self._at(cost_at, middle)
            if ran.watts <= self._allowed_w(ran.cost.wall_s * times):
                low, best = middle + 1, ran
            else:
                high = middle
        return best or self._at(cost_at, 0)
