"""The state of many instances as a table, by position; and the pace at which they decode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.compiled import compiled
from goodwatt.simulator.services.serving import Serving
from goodwatt.simulator.services.tick_boards import joules_of, put_board, slower, within
from goodwatt.simulator.services.tick_law import iteration_cost, table_of
from goodwatt.simulator.services.tick_tables import INSTANCE, Table

GUESSES = 2
"""How often a clock under a cap is guessed better; the guess of the last tick is the first."""
CLOSE = 0.995
"""Allowed over drawn watts, of 1, from which on a clock need not be guessed better."""


class TickInstances:
    """`table`: an entry for each; `laws` by service."""

    def __init__(self, servings: Sequence[Serving]) -> None:
        self.laws = table_of([serving.law for serving in servings])
        self._batchings = [serving.batching for serving in servings]
        self.table = np.zeros(0, dtype=INSTANCE)
        self.boards_of: list[Board] = []
        self._stale: set[int] = set()

    def __len__(self) -> int:
        return len(self.boards_of)

    @property
    def service(self) -> NDArray[np.int64]:
        """By position."""
        service: NDArray[np.int64] = self.table["service"]
        return service

    def add(self, service: int, board: Board, now_s: float) -> int:
        """One more; its position."""
        entry, batching = np.zeros(1, dtype=INSTANCE), self._batchings[service]
        for name in ("kv_tokens", "most", "budget"):
            entry[name] = getattr(batching, name)
        entry["service"], entry["begin_s"], entry["end_s"] = service, -np.inf, now_s
        entry["x"], entry["moving_w"], entry["moved_s"] = 1.0, board.model.context_w, now_s
        self.table = np.concatenate([self.table, entry])
        self.boards_of.append(board)
        self._stale.add(len(self.boards_of) - 1)
        return len(self.boards_of) - 1

    def board(self, position: int) -> Board:
        """To be set; it counts from the next tick."""
        self._stale.add(position)
        return self.boards_of[position]

    def copy(self) -> TickInstances:
        """An independent copy."""
        twin = object.__new__(TickInstances)
        twin.__dict__.update(self.__dict__)
        twin.table = self.table.copy()
        twin.boards_of = [board.copy() for board in self.boards_of]
        twin._stale = set(self._stale)
        return twin

    def remove(self, position: int) -> None:
        """One is gone; those behind it move up."""
        self._settle_boards()
        self.table = np.delete(self.table, position)
        del self.boards_of[position]

    def begin(self) -> None:
        """A tick begins: the pace of decoding follows from what is in the caches."""
        self._settle_boards()
        set_pace(self.table, self.laws)

    def _settle_boards(self) -> None:
        for position in self._stale:
            put_board(self.table[position], self.boards_of[position])
        self._stale.clear()


@compiled
def set_pace(table: Table, laws: Any) -> None:
    """What an iteration that only decodes costs each instance, at the clock that holds its cap."""
    for one in table:
        one.context = one.held + one.batch * one.count
        batch, law = max(one.batch, 1.0), laws[one.service]
        for _ in range(GUESSES):
            cost = iteration_cost(law, batch, one.context, batch, one.context, one.x, one.sharing)
            joules = joules_of(one, cost.sm_s, cost.dram_s, one.x)
            one.wall_s, one.gpu_s, one.scaled_s, one.sm_s, one.dram_s = cost
            one.joules = joules
            room = within(one, joules, cost.wall_s, one.kept_w)
            if not (room < CLOSE or (room > 2.0 - CLOSE and one.x < one.top)):
                break
            one.x = slower(one, one.x, room)
