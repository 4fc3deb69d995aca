"""What instances carry and draw with jobs beside them, by what policies know."""

from __future__ import annotations

import pytest

from goodwatt.policies.service_guests import carried_with_guests, guests_percent, guests_w
from goodwatt.policies.service_memory import ServiceMemory
from goodwatt.policies.service_scaling import Moment, moments
from goodwatt.policies.service_watts import need_of
from tests.policies.services.service_runs import chat, serving


@pytest.fixture(scope="module")
def moment() -> Moment:
    """Two instances under a steady load, after three minutes."""
    sim = serving("reactive", chat((0.0, 10.0), min_replicas=2, max_replicas=2), until_s=200.0)
    memory = ServiceMemory()
    while (view := sim.advance()) is not None:
        own, view.memory = view.memory, memory
        found = moments(view)
        view.memory = own
        if view.now_s >= 180.0:
            return found[0]
        sim.apply(sim.policy.decide(view))
    raise AssertionError


def beside(moment: Moment, percent: float) -> Moment:
    return moment._replace(threads={moment.instances[0].job_id: percent})


def test_without_a_guest_an_instance_carries_what_it_does_alone(moment: Moment) -> None:
    assert guests_percent(moment, "both") == guests_w(moment, "both") == 0.0
    carried = carried_with_guests(moment, "both", 0.2, 2)
    assert carried is not None
    assert carried is moment.seen.capacity(moment.serving, "both", 0.2, 2)


def test_the_more_a_guest_may_use_the_less_is_carried_and_the_more_is_needed(moment: Moment) -> None:
    full, watts = [], []
    for percent in (0.0, 10.0, 25.0, 50.0):
        shared = beside(moment, percent)
        carried = carried_with_guests(shared, "both", 0.2, 2)
        assert carried is not None
        full.append(carried.full_per_s)
        watts.append(need_of(shared, "both", 200.0, 700.0, 0.0).firm_w)
    assert full == sorted(full, reverse=True)
    assert watts == sorted(watts)
    assert watts[0] < watts[2] <= 700.0
