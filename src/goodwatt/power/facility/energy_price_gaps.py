"""What is missing between the rows of a series: rows hold until the next, so a gap would pass for a long step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

MOST_NOTES = 3
LONG = 2.0
"""A step longer than so many usual ones is a gap."""
ALIKE = 0.1
"""Steps that differ by so much are alike: months are, days of clock changes too."""


def gap_notes(times_s: Sequence[float], lines: Sequence[int], source: str, period_s: float | None) -> tuple[str, ...]:
    """A sentence for each of the first gaps, with the line after which rows are missing.

    Only where more than half of the steps are alike: tariffs that change at odd hours have no usual step.
    """
    usual_s = _usual_step_s([late - early for early, late in pairwise(times_s)])
    if usual_s is None:
        return ()
    ends = [*times_s[1:], *([] if period_s is None else [times_s[0] + period_s])]
    gaps = [(line, end - start) for line, start, end in zip(lines, times_s, ends, strict=False)]
    long = [(line, width_s) for line, width_s in gaps if width_s > LONG * usual_s]
    said = [
        f"{source}, line {line}: this row holds for {_span(width_s)}, where a row usually holds for {_span(usual_s)}: "
        f"are rows missing after it?"
        for line, width_s in long[:MOST_NOTES]
    ]
    more = len(long) - MOST_NOTES
    return (*said, f"{source}: {more} more {'gap' if more == 1 else 'gaps'} like that") if more > 0 else tuple(said)


def _usual_step_s(widths_s: Sequence[float]) -> float | None:
    if len(widths_s) < 2:
        return None
    usual_s = sorted(widths_s)[(len(widths_s) - 1) // 2]
    alike = sum(abs(width_s - usual_s) <= ALIKE * usual_s for width_s in widths_s)
    return usual_s if 2 * alike > len(widths_s) else None


def _span(seconds: float) -> str:
    if seconds < 60.0:
        return f"{seconds:g} s"
    return f"{seconds / 60.0:.3g} min" if seconds < 3600.0 else f"{seconds / 3600.0:,.4g} h"
