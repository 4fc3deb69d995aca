"""`reactive`: as many instances as the load needs, more at once, fewer only after a while."""

from __future__ import annotations

import pytest

from goodwatt.simulator.decisions import Drain, Place
from goodwatt.simulator.services.service import Role
from tests.policies.services.service_runs import CARRIED_PER_S, Watched, chat, serving


@pytest.mark.parametrize(("rate_per_s", "target"), [(6.0, 0.7), (20.0, 0.7), (20.0, 0.5), (40.0, 0.9)])
def test_instances_are_filled_to_the_target(rate_per_s: float, target: float) -> None:
    spec = f"reactive:target={target},down_s=60"
    watched = Watched(serving(spec, chat((0.0, rate_per_s)), until_s=900.0))
    expected = rate_per_s / (CARRIED_PER_S * target)
    assert expected * 0.8 <= watched.counts[-1] <= expected * 1.3 + 1
    assert watched.attainment >= 0.985


def test_all_that_are_allowed_serve_until_requests_have_told_how_long_they_are() -> None:
    watched = Watched(serving("reactive", chat((0.0, 0.2)), until_s=60.0))
    assert set(watched.counts[1:]) == {8}


def test_it_grows_within_a_minute_and_shrinks_after_the_window() -> None:
    load = chat((0.0, 6.0), (600.0, 30.0), (1200.0, 6.0))
    watched = Watched(serving("reactive:down_s=200", load, until_s=1800.0))
    assert watched.counts[watched.at(595.0)] <= 2
    assert watched.counts[watched.at(665.0)] >= 4
    assert min(watched.counts[watched.at(1200.0) : watched.at(1390.0)]) >= 4
    assert watched.counts[watched.at(1480.0)] <= 2


def test_limits_of_the_service_hold() -> None:
    load = chat((0.0, 60.0), (500.0, 0.5), min_replicas=2, max_replicas=4)
    watched = Watched(serving("reactive:down_s=60", load, until_s=1000.0))
    assert (min(watched.counts[1:]), max(watched.counts)) == (2, 4)
    assert watched.counts[-1] == 2


def test_pools_are_sized_each_by_what_bounds_it() -> None:
    load = chat((0.0, 30.0), min_replicas=2, max_replicas=16, separate=True, min_prefill=1, max_prefill=8)
    sim = serving("reactive:down_s=60", load, until_s=900.0)
    watched = Watched(sim)
    assert sim.services is not None
    instances = [one for one in sim.services.of(0) if one.state in {"starting", "serving"}]
    count: dict[Role, int] = {role: sum(one.role == role for one in instances) for role in ("prefill", "decode")}
    assert 1 < count["prefill"] < 8
    assert 1 <= count["decode"] < 8
    assert watched.attainment > 0.99


def test_nothing_changes_under_a_steady_load() -> None:
    watched = Watched(serving("reactive", chat((0.0, 18.0)), until_s=1500.0))
    late = [decision for time_s, decision in watched.decisions if time_s > 700.0]
    assert sum(isinstance(decision, Place | Drain) for decision in late) <= 4
