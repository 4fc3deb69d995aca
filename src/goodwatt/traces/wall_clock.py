"""Wall-clock times of job logs as seconds, also across changes to and from daylight saving time.

A time without a zone is read in the zone that the caller names. Moving the first submission to 0 s is the intake's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from goodwatt.time_zones import time_zone
from goodwatt.traces.intake import NEVER_STARTED, STILL_RUNNING, Intake, NotAJob, UnfitError, shown
from goodwatt.traces.table import Values

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 # compared with times that carry no zone either
EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EXPECTED = "a time such as 2017-10-07 01:12:09"


class WallClock:
    """Reads times of one log; a repeated hour of autumn is resolved by what came before."""

    def __init__(self, intake: Intake) -> None:
        intake.from_first = True
        self._intake = intake
        self._zone = None if intake.options.time_zone == "UTC" else time_zone(intake.options.time_zone)

    def seconds(self, field: str, text: str, not_before: float | None = None) -> float:
        """Seconds since 1970 of an ISO time or of seconds since 1970; UnfitError names `field`."""
        try:
            return self._seconds(text, not_before)
        except (ValueError, OverflowError):
            raise UnfitError(field, EXPECTED, shown(text)) from None

    def _seconds(self, text: str, not_before: float | None) -> float:
        if text.isdecimal():
            return float(int(text))
        if "-" not in text:
            raise ValueError(text)
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return (time - EPOCH_UTC) / SECOND
        self._intake.note(self._naive_note())
        if self._zone is None:
            return (time - EPOCH) / SECOND
        first = (time.replace(tzinfo=self._zone).astimezone(UTC) - EPOCH_UTC) / SECOND
        second = (time.replace(tzinfo=self._zone, fold=1).astimezone(UTC) - EPOCH_UTC) / SECOND
        return second if not_before is not None and first < not_before <= second else first

    def _naive_note(self) -> str:
        zone = self._intake.options.time_zone
        return f"times name no zone and are read as {zone} (a time zone can be given: --time-zone)"


def place_in_time(values: Values, clock: WallClock, intake: Intake) -> None:
    """Times of a logged job, under their field names still text, become seconds and the run time.

    Rows without a start or an end are no jobs; a job that ends before it starts is an error.
    """
    submit_s = clock.seconds("submit_s", values["submit_s"])
    start, end = values.get("observed_start_s"), values.get("observed_end_s")
    if start is None:
        raise NotAJob(NEVER_STARTED)
    if end is None:
        raise NotAJob(STILL_RUNNING)
    start_s = clock.seconds("observed_start_s", start, submit_s)
    end_s = clock.seconds("observed_end_s", end, start_s)
    set_run(values, intake, submit_s, start_s, end_s)


def set_run(values: Values, intake: Intake, submit_s: float, start_s: float, end_s: float) -> None:
    """Submission, start, end and the run time between the last two."""
    if end_s < start_s:
        raise UnfitError("observed_end_s", "an end that is not before the start", f"{start_s - end_s:g} s before it")
    if start_s < submit_s:
        intake.count("start before their submission by the source's clocks, kept as they are")
    values["submit_s"], values["observed_start_s"], values["observed_end_s"] = submit_s, start_s, end_s
    values["duration_s"] = end_s - start_s


def compare_duration(values: Values, intake: Intake) -> None:
    """Takes the log's own run time out of the way; counts where it is not end minus start."""
    told_s = values.pop("told_duration_s", None)
    if told_s is not None and abs(told_s - values["duration_s"]) > 1.0:
        intake.count("the column duration is not end minus start, the latter is used")
