"""Requests per second of Alibaba's image generation service, 2026: qps.csv of cluster-trace-v2026-GenAI.

Values are anonymised by a factor, so the profile is relative. Rows come every 57 s and only where the value is not 0:
what is missing is 0. `API Requests` are those of the whole service, `Generative Requests` those of each container,
which are added up. The record fades out over its last hours while containers leave it, which is as likely the end of
the recording as of the demand. Times are shifted: the hour of the day is not known.
"""

from __future__ import annotations

import numpy as np

from goodwatt.errors import UnknownNameError
from goodwatt.traces import cells
from goodwatt.traces.intake import NotAJob, UnfitError
from goodwatt.traces.requests.profile_intake import ProfileIntake
from goodwatt.traces.requests.request_format import ProfileFormat
from goodwatt.traces.requests.request_trace import Floats
from goodwatt.traces.source import Source
from goodwatt.traces.table import Column, Values, read_table

COLUMNS = (
    Column("t_s", "timestamp_anon", cells.SECONDS),
    Column("rate_per_s", "value", cells.AMOUNT),
    Column("container", "container_ip", cells.NAME, required=False),
    Column("kind", "request_type", cells.NAME),
)
SIGNATURE = tuple(column.title for column in COLUMNS)
WHOLE_SERVICE = "API Requests"
STEP_S = 57.0
NOTES = (
    "values are scaled in the source: the shape means something, the height does not",
    f"rows come every {STEP_S:g} s where the value is not 0: what is missing is read as 0",
    "the record fades out over its last hours, which may be the end of the recording and not of the demand",
)


def _read(source: Source, intake: ProfileIntake) -> None:
    chosen = intake.options.select or WHOLE_SERVICE
    seen: dict[str, float] = {}

    def of_kind(values: Values) -> None:
        """Keeps one kind of request; every row tells the grid, whatever its kind."""
        first_s = seen.setdefault("", values["t_s"])
        if (values["t_s"] - first_s) % STEP_S:
            raise UnfitError("t_s", f"a time a multiple of {STEP_S:g} s from the first", f"{values['t_s']:.10g}")
        seen[values["kind"]] = values["t_s"]
        if values["kind"] != chosen:
            raise NotAJob("of another kind of request in the same file")

    read_table(source, intake, COLUMNS, of_kind)
    if chosen not in seen and len(seen) > 1:
        raise UnknownNameError(f"kind of request of {source.path}", chosen, set(seen) - {""})
    intake.need_rows(2, f"at least two rows of {chosen!r}")
    _finish(intake)


def _finish(intake: ProfileIntake) -> None:
    for note in NOTES:
        intake.note(note)
    times = np.array([values["t_s"] for _, values in intake.rows])
    values = np.array([values["rate_per_s"] for _, values in intake.rows])
    step = np.rint((times - times.min()) / STEP_S).astype(np.int64)
    rates: Floats = np.bincount(step, weights=values).astype(np.float64)
    t_s = np.arange(0.0, len(rates)) * STEP_S
    intake.finish_with(t_s, rates, len(rates) * STEP_S, relative=True)


FORMAT = ProfileFormat(
    "alibaba-genai",
    "Alibaba image generation 2026, qps.csv: the shape of a day's requests",
    lambda head: head.has(SIGNATURE),
    _read,
    SIGNATURE,
    selects=True,
)
