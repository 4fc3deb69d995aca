"""For how long instances do nothing but decode in a tick: idle time and prompts excluded.

Sequences overlap, and while prompts are computed everybody decodes along: what counts is the union of the times in
which sequences decode, less the prompts computed in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goodwatt.simulator.services.by_instance import summed
from goodwatt.simulator.services.made_iterations import APART, Positions, Stretches

Floats = NDArray[np.float64]


def decoding_s(
    span: tuple[float, float], carried_until_s: Floats, positions: Positions, begin_s: Floats, end_s: Floats,
    prompts: Stretches,
) -> Floats:  # fmt: skip
    """Seconds by instance.

    `carried_until_s`: when the last of those ends who decoded when the span began; the others decode from `begin_s` to
    `end_s`. `prompts` are cut to the span.
    """
    from_s, until_s = span
    instances = len(carried_until_s)
    order = np.lexsort((begin_s, positions))
    positions, begin_s, end_s = positions[order], begin_s[order], np.minimum(end_s[order], until_s)
    carried_s = np.minimum(np.maximum(carried_until_s, from_s), until_s)
    latest_s = _running_max(positions, np.maximum(end_s, carried_s[positions]), from_s)
    before_s = carried_s[positions]
    same = positions[1:] == positions[:-1]
    before_s[1:][same] = latest_s[:-1][same]
    covered_s = np.maximum(0.0, latest_s - np.maximum(before_s, begin_s))
    total_s = carried_s - from_s + summed(positions, covered_s, instances)
    return np.maximum(0.0, total_s - _inside(span, prompts, carried_s, positions, begin_s, latest_s))


def _inside(
    span: tuple[float, float], prompts: Stretches, carried_s: Floats, positions: Positions, begin_s: Floats,
    latest_s: Floats,
) -> Floats:  # fmt: skip
    """Seconds of prompts during which somebody decoded."""
    instances = len(carried_s)
    if not len(prompts.positions):
        return np.zeros(instances)
    from_s, until_s = span
    scale = 1.0 / (until_s - from_s)
    axis = positions * APART + (begin_s - from_s) * scale
    place = axis.searchsorted(prompts.positions * APART + (prompts.begin_s - from_s) * scale, side="right") - 1
    busy_s = carried_s[prompts.positions]
    if len(positions):
        mine = (place >= 0) & (positions[place] == prompts.positions)
        busy_s = np.where(mine, latest_s[place], busy_s)
    overlap_s = np.maximum(0.0, np.minimum(busy_s, prompts.end_s) - prompts.begin_s)
    return summed(prompts.positions, overlap_s, instances)


def _running_max(positions: Positions, values: Floats, from_s: float) -> Floats:
    """The greatest value so far of the same instance; values are not below `from_s`."""
    if not len(values):
        return values
    apart = 2.0 * (float(values.max()) - from_s) + 1.0
    raised = np.maximum.accumulate(values - from_s + positions * apart)
    latest: Floats = raised - positions * apart + from_s
    return latest
