"""What a request trace is like in figures: how many, how fast, how long, how bursty, at which hours.

Printing them is for the command line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from goodwatt.traces.requests.request_trace import Floats, RequestTrace, Tokens

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "max": 1.0}
INTERVALS_S = (1.0, 10.0, 60.0, 600.0)
LEAST_INTERVALS = 10
"""A dispersion from fewer counts says nothing."""
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class LengthStatistics:
    """Tokens of a request: mean, and quantiles by name."""

    mean: float
    total: int
    quantiles: dict[str, int]


@dataclass(frozen=True, slots=True)
class RequestStatistics:
    """Figures of one trace. `span_s` is from the first request to the last, `first_s` when the first comes.

    Rates are requests per second; the peak is that of the fullest minute after the first request. `dispersion` is
    variance over mean of the requests counted in intervals of so many seconds: 1 for Poisson arrivals.
    `requests_by_hour` are 24 numbers: by hour of the day where `hour_is_of_day`, else by hour since 0 s, days on top of
    each other.
    `rank_correlation` is Spearman's, of prompt and output; None where one of them never changes.
    """

    name: str
    requests: int
    first_s: float
    span_s: float
    mean_per_s: float
    peak_minute_per_s: float
    prompt_tokens: LengthStatistics
    output_tokens: LengthStatistics
    rank_correlation: float | None
    dispersion: dict[str, float]
    hour_is_of_day: bool
    requests_by_hour: tuple[int, ...]
    dropped: int
    bad_rows: int
    synthetic: tuple[str, ...]


def summarise(trace: RequestTrace) -> RequestStatistics:
    """All figures of a trace."""
    first_s, last_s = float(trace.arrival_s[0]), float(trace.arrival_s[-1])
    return RequestStatistics(
        name=trace.name,
        requests=len(trace),
        first_s=first_s,
        span_s=last_s - first_s,
        mean_per_s=len(trace) / (trace.span_s - first_s),
        peak_minute_per_s=int(_counts(trace.arrival_s - first_s, MINUTE_S).max()) / MINUTE_S,
        prompt_tokens=_lengths(trace.prompt_tokens),
        output_tokens=_lengths(trace.output_tokens),
        rank_correlation=_rank_correlation(trace.prompt_tokens, trace.output_tokens),
        dispersion=_dispersions(trace.arrival_s - first_s),
        hour_is_of_day=trace.day_s is not None,
        requests_by_hour=_by_hour(trace.arrival_s + (trace.day_s or 0.0)),
        dropped=sum(dropped.count for dropped in trace.dropped),
        bad_rows=len(trace.bad_rows),
        synthetic=trace.synthetic,
    )


def _lengths(tokens: Tokens) -> LengthStatistics:
    values = np.quantile(tokens, list(QUANTILES.values()), method="inverted_cdf")
    quantiles = {name: int(value) for name, value in zip(QUANTILES, values, strict=True)}
    return LengthStatistics(float(tokens.mean()), int(tokens.sum(dtype=np.int64)), quantiles)


def _counts(since_s: Floats, interval_s: float) -> Tokens:
    return np.bincount((since_s // interval_s).astype(np.int64)).astype(np.int32)


def _dispersions(since_s: Floats) -> dict[str, float]:
    """By whole intervals between the first request and the last."""
    found = {}
    for interval_s in INTERVALS_S:
        counts = _counts(since_s, interval_s)[:-1]
        if len(counts) >= LEAST_INTERVALS:
            found[f"{interval_s:g}"] = float(counts.var(ddof=1) / counts.mean())
    return found


def _by_hour(times_s: Floats) -> tuple[int, ...]:
    hours = (times_s // HOUR_S).astype(np.int64)
    return tuple(int(count) for count in np.bincount(hours % 24, minlength=24))


def _rank_correlation(prompts: Tokens, outputs: Tokens) -> float | None:
    """Spearman's, ties sharing their mean rank."""
    ranks = [_ranks(prompts), _ranks(outputs)]
    if min(float(np.ptp(rank)) for rank in ranks) == 0.0:
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(tokens: Tokens) -> Floats:
    _, place, count = np.unique(tokens, return_inverse=True, return_counts=True)
    middle: Floats = np.cumsum(count) - (count - 1) / 2.0
    return middle[place]
