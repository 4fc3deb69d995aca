"""Bringing a service to a number of instances: with nodes that sleep, with pools, within what it allows."""

from __future__ import annotations

import pytest

from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.service_sizing import within
from goodwatt.simulator.decisions import Sleep, Wake
from tests.policies.services.service_runs import Watched, chat, serving


@pytest.mark.parametrize(("count", "allowed"), [(0, 2), (2, 2), (5, 5), (9, 8)])
def test_within_what_a_service_allows(count: int, allowed: int) -> None:
    assert within(chat((0.0, 1.0), min_replicas=2), "both", count) == allowed


def test_a_sleeping_node_wakes_for_an_instance() -> None:
    load = chat((0.0, 16.0), (2400.0, 100.0), max_replicas=16, start_s=20.0)
    on = load_cluster("generated:gpus=16,gpu=H100-SXM,per_node=8")
    sim = serving("reactive:down_s=60", load, until_s=4000.0, on=on, power="sleep:reserve=0,patience=0.3")
    watched = Watched(sim)
    slept = [time_s for time_s, decision in watched.decisions if isinstance(decision, Sleep)]
    woken = [time_s for time_s, decision in watched.decisions if isinstance(decision, Wake)]
    assert slept
    assert slept[0] < 2400.0
    assert woken
    assert 2400.0 < woken[0] < 2500.0
    assert watched.counts[-1] > 8
    assert len(woken) <= 2
