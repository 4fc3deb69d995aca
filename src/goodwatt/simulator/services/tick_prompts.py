"""The prompts of a tick: what is computed of whom in which iterations, and what that takes; compiled.

An iteration takes from those who had come when it began, first come first served, until its budget of tokens is full;
the next begins when it ends. A prompt that does not fit into what is left goes on in the next. Each token makes an
iteration longer than one that only decodes by what it costs at the clock that the cap allows. Iterations that begin in
the tick are made here; what is left of a prompt then is computed in the next tick.
"""

from __future__ import annotations

import math

from goodwatt.power.gpu.point import REGULATION_S
from goodwatt.simulator.services.compiled import compiled
from goodwatt.simulator.services.made_iterations import made_at, time_when
from goodwatt.simulator.services.request_instance import WATERMARK
from goodwatt.simulator.services.tick_boards import Entry, allowed_w, joules_of, slower, within
from goodwatt.simulator.services.tick_law import iteration_cost
from goodwatt.simulator.services.tick_tables import Ends, Table

MORE_GUESSES = 5
"""How often the clock of a prompt under a cap is guessed better; there is no guess of the last tick."""
CLOSE = 0.99
"""Allowed over drawn watts from which on the clock is left as it is."""
GOLDEN = 0.6180339887498949
"""Multiples of it fill the unit interval evenly: how far an iteration is when a request comes."""
LEAST_TOKEN_S = 1e-9
STAYS, LEAVES = 0.0, 1.0
"""In `held`, which says nothing of requests that do not decode yet: whether their end in the tick has been counted."""
Extra = tuple[float, float, float, float, float, float]
"""Wall time, GPU time, what of the wall time follows the clock, SM and DRAM seconds, joules."""


@compiled
def compute_prompts(
    table: Table, laws: Table, rows: Table, ends: Ends, stretches: Table, spent: Table, span: tuple[float, float],
    number: int,
) -> None:  # fmt: skip
    """What iterations that begin in the tick compute of `rows`, which stand by instance in order of arrival.

    `rows` get what is left and, where they are done, in `due` when. `stretches[first:last]` of an
    instance are its iterations with prompts, cut to the tick, `first` and `last` are written into its entry. `spent`
    gets what they take beyond iterations that would only decode. `number` of rows seen before this tick.
    """
    from_s, until_s = span
    low, at = 0, 0
    for i in range(len(table)):
        one = table[i]
        one.first = at
        if one.end_s > from_s:
            stretches[at].begin_s, stretches[at].end_s = from_s, one.end_s
            stretches[at].iterations = (one.end_s - from_s) / (one.end_s - one.begin_s)
            at += 1
        high = low
        while high < len(rows) and rows[high].position == i:
            high += 1
        if high > low:
            at = _compute(one, laws[one.service], rows[low:high], ends, stretches, at, spent[i], span, number + low)
            low = high
        one.last = at
        if at > one.first and stretches[at - 1].end_s > until_s:
            last = stretches[at - 1]
            last.iterations *= (until_s - last.begin_s) / (last.end_s - last.begin_s)
            last.end_s = until_s


@compiled
def _compute(
    one: Entry, law: Entry, rows: Table, ends: Ends, stretches: Table, at: int, spent: Table,
    span: tuple[float, float], number: int,
) -> int:  # fmt: skip
    """The prompts of one instance; how many stretches there are then."""
    from_s, until_s = span
    _begin_line(one, rows)
    for r in range(len(rows)):
        row = rows[r]
        joins = row.arrival_s <= one.begin_s and one.used < one.line_budget
        next_s = _next_s(one, row, from_s, number + r)
        if not _has_room(one, row):
            joins, next_s = False, max(next_s, _room_s(one, rows, r, ends, stretches[one.first : at], from_s))
        if not (joins or next_s < until_s):
            break  # and those behind wait, too
        chunk = max(row.left / math.ceil(row.left / one.line_budget), min(one.piled, one.line_budget))
        _rest(one, next_s)
        extra, watts = _extra(one, law, row, chunk, until_s - from_s)
        left = row.left
        at = _fill(one, rows, r, stretches, at, max(extra[0], LEAST_TOKEN_S) / chunk, joins, next_s, until_s)
        _account(one, row, left, chunk, extra, spent)
        _draw(one, watts)
        if row.left > 0.0:
            break
        row.due = one.end_s
    return at


@compiled
def _begin_line(one: Entry, rows: Table) -> None:
    """Nothing has been computed in this tick; `piled` tokens had come before the last iteration with prompts ended, and
    there is room for them."""
    one.piled = 0.0
    one.room = one.kv_tokens * (1.0 - WATERMARK) - one.context - one.reserved - one.batch
    one.inside = one.batch + one.opened
    one.line_budget, one.used, one.member = max(1.0, one.budget - one.batch), math.inf, 0
    room, seats = one.room, one.most - one.inside
    for row in rows:
        row.held = STAYS
        if _need(row) > 0.0:
            room, seats = room - row.left, seats - 1.0
        if row.arrival_s < one.end_s and room >= 0.0 and seats >= 0.0:
            one.piled += row.left


@compiled
def _has_room(one: Entry, row: Entry) -> bool:
    """Whether a request may be computed; an instance that is empty takes the first whatever its length."""
    need = _need(row)
    return need == 0.0 or one.inside == 0.0 or (need <= one.room and one.inside + 1.0 <= one.most)


@compiled
def _room_s(one: Entry, rows: Table, r: int, ends: Ends, stretches: Table, from_s: float) -> float:
    """When so many sequences have ended that there is room for a request; infinite if not in this tick.

    Those that decode since before the tick, and `rows` before it whose prompts are done.
    """
    room_s = math.inf
    while not _has_room(one, rows[r]):
        count, first = math.inf, -1
        for k in range(r):
            if rows[k].left == 0.0 and rows[k].held == STAYS:
                due = made_at(stretches, from_s, one.wall_s, rows[k].due) + rows[k].owed - 1.0
                count, first = (due, k) if due < count else (count, first)
        if one.next_end < one.last_end and ends.due[one.next_end] - one.count <= count:
            count, first = ends.due[one.next_end] - one.count, -1
        if count == math.inf:
            return math.inf
        room_s = time_when(stretches, from_s, one.wall_s, count)
        one.inside -= 1.0
        if first < 0:
            one.room += ends.tokens[one.next_end]
            one.next_end += 1
        else:
            one.room += rows[first].computed + rows[first].owed
            rows[first].held = LEAVES
    return room_s


@compiled
def _need(row: Entry) -> float:
    """Tokens in the cache that a request takes if it begins now; who is done with his prompt leaves the cache soon."""
    return row.left if row.computed == 0.0 and row.owed > 1.0 else 0.0


@compiled
def _next_s(one: Entry, row: Entry, from_s: float, number: int) -> float:
    """When the next iteration begins that could compute this request; while decoding goes on it waits for its end."""
    free_s = max(one.end_s, from_s)
    into = number * GOLDEN % 1.0 if one.batch > 0.0 else 0.0
    ready_s = max(row.arrival_s, from_s) + into * one.wall_s
    return free_s if row.arrival_s <= free_s or ready_s < free_s else ready_s


@compiled
def _fill(
    one: Entry, rows: Table, r: int, stretches: Table, at: int, token_s: float, joins: bool, next_s: float,
    until_s: float,
) -> int:  # fmt: skip
    """Put a prompt into iterations from `next_s` on, or first into the last one if it still `joins` that."""
    row = rows[r]
    while row.left > 0.0 and (joins or next_s < until_s):
        if not joins:
            one.begin_s, one.end_s, one.used, one.member = next_s, next_s + one.wall_s, 0.0, r
            stretches[at].begin_s, stretches[at].iterations = one.begin_s, 1.0
            at += 1
        share = min(row.left, one.line_budget - one.used)
        one.used += share
        row.left -= share
        one.end_s += share * token_s
        stretches[at - 1].end_s = one.end_s
        for done in range(one.member, r):
            rows[done].due = one.end_s
        joins, next_s = False, one.end_s
    return at


@compiled
def _rest(one: Entry, until_s: float) -> None:
    """Until the next iteration with prompts the board draws what decoding draws."""
    span_s = until_s - one.moved_s
    if span_s > 0.0:
        watts = one.context_w + (one.joules / one.wall_s if one.batch > 0.0 else 0.0)
        one.moving_w += (watts - one.moving_w) * (1.0 - math.exp(-span_s / REGULATION_S))
        one.moved_s = until_s


@compiled
def _draw(one: Entry, watts: float) -> None:
    """Prompts have been computed until the end of the last iteration, at so many watts."""
    span_s = max(0.0, one.end_s - one.moved_s)
    one.moving_w += (watts - one.moving_w) * (1.0 - math.exp(-span_s / REGULATION_S))
    one.moved_s = one.end_s


@compiled
def _account(one: Entry, row: Entry, left: float, chunk: float, extra: Extra, spent: Table) -> None:
    """Of `left` tokens some have been computed."""
    if row.computed == 0.0:
        if row.owed > 1.0:
            one.room -= left
            one.inside += 1.0
        one.reserved += left
        one.opened += 1.0
    share = (left - row.left) / chunk
    _, gpu_s, scaled_s, sm_s, dram_s, joules = extra
    spent[0] += joules * share
    spent[2] += gpu_s * share
    spent[3] += scaled_s * share
    spent[4] += sm_s * share
    spent[5] += dram_s * share
    row.computed += left - row.left


@compiled
def _extra(one: Entry, law: Entry, row: Entry, chunk: float, span_s: float) -> tuple[Extra, float]:
    """What a chunk of a prompt adds to an iteration that would only decode, and its watts, at the clock that the cap
    allows.

    Mean of the iterations that compute the prompt in this tick, beside who decodes already.
    """
    times = row.left / chunk
    in_tick = max(1.0, span_s / (one.wall_s + law.multiply_s * chunk))  # later ones belong to later ticks
    reads = row.computed + 0.5 * min(row.left, chunk * min(times, in_tick))
    sizes = (
        chunk + one.batch,
        chunk * reads + one.context,
        one.batch + max(1.0, chunk / row.left),
        one.context + reads + 0.5 * chunk,
    )
    mean_w, times, x = one.moving_w, max(1.0, times), one.top
    cost = iteration_cost(law, *sizes, x, one.sharing)
    joules = joules_of(one, cost.sm_s, cost.dram_s, x)
    for _ in range(MORE_GUESSES):
        room = within(one, joules, cost.wall_s, allowed_w(one, cost.wall_s * times, mean_w))
        if room >= CLOSE and (room <= 2.0 - CLOSE or x >= one.top):
            break
        x = slower(one, x, room)
        cost = iteration_cost(law, *sizes, x, one.sharing)
        joules = joules_of(one, cost.sm_s, cost.dram_s, x)
    extra = (
        cost.wall_s - one.wall_s,
        cost.gpu_s - one.gpu_s,
        cost.scaled_s - one.scaled_s,
        cost.sm_s - one.sm_s,
        cost.dram_s - one.dram_s,
        joules - one.joules,
    )
    return extra, one.context_w + joules / cost.wall_s
