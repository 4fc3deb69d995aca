"""Requests that were done lately: which are still known, and that copies go their own way."""

from __future__ import annotations

import numpy as np

from goodwatt.simulator.services.recent_requests import KEPT_S, Recent, RecentRequests


def done(*end_s: float) -> Recent:
    columns = [np.array(end_s)] + [np.arange(float(len(end_s)))] * 5
    return Recent(*columns)


def test_those_after_a_time_in_the_order_in_which_they_were_noted() -> None:
    recent = RecentRequests()
    recent.add(done(1.0, 3.0, 2.0))
    recent.add(done(5.0, 4.0))
    assert recent.since(2.0).end_s.tolist() == [3.0, 5.0, 4.0]
    assert recent.since(2.0).prompt_tokens.tolist() == [1.0, 0.0, 1.0]
    assert recent.since(9.0).end_s.tolist() == []


def test_old_ones_are_forgotten() -> None:
    recent = RecentRequests()
    recent.add(done(1.0))
    recent.add(done(1.0 + KEPT_S))
    recent.add(done(2.0 + KEPT_S))
    assert recent.since(0.0).end_s.tolist() == [1.0 + KEPT_S, 2.0 + KEPT_S]


def test_a_copy_goes_its_own_way() -> None:
    recent = RecentRequests()
    recent.add(done(1.0))
    twin = recent.copy()
    twin.add(done(2.0))
    assert len(recent.since(0.0).end_s) == 1
    assert len(twin.since(0.0).end_s) == 2
