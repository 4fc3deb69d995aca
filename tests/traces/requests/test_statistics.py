"""Figures of request traces."""

from __future__ import annotations

import numpy as np
import pytest

from goodwatt.traces.requests.request_trace import RequestTrace
from goodwatt.traces.requests.statistics import summarise


def test_rates_and_lengths() -> None:
    found = summarise(RequestTrace.of("t", [10, 11, 12, 13, 80], [1, 2, 3, 4, 100], [5, 4, 3, 2, 1]))
    assert (found.requests, found.first_s, found.span_s) == (5, 10.0, 70.0)
    assert found.mean_per_s == pytest.approx(5 / 87.5)
    assert found.peak_minute_per_s == 4 / 60
    assert found.prompt_tokens.quantiles == {"p50": 3, "p90": 100, "p95": 100, "p99": 100, "max": 100}
    assert (found.prompt_tokens.mean, found.prompt_tokens.total) == (22.0, 110)
    assert found.rank_correlation == pytest.approx(-1.0)
    assert not found.hour_is_of_day
    assert found.requests_by_hour == (5, *(0,) * 23)


def test_hours_of_the_day() -> None:
    trace = RequestTrace("t", np.array([0.0, 3600.0, 86400.0]), *(np.ones(3, np.int32),) * 2, day_s=23 * 3600.0)
    found = summarise(trace)
    assert found.hour_is_of_day
    assert found.requests_by_hour == (1, *(0,) * 22, 2)
    assert found.rank_correlation is None


def test_dispersion_of_poisson_and_of_pairs() -> None:
    times = np.sort(np.random.default_rng(0).random(20_000) * 10_000)
    poisson = summarise(RequestTrace.of("t", times))
    pairs = summarise(RequestTrace.of("t", np.repeat(times, 2)))
    assert set(poisson.dispersion) == {"1", "10", "60", "600"}
    assert poisson.dispersion["10"] == pytest.approx(1.0, rel=0.15)
    assert pairs.dispersion["10"] == pytest.approx(2.0, rel=0.15)


def test_one_request() -> None:
    found = summarise(RequestTrace.of("t", [5.0]))
    assert (found.requests, found.span_s, found.dispersion) == (1, 0.0, {})
    assert found.mean_per_s == 1.0
