"""Goodwatt's own rate profile: t_s, rate_per_s, one step per row.

The rate of a row holds up to the time of the next. The last step is as long as the one before it, unless a last row
without a rate says where it ends.
"""

from __future__ import annotations

import numpy as np

from goodwatt.errors import BadRow
from goodwatt.traces import cells
from goodwatt.traces.requests.profile_intake import ProfileIntake
from goodwatt.traces.requests.request_format import ProfileFormat
from goodwatt.traces.source import Source
from goodwatt.traces.table import Column, Values, read_table

TITLES = ("t_s", "rate_per_s")
COLUMNS = (
    Column("t_s", "t_s", cells.SPAN),
    Column("rate_per_s", "rate_per_s", cells.AMOUNT, required=False),
)


def _read(source: Source, intake: ProfileIntake) -> None:
    if TITLES[1] not in source.head.titles:
        raise BadRow(source.path, 1, TITLES[1], "a column of this name", f"{source.head.shown}")
    read_table(source, intake, COLUMNS)
    _check(intake)
    intake.need_rows(2, "at least two steps, or one and a row that says where it ends")
    t_s = np.array([values["t_s"] for _, values in intake.rows])
    rates = [values.get("rate_per_s") for _, values in intake.rows]
    if rates[-1] is None:
        intake.finish_with(t_s[:-1], np.array(rates[:-1]), float(t_s[-1]), relative=False)
    else:
        intake.finish_with(t_s, np.array(rates), float(2 * t_s[-1] - t_s[-2]), relative=False)


def _check(intake: ProfileIntake) -> None:
    """Takes out rows whose time does not rise, or that lack a rate and are not the last."""
    kept: list[tuple[int, Values]] = []
    last = intake.rows[-1][0] if intake.rows else 0
    for line, values in intake.rows:
        before_s = kept[-1][1]["t_s"] if kept else None
        if before_s is None and values["t_s"] != 0.0:
            intake.bad(BadRow(intake.path, line, "t_s", "a first step at 0 s", f"{values['t_s']:g} s"))
        elif before_s is not None and values["t_s"] <= before_s:
            expected = f"a time after {before_s:g} s, that of the row before"
            intake.bad(BadRow(intake.path, line, "t_s", expected, f"{values['t_s']:g} s"))
        elif "rate_per_s" not in values and line != last:
            intake.bad(BadRow(intake.path, line, "rate_per_s", COLUMNS[1].cell.expected, "nothing"))
        else:
            kept.append((line, values))
    intake.rows = kept


FORMAT = ProfileFormat(
    "rate-table",
    "Goodwatt's own rate profile (t_s, rate_per_s)",
    lambda head: head.has(TITLES),
    _read,
    TITLES,
)
