"""Draws request traces like public ones: their lengths and bursts, at any rate, over any number of days.

What a class of service is like was fitted to an hour of one service each (`service_classes`); how its rate follows the
day and the week is assumed where no public trace is long enough to tell, and can be said. Held out, that is fitted to
the first half of a trace and compared with its second half, lengths are off by no more than the halves differ; the
figures stand in docs/how-to/request-traces.md.
"""

from __future__ import annotations

import math

from goodwatt.errors import InputError
from goodwatt.traces.requests.request_source import ProfileSource
from goodwatt.traces.requests.request_trace import RequestTrace
from goodwatt.traces.requests.service_classes import service_class

MAX_REQUESTS = 200_000_000


def class_source(
    class_name: str,
    *,
    mean_per_s: float | None = None,
    days: float = 1.0,
    seed: int = 0,
    peak_to_trough: float | None = None,
    name: str = "",
    repeat: bool = False,
) -> ProfileSource:
    """The requests of a class as a source, without drawing them all: days from a Monday's midnight on.

    `mean_per_s` is the mean rate over the days; by default that of the trace the class was fitted to.
    Raises InputError.
    """
    known = service_class(class_name)
    rate = known.rate_per_s if mean_per_s is None else mean_per_s
    if not 0.0 < rate < math.inf:
        raise InputError(f"expected a mean rate above 0 requests per second, got {rate:g}")
    profile = known.daily_rhythm(peak_to_trough).profile(class_name, days, rate)
    lengths = known.token_lengths(class_name)
    return ProfileSource(profile, lengths, name or class_name, seed, known.bursts(), repeat)


def generate(
    class_name: str,
    *,
    mean_per_s: float | None = None,
    days: float = 1.0,
    seed: int = 0,
    peak_to_trough: float | None = None,
) -> RequestTrace:
    """A trace of such requests, marked as made up altogether; see `class_source`. Raises InputError."""
    source = class_source(class_name, mean_per_s=mean_per_s, days=days, seed=seed, peak_to_trough=peak_to_trough)
    expected = source.profile.mean_per_s * source.profile.end_s
    if expected > MAX_REQUESTS:
        raise InputError(f"expected at most {MAX_REQUESTS:,} requests, got {expected:,.0f}: ask for fewer days or less")
    drawn = source.between(0.0, source.span_s)
    if not len(drawn.arrival_s):
        raise InputError(
            f"no request came in {source.span_s:g} s at {source.profile.mean_per_s:g} per second: ask for more"
        )
    label = f"all: requests generate {class_name} seed {seed}"
    return RequestTrace(f"{class_name}-{seed}", *drawn, day_s=0.0, synthetic=(label,))
