"""Steps of gangs: computation, exposed exchange and how they answer to clocks, overlap and load."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.power.network.gang_step import StepTime, exchange_s, network_share, step_s
from goodwatt.power.network.layout import layout_of
from goodwatt.power.workloads.workload import Step
from tests.power.network.wired import whole, wired

HGX = wired("H100-SXM", 4)
NET = HGX.network
ONE, NODE, TWO = (layout_of(HGX, p) for p in ([(0, 1)], whole(1), whole(2)))
STEP = Step(compute_s=0.1, exchange_bytes=20e9, overlap=0.5)


def test_alone_a_step_is_its_computation() -> None:
    assert step_s(STEP, 1.25, ONE, NET) == StepTime(0.125, 0.0)
    assert StepTime(0.0, 0.0).exposed_share == 0.0


def test_what_does_not_hide_behind_the_computation_is_exposed() -> None:
    exchange = exchange_s(STEP, NODE, NET)
    assert exchange > 0.05
    step = step_s(STEP, 1.0, NODE, NET)
    assert step.exposed_s == pytest.approx(exchange - 0.05)
    assert step.total_s == pytest.approx(0.1 + step.exposed_s)
    assert 0 < step.exposed_share < 1


def test_slower_clocks_hide_more() -> None:
    fast, slow = step_s(STEP, 1.0, NODE, NET), step_s(STEP, 1.2, NODE, NET)
    assert slow.exposed_s < fast.exposed_s
    assert slow.total_s / fast.total_s < 1.2


def test_calls_pay_their_launch_each() -> None:
    pieces = Step(compute_s=0.1, exchange_bytes=1e6, calls=20)
    whole_buffer = Step(compute_s=0.1, exchange_bytes=1e6)
    assert exchange_s(pieces, NODE, NET) > 5 * exchange_s(whole_buffer, NODE, NET)


def test_share_of_the_network() -> None:
    assert network_share(STEP, NODE, NET) == 0.0
    assert 0.0 < network_share(Step(compute_s=1.0, exchange_bytes=1e9), TWO, NET) < 0.1
    assert network_share(Step(compute_s=0.0), TWO, NET) == 0.0


@given(st.floats(1.0, 3.0), st.floats(1.0, 5.0), st.floats(0.0, 1.0), st.floats(0.0, 1e10))
def test_never_faster_than_computation_or_exchange_alone(slow: float, load: float, overlap: float, size: float) -> None:
    step = Step(compute_s=0.1, exchange_bytes=size, overlap=overlap)
    found = step_s(step, slow, TWO, NET, load)
    assert found.total_s >= 0.1 * slow
    assert found.total_s >= exchange_s(step, TWO, NET, load) - 1e-12
    assert found.total_s <= 0.1 * slow + exchange_s(step, TWO, NET, load) + 1e-12
    assert found.total_s >= step_s(step, slow, TWO, NET).total_s
