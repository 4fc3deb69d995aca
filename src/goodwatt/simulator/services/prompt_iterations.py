"""Which prompts are computed in which iterations of a tick, and when they are done.

An iteration takes from those who had come when it began, first come first served, until its budget of tokens is full;
the next begins when it ends. A prompt that does not fit into what is left goes on in the next. Each token makes an
iteration `token_s` longer than the `each_s` that it takes without prompts. Iterations that begin in the tick are made
here; what is left of a prompt then is computed in the next tick.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

Prompt = tuple[float, float, float, float, float]
"""(tokens, cache tokens it takes if it begins now, arrival, when an iteration could begin if only decoding went on,
seconds for each token)."""


class Line(NamedTuple):
    """An instance at the beginning of a tick: free of prompts at `free_s`, decoding at `each_s` an iteration; what an
    iteration may take, cache tokens and seats that are left. One that is `empty` takes the first whatever its length.
    """

    position: int
    free_s: float
    each_s: float
    budget: float
    room: float
    seats: float
    empty: bool = False


@dataclass(slots=True)
class Plan:
    """`done_s`, `left`: of each prompt, in the order given: when it is done (infinite: not in this tick), tokens left.

    `positions`, `begin_s`, `end_s`: the iterations with prompts, by instance and in order.
    """

    done_s: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    begin_s: list[float] = field(default_factory=list)
    end_s: list[float] = field(default_factory=list)

    def compute(self, line: Line, prompts: Iterable[Prompt], until_s: float) -> None:
        """Add the prompts of one instance, in order of arrival."""
        iteration = _Iteration(self, line)
        room, seats, stopped = line.room, line.seats, False
        if line.empty:
            room = math.inf
        for tokens, need, arrival_s, ready_s, token_s in prompts:
            stopped = stopped or (need > 0.0 and (need > room or seats < 1.0))
            left = tokens if stopped else iteration.take(tokens, arrival_s, ready_s, token_s, until_s)
            stopped = left > 0.0
            if left < tokens and need > 0.0:
                room = min(room, line.room) - need
                seats -= 1.0
            self.left.append(left)
            self.done_s.append(math.inf if stopped else iteration.end_s)
            if not stopped:
                iteration.members.append(len(self.done_s) - 1)


class _Iteration:
    """The last iteration of an instance, as far as it is filled."""

    __slots__ = ("begin_s", "end_s", "members", "plan", "used", "_line")

    def __init__(self, plan: Plan, line: Line) -> None:
        self.plan, self._line = plan, line
        self.begin_s, self.end_s, self.used = -math.inf, line.free_s, math.inf
        self.members = list[int]()

    def take(self, tokens: float, arrival_s: float, ready_s: float, token_s: float, until_s: float) -> float:
        """Compute what iterations that begin in time can of a prompt; the tokens that are left."""
        begin_s = self.end_s if arrival_s <= self.end_s else max(ready_s, self.end_s)
        joins = arrival_s <= self.begin_s and self.used < self._line.budget
        while tokens > 0.0:
            if not joins:
                if begin_s >= until_s:
                    break
                self._open(begin_s)
            share = min(tokens, self._line.budget - self.used)
            self._fill(share, token_s)
            tokens -= share
            joins, begin_s = False, self.end_s
        return tokens

    def _open(self, begin_s: float) -> None:
        self.begin_s, self.end_s, self.used = begin_s, begin_s + self._line.each_s, 0.0
        self.members = []
        plan = self.plan
        plan.positions.append(self._line.position)
        plan.begin_s.append(begin_s)
        plan.end_s.append(self.end_s)

    def _fill(self, tokens: float, token_s: float) -> None:
        self.used += tokens
        self.end_s += tokens * token_s
        self.plan.end_s[-1] = self.end_s
        for member in self.members:
            self.plan.done_s[member] = self.end_s
