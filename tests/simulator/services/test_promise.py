"""Which requests a promise counts as served on time."""

from __future__ import annotations

import numpy as np
import pytest

from goodwatt.simulator.services.promise import Promise


@pytest.mark.parametrize(
    ("promise", "ttft_s", "tpot_s", "latency_s", "kept"),
    [
        (Promise(), 9.0, 9.0, 99.0, True),
        (Promise(ttft_s=1.0), 1.0, 9.0, 99.0, True),
        (Promise(ttft_s=1.0), 1.001, 0.0, 2.0, False),
        (Promise(tpot_s=0.05), 9.0, 0.05, 99.0, True),
        (Promise(tpot_s=0.05), 0.1, 0.051, 1.0, False),
        (Promise(tpot_s=0.05), 9.0, 0.0, 9.0, True),  # a single token
        (Promise(latency_s=5.0), 4.0, 1.0, 5.0, True),
        (Promise(latency_s=5.0), 0.1, 0.01, 5.1, False),
        (Promise(ttft_s=1.0, tpot_s=0.05, latency_s=5.0), 0.5, 0.04, 4.0, True),
        (Promise(ttft_s=1.0, tpot_s=0.05, latency_s=5.0), 0.5, 0.06, 4.0, False),
    ],
)
def test_every_limit_counts(promise: Promise, ttft_s: float, tpot_s: float, latency_s: float, kept: bool) -> None:
    assert promise.kept(ttft_s, tpot_s, latency_s) is kept
    columns = (np.array([value, value]) for value in (ttft_s, tpot_s, latency_s))
    assert promise.kept(*columns).tolist() == [kept, kept]
