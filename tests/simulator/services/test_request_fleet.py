"""Instances of services, request by request: nobody is lost, whoever comes and goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.request_fleet import RequestFleet
from goodwatt.simulator.services.request_instance import RequestInstance
from goodwatt.simulator.services.sequence import Request
from goodwatt.simulator.services.sequence import Sequence as Served
from goodwatt.simulator.services.service import Role
from tests.simulator.services.served_requests import LATER_S, REQUESTS, instance_of, model_of, put_through
from tests.simulator.services.served_services import serving

ROUTINGS = st.sampled_from(["round_robin", "least_loaded", "by_length"])
MODEL = model_of("8B on one H200")


def fleet_of(requests: Sequence[Request], roles: Iterable[Role], **more: Any) -> tuple[RequestFleet, list[int]]:
    fleet = RequestFleet([serving(requests, **more)], 0.0)
    return fleet, [fleet.start(0, Board(MODEL), role) for role in roles]


def result(fleet: RequestFleet, slots: Iterable[int]) -> dict[str, Any]:
    """What two fleets are compared by."""
    book = fleet.books[0]
    spent = [fleet.take_spent(slot) for slot in slots]
    return {
        "arrived": int(book.arrived.sum()),
        "done": int(book.done.sum()),
        "tokens": (book.prompt_tokens, book.output_tokens),
        "counts": book.counts.sum(axis=1).tolist(),
        "iterations": [s.iterations for s in spent],
        "joules": [float(f"{s.joules:.9g}") for s in spent],
    }


def sums(requests: Sequence[Request]) -> tuple[float, float]:
    return float(sum(r.prompt_tokens for r in requests)), float(sum(r.output_tokens for r in requests))


# one, several, in pieces ----------------------------------------------------------------------------------------------


@given(REQUESTS)
def test_one_instance_is_as_by_itself(requests: list[Request]) -> None:
    fleet, (slot,) = fleet_of(requests, ["both"])
    fleet.advance(LATER_S)
    own = serving(requests)
    instance, outcome = instance_of(own.law, own.batching, MODEL, MODEL.default_cap_w)
    put_through(instance, requests)
    spent = fleet.take_spent(slot)
    assert (spent.iterations, spent.joules) == (instance.spent.iterations, instance.spent.joules)
    ttft = [outcome.first_s[r.number] - r.arrival_s for r in requests]
    exact = float(np.percentile(ttft, 50.0, method="higher"))
    assert fleet.books[0].percentile_s("ttft_s", 50.0) == pytest.approx(exact, rel=0.011)


@given(REQUESTS, ROUTINGS, st.lists(st.floats(0.0, 70.0), max_size=25), st.booleans())
def test_pieces_change_nothing(requests: list[Request], routing: str, stops_s: list[float], separate: bool) -> None:
    roles: list[Role] = ["prefill", "prefill", "decode", "decode"] if separate else ["both"] * 4
    more = {"routing": routing, "separate": separate, "long_tokens": 200}
    (whole, slots), (pieces, others) = (fleet_of(requests, roles, **more) for _ in range(2))
    for stop_s in sorted(stops_s):
        pieces.advance(stop_s)
    for fleet in (whole, pieces):
        fleet.advance(LATER_S)
    found = result(whole, slots)
    assert result(pieces, others) == found
    assert found["arrived"] == found["done"] == len(requests)
    assert found["tokens"] == sums(requests)


def test_services_do_not_know_of_each_other() -> None:
    requests = [Request(n, 0.1 * n, 500, 50) for n in range(20)]
    both = RequestFleet([serving(requests), serving(requests[:5])], 0.0)
    slots = [both.start(0, Board(MODEL)), both.start(1, Board(MODEL)), both.start(0, Board(MODEL))]
    alone, own = fleet_of(requests, ["both", "both"])
    for fleet in (both, alone):
        fleet.advance(LATER_S)
    assert [int(book.done.sum()) for book in both.books] == [20, 5]
    assert result(both, [slots[0], slots[2]]) == result(alone, own)


# who gets which -------------------------------------------------------------------------------------------------------


def started(fleet: RequestFleet, slots: Sequence[int]) -> list[int]:
    return [fleet.outstanding(slot) for slot in slots]


@pytest.mark.parametrize("routing", ["round_robin", "least_loaded"])
def test_a_burst_is_spread_evenly(routing: str) -> None:
    fleet, slots = fleet_of([Request(n, 0.0, 700, 100) for n in range(12)], ["both"] * 4, routing=routing)
    fleet.advance(0.01)
    assert started(fleet, slots) == [3, 3, 3, 3]


def test_by_length_keeps_long_prompts_apart() -> None:
    requests = [Request(n, 0.0, 100 if n % 2 else 5000, 100) for n in range(8)]
    fleet, slots = fleet_of(requests, ["both", "both"], routing="by_length", long_tokens=4096)
    fleet.advance(0.01)
    assert started(fleet, slots) == [4, 4]
    fleet.drain(slots[0])
    fleet.advance(LATER_S)
    spent = [fleet.take_spent(slot) for slot in slots]
    assert spent[1].sm_s > 5 * spent[0].sm_s


def test_a_transfer_that_waits_is_load() -> None:
    """Prompts computed by one iteration arrive together and are spread, though no iteration began in between."""
    requests = [Request(n, 0.0, 100, 100) for n in range(6)]
    fleet, slots = fleet_of(requests, ["prefill", "decode", "decode", "decode"], separate=True)
    fleet.advance(0.2)
    assert started(fleet, slots) == [0, 2, 2, 2]


@given(REQUESTS)
def test_least_loaded_never_takes_a_busier_one(requests: list[Request]) -> None:
    """Of instances advanced up to the arrival; the second of a burst meets the load of the first."""
    fleet, _ = fleet_of(requests, ["both"] * 3)
    instances = fleet._services[0].instances.values()
    admit, admitted = RequestInstance.admit, 0

    def checked(self: RequestInstance, sequence: Served) -> None:
        nonlocal admitted
        for instance in instances:
            instance.advance(sequence.request.arrival_s)
        loads = {id(i): i.context + i.reserved + i.queued for i in instances}
        assert loads[id(self)] == min(loads.values())
        admit(self, sequence)
        admitted += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RequestInstance, "admit", checked)
        fleet.advance(LATER_S)
    assert admitted == len(requests)


# prompts and decoding apart -------------------------------------------------------------------------------------------


def test_a_request_over_two_instances() -> None:
    own = serving()
    law, tokens = own.law, 1000
    fleet, slots = fleet_of([Request(0, 1.0, tokens, 3)], ["prefill", "decode"], separate=True)
    fleet.advance(LATER_S)
    prompt_s = law.cost(tokens, tokens * tokens / 2, 1, tokens).wall_s
    tokens_s = sum(law.cost(1, n, 1, n).wall_s for n in (tokens, tokens + 1))
    book = fleet.books[0]
    assert book.percentile_s("ttft_s") == pytest.approx(prompt_s, rel=0.02)
    assert book.percentile_s("latency_s") == pytest.approx(prompt_s + own.transfer_s(tokens) + tokens_s, rel=0.02)
    assert [fleet.take_spent(slot).iterations for slot in slots] == [1, 2]


def test_one_token_needs_no_transfer() -> None:
    fleet, slots = fleet_of([Request(0, 0.0, 1000, 1)], ["prefill", "decode"], separate=True)
    fleet.advance(LATER_S)
    assert [fleet.take_spent(slot).iterations for slot in slots] == [1, 0]
    assert fleet.books[0].done.sum() == 1


@pytest.mark.parametrize("step_s", [0.003, 0.05, 1.0])
def test_a_prompt_instance_that_drains_sends_on_time(step_s: float) -> None:
    """It computes what it has, and that goes on at once however seldom the fleet is asked."""
    requests = [Request(n, 0.0, 2000, 20) for n in range(10)]
    fleet, slots = fleet_of(requests, ["prefill", "prefill", "decode"], separate=True)
    fleet.advance(0.001)
    fleet.drain(slots[0])
    for stop in np.arange(step_s, 3.0, step_s):
        fleet.advance(float(stop))
    book = fleet.books[0]
    assert book.done.sum() == 10
    latency_s = book.percentile_s("latency_s", 100.0)
    assert latency_s is not None
    assert latency_s < 0.7


# coming and going -----------------------------------------------------------------------------------------------------


def test_who_comes_before_any_instance_waits_for_one() -> None:
    requests = [Request(n, 0.1 * n, 100, 10) for n in range(20)]
    fleet, _ = fleet_of(requests, [])
    fleet.advance(5.0)
    assert (fleet.books[0].arrived.sum(), fleet.books[0].done.sum()) == (20, 0)
    slot = fleet.start(0, Board(MODEL))
    assert fleet.outstanding(slot) == 20
    fleet.advance(10.0)
    assert fleet.books[0].done.sum() == 20
    least_s = fleet.books[0].percentile_s("ttft_s", 0.0)
    assert least_s is not None
    assert least_s > 3.0


def test_a_drained_instance_finishes_and_gets_no_more() -> None:
    requests = [Request(n, 0.05 * n, 500, 100) for n in range(40)]
    fleet, slots = fleet_of(requests, ["both", "both"])
    fleet.advance(1.0)
    has = fleet.outstanding(slots[0])
    fleet.drain(slots[0])
    fleet.advance(1.2)
    assert 0 < fleet.outstanding(slots[0]) <= has
    fleet.advance(LATER_S)
    assert (fleet.outstanding(slots[0]), int(fleet.books[0].done.sum())) == (0, 40)


def test_requests_of_an_evicted_instance_begin_anew_at_once() -> None:
    """Their first token comes again, as late as it is then."""
    fleet, slots = fleet_of([Request(0, 0.0, 500, 400)], ["both", "both"], routing="round_robin")
    fleet.advance(1.0)
    (busy,) = (slot for slot in slots if fleet.outstanding(slot))
    fleet.evict(busy)
    (other,) = (slot for slot in slots if slot != busy)
    assert fleet.outstanding(other) == 1
    fleet.advance(LATER_S)
    book, prompt_s = fleet.books[0], serving().law.cost(500, 500 * 250, 1, 500).wall_s
    assert book.done.sum() == 1
    assert book.percentile_s("ttft_s") == pytest.approx(1.0 + prompt_s, rel=0.011)


EVENTS = st.lists(st.tuples(st.floats(0.0, 40.0), st.sampled_from(["start", "drain", "evict"]), st.integers(0, 30)))


@given(REQUESTS, ROUTINGS, EVENTS, st.booleans())
def test_nobody_is_lost(
    requests: list[Request], routing: str, events: list[tuple[float, str, int]], separate: bool
) -> None:
    """Instances come and go; in the end there are some, and every request has been served, once."""
    roles: list[Role] = ["prefill", "decode"] if separate else ["both"]
    fleet, slots = fleet_of(requests, roles, routing=routing, separate=separate, long_tokens=200)
    for time_s, what, which in sorted(events):
        fleet.advance(time_s)
        if what == "start":
            slots.append(fleet.start(0, Board(MODEL), roles[which % len(roles)]))
        elif slots:
            slot = slots[which % len(slots)]
            getattr(fleet, what)(slot)
            slots = [other for other in slots if what == "drain" or other != slot]
    slots += [fleet.start(0, Board(MODEL), role) for role in roles]
    fleet.advance(LATER_S)
    found = result(fleet, slots)
    assert found["arrived"] == found["done"] == len(requests)
    assert found["tokens"] == sums(requests)
    assert all(fleet.outstanding(slot) == 0 for slot in slots)


@given(REQUESTS, ROUTINGS, st.floats(0.0, 20.0), st.booleans())
def test_a_copy_goes_its_own_way(requests: list[Request], routing: str, at_s: float, separate: bool) -> None:
    """What becomes of the copy does not touch what it was made of, and both do the same if left alone."""
    roles: list[Role] = ["prefill", "prefill", "decode", "decode"] if separate else ["both"] * 4
    more = {"routing": routing, "separate": separate, "long_tokens": 200}
    (fleet, slots), (same, others) = (fleet_of(requests, roles, **more) for _ in range(2))
    fleet.advance(at_s)
    twin, disturbed = fleet.copy(), fleet.copy()
    disturbed.evict(slots[-1])
    disturbed.board(slots[0]).top = 0
    for each in (disturbed, twin, fleet, same):
        each.advance(LATER_S)
    found = result(same, others)
    assert result(twin, slots) == found
    assert result(fleet, slots) == found


def test_boards_are_set_by_slot_and_spending_is_taken_once() -> None:
    fleet, slots = fleet_of([Request(0, 0.0, 500, 400)], ["both", "both"], routing="round_robin")
    fleet.board(slots[1]).top = 0
    fleet.advance(1.0)
    spent = fleet.take_spent(slots[1])
    assert spent.iterations > 0
    assert fleet.take_spent(slots[1]).iterations == 0
    fast, others = fleet_of([Request(0, 0.0, 500, 400)], ["both", "both"], routing="round_robin")
    fast.advance(1.0)
    assert fast.take_spent(others[1]).iterations > spent.iterations
