"""Decoding in a tick: how far each instance gets, who ends, who begins, and what that takes; compiled.

Each instance has made iterations along its own broken line (`made_iterations`); a sequence ends with the iteration that
was known when it began to decode.
"""

from __future__ import annotations

import math

from goodwatt.simulator.services.compiled import compiled
from goodwatt.simulator.services.decoding_time import Floats, decoding_s
from goodwatt.simulator.services.made_iterations import made_at, time_when
from goodwatt.simulator.services.tick_tables import Ints, Table


@compiled
def make_iterations(table: Table, stretches: Table, from_s: float, until_s: float) -> None:
    """How many each makes in the tick (`total`), and when the last of those ends who decode already (`carried_s`)."""
    for one in table:
        mine = stretches[one.first : one.last]
        one.total = made_at(mine, from_s, one.wall_s, until_s)
        owed = one.last_due - one.count
        one.carried_s = from_s
        if one.batch > 0.0:
            one.carried_s = until_s
            if owed <= one.total:
                one.carried_s = min(until_s, time_when(mine, from_s, one.wall_s, max(owed, 0.0)))


@compiled
def end_rows(table: Table, stretches: Table, rows: Table, from_s: float, until_s: float) -> None:
    """The last token of these has come: they leave the batch, and `due` is the time."""
    for row in rows:
        one = table[row.position]
        mine = stretches[one.first : one.last]
        row.due = min(until_s, time_when(mine, from_s, one.wall_s, row.due - one.count))
        one.batch -= 1.0
        one.held -= row.held


@compiled
def compute_done(table: Table, rows: Table) -> None:
    """The context of these is in the cache and their next token is made."""
    for row in rows:
        one = table[row.position]
        one.reserved -= row.computed
        one.opened -= 1.0
        row.owed -= 1.0
        if math.isnan(row.first_s):
            row.first_s = row.due


@compiled
def join_rows(table: Table, stretches: Table, rows: Table, end_s: Floats, from_s: float, until_s: float) -> None:
    """These begin to decode when their prompts are done; `end_s` gets until when, `due` the count with which they end.

    Who ends in the tick has his end in `due` and owes nothing.
    """
    for r in range(len(rows)):
        row = rows[r]
        one = table[row.position]
        mine = stretches[one.first : one.last]
        count = one.count + made_at(mine, from_s, one.wall_s, row.due)
        ends = count + row.owed
        if ends <= one.count + one.total:
            row.due = end_s[r] = max(row.due, min(until_s, time_when(mine, from_s, one.wall_s, ends - one.count)))
            row.owed = 0.0
        else:
            row.due, end_s[r] = ends, until_s
            row.held = row.computed - count
            one.batch += 1.0
            one.held += row.held
            one.last_due = max(one.last_due, ends)


@compiled
def spend(table: Table, stretches: Table, spent: Floats, joined: tuple[Ints, Floats, Floats], from_s: float) -> bool:
    """What decoding took is added to `spent`; whether the cache of any instance is over-full.

    `joined`: position, from when and until when of those who began to decode, by instance and time.
    """
    positions, begin_s, end_s = joined
    low, over = 0, False
    for i in range(len(table)):
        one, mine_spent = table[i], spent[i]
        mine = stretches[one.first : one.last]
        high = low
        while high < len(positions) and positions[high] == i:
            high += 1
        alone_s = decoding_s(one.carried_s, begin_s[low:high], end_s[low:high], mine, from_s)
        low = high
        prompts_s, with_prompts = 0.0, 0.0
        for stretch in mine:
            prompts_s += stretch.end_s - stretch.begin_s
            with_prompts += stretch.iterations
        iterations = alone_s / one.wall_s + with_prompts
        mine_spent[0] += one.joules * iterations
        mine_spent[1] += alone_s + prompts_s
        mine_spent[2] += one.gpu_s * iterations
        mine_spent[3] += one.scaled_s * iterations
        mine_spent[4] += one.sm_s * iterations
        mine_spent[5] += one.dram_s * iterations
        mine_spent[6] += iterations
        one.count += one.total
        one.context = one.held + one.batch * one.count
        over = over or (one.context + one.reserved > one.kv_tokens and one.batch > 1.0)
    return over
