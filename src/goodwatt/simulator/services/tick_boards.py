"""The GPUs of many instances as arrays: what `board.Board` is for one.

Clocks are not rounded to supported ones here; x is relative to the greatest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goodwatt.power.gpu.model import CAP_KEPT
from goodwatt.power.gpu.point import REGULATION_S
from goodwatt.power.serving.iteration_law import Cost
from goodwatt.simulator.services.board import Board

Floats = NDArray[np.float64]
Which = Any
"""Positions of instances, or a slice of them."""
ALL = slice(None)
LEAST_X = 0.15
"""No kind has clocks below this share of its greatest."""


class TickBoards:
    """`top`: the greatest clock allowed, `kept_w` what the board keeps of its cap, `sharing` by co-runners."""

    def __init__(self, boards: Sequence[Board]) -> None:
        def column(values: Any) -> Floats:
            return np.array(list(values), dtype=np.float64)

        models = [board.model for board in boards]
        self.context_w = column(model.context_w for model in models)
        self.memory_w = column(model.memory_w for model in models)
        self.kept_w = column(board.cap_w * CAP_KEPT for board in boards)
        self.top = column(board.x_of(board.top) for board in boards)
        self.sharing = column(board.sharing for board in boards)
        self._core_w = column(m.power.core_w * b.chip for m, b in zip(models, boards, strict=True))
        self._knee = column(model.power.knee_mhz / model.top_mhz for model in models)
        self._rise = column(model.power.voltage_rise - 1.0 for model in models)

    def joules(self, cost: Cost, x: Floats, which: Which = ALL) -> Floats:
        """Of an iteration, above the context's watts."""
        knee = self._knee[which]
        voltage = 1.0 + self._rise[which] * np.maximum(0.0, (x - knee) / (1.0 - knee))
        joules: Floats = self._core_w[which] * voltage * voltage * cost.sm_s + self.memory_w[which] * cost.dram_s
        return joules

    def within(self, joules: Floats, cost: Cost, allowed_w: Floats, which: Which = ALL) -> Floats:
        """Allowed over drawn watts above the context's."""
        room: Floats = (allowed_w - self.context_w[which]) * cost.wall_s / joules
        return room

    def allowed_w(self, span_s: Floats, mean_w: Floats, which: Which = ALL) -> Floats:
        """Watts for so long that bring the moving mean from `mean_w` to what the board keeps."""
        kept_w = self.kept_w[which]
        left = np.exp(-span_s / REGULATION_S)
        allowed: Floats = kept_w + np.maximum(0.0, kept_w - mean_w) * left / (1.0 - left)
        return allowed

    def slower(self, x: Floats, within: Floats, which: Which = ALL) -> Floats:
        """The next guess at the clock that draws what is allowed: watts go about with its square."""
        return np.minimum(np.maximum(x * np.sqrt(within), LEAST_X), self.top[which])
