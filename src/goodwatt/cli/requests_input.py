"""What the commands under `goodwatt requests` read: request traces and rate profiles."""

from __future__ import annotations

from pathlib import Path

from goodwatt.errors import InputError
from goodwatt.traces.requests.formats import PROFILE_FORMATS
from goodwatt.traces.requests.rate_profile import RateProfile
from goodwatt.traces.requests.reading import is_profile, read_rate_profile, read_request_trace
from goodwatt.traces.requests.request_trace import RequestTrace


def read(
    file: Path, trace_format: str | None, time_zone: str, select: str | None, skip_bad_rows: bool
) -> RequestTrace | RateProfile:
    """The requests of a file, or the rates where it holds such. Raises InputError."""
    named = {known.name for known in PROFILE_FORMATS}
    if trace_format in named or (trace_format is None and is_profile(file)):
        return read_rate_profile(file, format=trace_format, skip_bad_rows=skip_bad_rows, select=select)
    if select is not None:
        raise InputError(f"{file}: nothing to select: a request trace holds one service")
    return read_request_trace(file, format=trace_format, skip_bad_rows=skip_bad_rows, time_zone=time_zone)


def scaled(
    content: RequestTrace | RateProfile, mean_per_s: float | None, peak_per_s: float | None
) -> RequestTrace | RateProfile:
    """Rates at the height that was asked for; requests as they are. Raises InputError."""
    asked = mean_per_s is not None or peak_per_s is not None
    if isinstance(content, RequestTrace):
        if asked:
            raise InputError(f"{content.path}: --mean-rate and --peak-rate are for rates over time, these are requests")
        return content
    if asked:
        return content.scaled(mean_per_s=mean_per_s, peak_per_s=peak_per_s)
    if content.relative:
        raise InputError(f"{content.path}: the source tells the shape of demand only: say --mean-rate or --peak-rate")
    return content
