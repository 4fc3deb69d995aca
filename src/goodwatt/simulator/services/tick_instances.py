"""The state of many instances as arrays, by position; and the pace at which they decode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goodwatt.power.serving.iteration_law import Cost, IterationLaw
from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.made_iterations import Stretches
from goodwatt.simulator.services.serving import Serving
from goodwatt.simulator.services.stacked_laws import StackedLaws
from goodwatt.simulator.services.tick_boards import TickBoards

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
GUESSES = 2
"""How often a clock under a cap is guessed better; the guess of the last tick is the first."""


CLOSE = 0.995
"""Allowed over drawn watts, of 1, from which on a clock need not be guessed better."""


class Pace(NamedTuple):
    """Of an iteration that only decodes, by instance: its cost, and joules above the context's watts."""

    cost: Cost
    joules: Floats


@dataclass(slots=True)
class State:
    """One number for each instance.

    `batch` sequences decode; `held`: see `tick_tables`; `count` of iterations; `last_due`: the greatest count with
    which one of them ends; `reserved` cache tokens of those being computed, who are `opened`. `begin_s`, `end_s`: the
    last iteration with prompts. `x`: the clock of decoding relative to the greatest.
    """

    service: Ints
    batch: Floats
    held: Floats
    count: Floats
    last_due: Floats
    reserved: Floats
    opened: Floats
    begin_s: Floats
    end_s: Floats
    x: Floats
    mean_w: Floats


class TickInstances:
    """`state`, and what follows from services and boards."""

    def __init__(self, servings: Sequence[Serving]) -> None:
        self.laws = StackedLaws([serving.law for serving in servings])
        self._batchings = [serving.batching for serving in servings]
        self.state = State(np.zeros(0, dtype=np.int64), *(np.zeros(0) for _ in range(10)))
        self.boards_of: list[Board] = []
        self.context = np.zeros(0)
        """Tokens in the cache of sequences that decode, at the beginning of the tick."""
        self._restack()

    def __len__(self) -> int:
        return len(self.boards_of)

    def add(self, service: int, board: Board, now_s: float) -> int:
        """One more; its position."""
        fresh = (service, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -np.inf, now_s, 1.0, board.model.context_w)
        for name, value in zip(State.__slots__, fresh, strict=True):
            column = getattr(self.state, name)
            setattr(self.state, name, np.append(column, column.dtype.type(value)))
        self.boards_of.append(board)
        self.stale = True
        return len(self.boards_of) - 1

    def copy(self) -> TickInstances:
        """An independent copy."""
        twin = object.__new__(TickInstances)
        twin.__dict__.update(self.__dict__)
        twin.state = State(*[getattr(self.state, name).copy() for name in State.__slots__])
        twin.boards_of = [board.copy() for board in self.boards_of]
        twin._restack()
        return twin

    def remove(self, position: int) -> None:
        """One is gone; those behind it move up."""
        for name in State.__slots__:
            setattr(self.state, name, np.delete(getattr(self.state, name), position))
        del self.boards_of[position]
        self.stale = True

    def begin(self) -> None:
        """A tick begins."""
        if self.stale:
            self._restack()
        self.context = self.state.held + self.state.batch * self.state.count

    def pace(self) -> Pace:
        """Of decoding, at the clock that holds the cap."""
        state, boards, context = self.state, self.boards, self.context
        batch = np.maximum(state.batch, 1.0)
        for _ in range(GUESSES):
            cost = self.law.cost(batch, context, batch, context, state.x, boards.sharing)
            joules = boards.joules(cost, state.x)
            within = boards.within(joules, cost, boards.kept_w)
            if not ((within < CLOSE) | ((within > 2.0 - CLOSE) & (state.x < boards.top))).any():
                break
            state.x = boards.slower(state.x, within)
        return Pace(cost, joules)

    def under_way(self, now_s: float) -> Stretches:
        """Iterations with prompts that began before now and go on."""
        state = self.state
        positions = np.flatnonzero(state.end_s > now_s)
        begin_s, end_s = state.begin_s[positions], state.end_s[positions]
        share = (end_s - now_s) / (end_s - begin_s)
        return Stretches(positions, np.full(len(positions), now_s), end_s, share)

    def note_last(self, iterations: Stretches) -> None:
        """These were made, by instance and in order."""
        self.state.begin_s[iterations.positions] = iterations.begin_s
        self.state.end_s[iterations.positions] = iterations.end_s

    def law_of(self, positions: Ints) -> IterationLaw:
        """The laws of some instances, one for each entry."""
        return self.laws.of(self.state.service[positions])

    def _restack(self) -> None:
        service = self.state.service
        self.law = self.laws.of(service)
        self.boards = TickBoards(self.boards_of)
        self.state.x = np.minimum(self.state.x, self.boards.top)
        self.kv_tokens, self.most, self.budget = (
            np.array([getattr(batching, name) for batching in self._batchings])[service]
            for name in ("kv_tokens", "most", "budget")
        )
        self.stale = False
