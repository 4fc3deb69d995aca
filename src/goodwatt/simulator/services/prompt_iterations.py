"""Which prompts are computed in which iterations of a tick, and when they are done.

An iteration takes from those who had come when it began, first come first served, until its budget of tokens is full;
the next begins when it ends. A prompt that does not fit into what is left goes on in the next. Each token makes an
iteration `token_s` longer than the `each_s` that it takes without prompts. Iterations that begin in the tick are made
here; what is left of a prompt then is computed in the next tick.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goodwatt.simulator.services.made_iterations import Stretches

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Prompts = Floats
"""Rows: tokens, cache tokens it takes if it begins now, arrival, when an iteration could begin if only decoding went
on, seconds for each token; a column for each prompt, by instance and in order."""


class Lines(NamedTuple):
    """Instances at the beginning of a tick: free of prompts at `free_s`, decoding at `each_s` an iteration; what an
    iteration may take, cache tokens and seats that are left. One that is `empty` takes the first whatever its length.
    """

    free_s: Floats
    each_s: Floats
    budget: Floats
    room: Floats
    seats: Floats
    empty: NDArray[np.bool_]


class Plan(NamedTuple):
    """`done_s`, `left` of each prompt: when it is done (infinite: not in this tick), tokens left (NaN: not planned).

    `iterations`: those with prompts, of each instance in order.
    """

    done_s: Floats
    left: Floats
    iterations: Stretches


def plan_alone(lines: Lines, positions: Ints, prompts: Prompts, until_s: float) -> Plan:
    """Plan the prompts that are the only ones of their instance and need but one iteration."""
    tokens, need, arrival_s, ready_s, token_s = prompts
    free_s, each_s = lines.free_s[positions], lines.each_s[positions]
    begin_s = np.where(arrival_s <= free_s, free_s, np.maximum(ready_s, free_s))
    same = positions[1:] == positions[:-1]
    alone = (tokens <= lines.budget[positions]) & (begin_s < until_s)
    alone[1:] &= ~same
    alone[:-1] &= ~same
    alone &= (need == 0.0) | lines.empty[positions] | ((need <= lines.room[positions]) & (lines.seats[positions] >= 1))
    end_s = begin_s + each_s + tokens * token_s
    count = np.ones(int(alone.sum()))
    return Plan(
        np.where(alone, end_s, np.inf),
        np.where(alone, 0.0, np.nan),
        Stretches(positions[alone], begin_s[alone], end_s[alone], count),
    )


def plan_in_turn(plan: Plan, lines: Lines, positions: Ints, prompts: Prompts, rest: Ints, until_s: float) -> Plan:
    """The same with the prompts at `rest`, whose instances have several or too little room."""
    here = positions[rest]
    table = list(zip(*prompts[:, rest].tolist(), strict=True))
    edges = ((here[1:] != here[:-1]).nonzero()[0] + 1).tolist()
    columns = [column[here].tolist() for column in lines]
    made = _Made([], [], [], [], [])
    for low, high in itertools.pairwise([0, *edges, len(rest)]):
        line = (int(here[low]), *[column[low] for column in columns])
        _compute(made, line, table[low:high], until_s)
    plan.done_s[rest], plan.left[rest] = made.done_s, made.left
    more = Stretches(
        np.array(made.positions, dtype=np.int64), np.array(made.begin_s), np.array(made.end_s), np.ones(len(made.end_s))
    )
    return plan._replace(iterations=plan.iterations.followed_by(more))


class _Made(NamedTuple):
    done_s: list[float]
    left: list[float]
    positions: list[int]
    begin_s: list[float]
    end_s: list[float]


def _compute(made: _Made, line: tuple[float, ...], prompts: list[tuple[float, ...]], until_s: float) -> None:
    """The prompts of one instance, in order of arrival; a loop without calls, because every request passes it."""
    position, end_s, each_s, budget, room, seats, empty = line
    begin_s, used, stopped = -math.inf, math.inf, False
    members: list[int] = []
    for tokens, need, arrival_s, ready_s, token_s in prompts:
        stopped = stopped or (need > 0.0 and not empty and (need > room or seats < 1.0))
        left = tokens
        if not stopped:
            next_s = end_s if arrival_s <= end_s or ready_s < end_s else ready_s
            joins = arrival_s <= begin_s and used < budget
            while left > 0.0 and (joins or next_s < until_s):
                if not joins:
                    begin_s, end_s, used, members = next_s, next_s + each_s, 0.0, []
                    made.positions.append(int(position))
                    made.begin_s.append(begin_s)
                    made.end_s.append(end_s)
                share = min(left, budget - used)
                used += share
                left -= share
                end_s += share * token_s
                made.end_s[-1] = end_s
                for member in members:
                    made.done_s[member] = end_s
                joins, next_s = False, end_s
            if left < tokens and need > 0.0:
                room, seats, empty = room - need, seats - 1.0, False
            stopped = left > 0.0
        made.left.append(left)
        made.done_s.append(math.inf if stopped else end_s)
        if not stopped:
            members.append(len(made.done_s) - 1)
