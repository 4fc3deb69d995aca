"""The GPUs of an instance in the table of instances: what `board.Board` is for one object, compiled.

Clocks are not rounded to supported ones here; x is relative to the greatest.
"""

from __future__ import annotations

import math
from typing import Any

from goodwatt.power.gpu.model import CAP_KEPT
from goodwatt.power.gpu.point import REGULATION_S
from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.compiled import compiled

Entry = Any
"""Of the table of instances, see `tick_tables`."""
LEAST_X = 0.15
"""No kind has clocks below this share of its greatest."""


def put_board(one: Entry, board: Board) -> None:
    """Set what an instance's GPUs are set to."""
    model = board.model
    one["context_w"], one["memory_w"] = model.context_w, model.memory_w
    one["core_w"] = model.power.core_w * board.chip
    one["knee"], one["rise"] = model.power.knee_mhz / model.top_mhz, model.power.voltage_rise - 1.0
    one["kept_w"], one["top"], one["sharing"] = board.cap_w * CAP_KEPT, board.x_of(board.top), board.sharing
    one["x"] = min(one["x"], one["top"])


@compiled
def joules_of(one: Entry, sm_s: float, dram_s: float, x: float) -> float:
    """Of an iteration, above the context's watts."""
    voltage = 1.0 + one.rise * max(0.0, (x - one.knee) / (1.0 - one.knee))
    return one.core_w * voltage * voltage * sm_s + one.memory_w * dram_s


@compiled
def within(one: Entry, joules: float, wall_s: float, allowed_w: float) -> float:
    """Allowed over drawn watts above the context's."""
    return (allowed_w - one.context_w) * wall_s / joules


@compiled
def allowed_w(one: Entry, span_s: float, mean_w: float) -> float:
    """Watts for so long that bring the moving mean from `mean_w` to what the board keeps."""
    left = math.exp(-span_s / REGULATION_S)
    return one.kept_w + max(0.0, one.kept_w - mean_w) * left / (1.0 - left)


@compiled
def slower(one: Entry, x: float, room: float) -> float:
    """The next guess at the clock that draws what is allowed: watts go about with its square."""
    return min(max(x * math.sqrt(max(room, 0.0)), LEAST_X), one.top)
