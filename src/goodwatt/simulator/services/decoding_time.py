"""For how long an instance does nothing but decode in a tick, idle time and prompts excluded; compiled.

Sequences overlap, and while prompts are computed everybody decodes along: what counts is the union of the times in
which sequences decode, less the prompts computed in it.
"""

from __future__ import annotations

from typing import Any

from goodwatt.simulator.services.compiled import compiled

Floats = Any
Stretches = Any


@compiled
def decoding_s(carried_s: float, begin_s: Floats, end_s: Floats, stretches: Stretches, from_s: float) -> float:
    """Seconds in the tick that began at `from_s`.

    `carried_s`: when the last of those ends who decoded then; the others decode from `begin_s`, in order, to `end_s`.
    """
    total_s, latest_s = carried_s - from_s, carried_s
    at, inside_s = 0, 0.0
    for i in range(len(begin_s) + 1):
        until_s = begin_s[i] if i < len(begin_s) else 1e300
        while at < len(stretches) and stretches[at].begin_s < until_s:
            inside_s += max(0.0, min(latest_s, stretches[at].end_s) - stretches[at].begin_s)
            at += 1
        if i < len(begin_s):
            total_s += max(0.0, end_s[i] - max(latest_s, begin_s[i]))
            latest_s = max(latest_s, end_s[i])
    return max(0.0, total_s - inside_s)
