"""Live GPU instances of Alibaba's recommendation services over 31 days, 2025, as the shape of their demand
(disaggregated_DLRM_trace.csv of cluster-trace-gpu-v2025; NSDI'25).

The trace holds no requests. How many GPU instances (role HN) an operator kept running stands in for how many came:
relative, slow, and never 0. An instance lives from `scheduled_time` to `deletion_time`; one without the first was there
when the window began, one without the second when it ended, three of ten and more. `--select` takes one app.
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
    Column("role", "role", cells.NAME),
    Column("app", "app_name", cells.NAME),
    Column("created_s", "creation_time", cells.SPAN, required=False),
    Column("from_s", "scheduled_time", cells.SPAN, required=False),
    Column("until_s", "deletion_time", cells.SPAN, required=False),
)
SIGNATURE = ("instance_sn", *(column.title for column in COLUMNS))
WITH_GPU = "HN"
NO_VALUE = frozenset({"", "NaN", "nan"})
STEP_S = 3600.0


def _read(source: Source, intake: ProfileIntake) -> None:
    chosen, apps = intake.options.select, set[str]()
    edge = [0.0]

    def instance(values: Values) -> None:
        from_s, until_s = values.get("from_s"), values.get("until_s")
        edge.extend(time for time in (values.get("created_s"), from_s, until_s) if time is not None)
        if values["role"] != WITH_GPU:
            raise NotAJob("an instance without a GPU")
        apps.add(values["app"])
        if chosen is not None and values["app"] != chosen:
            raise NotAJob("of another app")
        if from_s is None and "created_s" in values:
            raise NotAJob("never scheduled")
        if from_s is not None and until_s is not None and until_s < from_s:
            raise UnfitError("until_s", f"an end not before the start at {from_s:g} s", f"{until_s:g} s")

    read_table(source, intake, COLUMNS, instance, NO_VALUE)
    if chosen is not None and chosen not in apps:
        raise UnknownNameError(f"app of {source.path}", chosen, apps)
    intake.need_rows(1, "at least one instance with a GPU")
    intake.note("no requests are in the source: live GPU instances stand in for demand, as a shape")
    end_s = float(np.ceil(max(edge) / STEP_S) * STEP_S) or STEP_S
    intake.finish_with(np.arange(0.0, end_s, STEP_S), _live(intake, end_s), end_s, relative=True)


def _live(intake: ProfileIntake, end_s: float) -> Floats:
    """Mean number of live instances in each hour."""
    edges_s = np.arange(0.0, end_s + STEP_S, STEP_S)
    starts = np.array([values.get("from_s", 0.0) for _, values in intake.rows])
    ends = np.array([values.get("until_s", end_s) for _, values in intake.rows])
    lived_s = _lived_before(edges_s, starts) - _lived_before(edges_s, ends)
    return np.diff(lived_s) / STEP_S


def _lived_before(edges_s: Floats, since_s: Floats) -> Floats:
    """Seconds between each of `since_s` and each edge, added up over those that lie before it."""
    ordered = np.sort(since_s)
    count = np.searchsorted(ordered, edges_s)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    lived: Floats = edges_s * count - sums[count]
    return lived


FORMAT = ProfileFormat(
    "alibaba-dlrm",
    "Alibaba recommendation services 2025: live GPU instances as the shape of demand",
    lambda head: head.has(SIGNATURE),
    _read,
    SIGNATURE,
    selects=True,
)
