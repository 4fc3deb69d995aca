"""The instance request by request against one that makes iteration by iteration, and what holds whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.request_instance import Batching, RequestInstance
from goodwatt.simulator.services.sequence import Request
from goodwatt.simulator.services.sequence import Sequence as Served
from tests.simulator.services.iteration_by_iteration import IterationByIteration
from tests.simulator.services.served_requests import (
    BATCHINGS,
    LAWS,
    REQUESTS,
    Outcome,
    instance_of,
    law_of,
    model_of,
    put_through,
    straight,
)

ROOMY = Batching(budget=2048, most=256, kv_tokens=4e5)
NAMES = st.sampled_from(sorted(LAWS))


def close(value: float, rel: float = 1e-9) -> object:
    return pytest.approx(value, rel=rel, abs=1e-12)


def both(
    name: str, batching: Batching, requests: list[Request]
) -> tuple[RequestInstance, Outcome, IterationByIteration]:
    law, model = straight(law_of(name)), model_of(name)
    slow = IterationByIteration(law, batching, model)
    slow.serve(requests)
    fast, outcome = instance_of(law, batching, model)
    put_through(fast, requests)
    return fast, outcome, slow


# against iteration by iteration ---------------------------------------------------------------------------------------


@example("8B on one H200", Batching(budget=2048, most=256, kv_tokens=100.0), [Request(0, 0.0, 5000, 300)])  # alone
@example(
    "8B on one H200", Batching(budget=64, most=256, kv_tokens=500.0), [Request(n, 0.0, 100, 300) for n in range(9)]
)
@example("8B on one H200", Batching(budget=3, most=9, kv_tokens=4e5), [Request(n, 0.0, 7, 9) for n in range(9)])
@given(NAMES, BATCHINGS, REQUESTS)
def test_all_is_as_iteration_by_iteration(name: str, batching: Batching, requests: list[Request]) -> None:
    fast, outcome, slow = both(name, batching, requests)
    assert outcome.ended == [served.request.number for served in slow.ended]
    for served in slow.ended:
        assert outcome.first_s[served.request.number] == close(served.first_s or 0.0)
        assert outcome.end_s[served.request.number] == close(served.end_s)
    assert (fast.preempted, fast.count) == (slow.preempted, slow.iterations)
    assert fast.spent.iterations == slow.iterations
    assert fast.spent.joules == close(slow.joules)
    assert fast.spent.wall_s == close(slow.busy_s)


def test_the_cases_above_preempt_and_cut_prompts() -> None:
    requests = [Request(n, 0.0, 100, 300) for n in range(9)]
    fast, _, _ = both("8B on one H200", Batching(budget=64, most=256, kv_tokens=500.0), requests)
    assert fast.preempted > 5


@pytest.mark.parametrize("name", sorted(LAWS))
def test_the_line_through_a_run_of_decoding_costs_little(name: str) -> None:
    """Launches beside the GPU's work bend the time of an iteration: at worst 2e-5 of a latency, nothing of energy."""
    requests = [Request(n, 0.3 * n, 50 + 997 * n % 4000, 1 + 379 * n % 900) for n in range(60)]
    slow = IterationByIteration(law_of(name), ROOMY, model_of(name))
    slow.serve(requests)
    fast, outcome = instance_of(law_of(name), ROOMY, model_of(name))
    put_through(fast, requests)
    for served in slow.ended:
        latency_s = served.end_s - served.request.arrival_s
        assert abs(outcome.end_s[served.request.number] - served.end_s) < 1e-4 * latency_s
    assert fast.spent.joules == close(slow.joules)


@pytest.mark.parametrize("cap_w", [650.0, 500.0, 350.0])
def test_one_clock_for_a_run_costs_little(cap_w: float) -> None:
    """A board that looks at each iteration by itself spends what is left of its mean at once; a run spreads it."""
    name = "8B on one H200"
    requests = [Request(n, 0.07 * n, 50 + 997 * n % 4000, 1 + 379 * n % 300) for n in range(120)]
    board = Board(model_of(name))
    board.cap_w = cap_w
    slow = IterationByIteration(law_of(name), ROOMY, model_of(name), board)
    slow.serve(requests)
    fast, outcome = instance_of(law_of(name), ROOMY, model_of(name), cap_w)
    put_through(fast, requests)
    latencies_s = {s.request.number: s.end_s - s.request.arrival_s for s in slow.ended}
    for number, latency_s in latencies_s.items():
        assert abs(outcome.end_s[number] - number * 0.07 - latency_s) < 0.01 * latency_s
    assert fast.spent.joules == close(slow.joules, rel=1e-3)
    assert fast.spent.wall_s == close(slow.busy_s, rel=1e-3)


# whatever comes -------------------------------------------------------------------------------------------------------


@given(NAMES, BATCHINGS, REQUESTS)
def test_each_request_ends_once_and_not_too_early(name: str, batching: Batching, requests: list[Request]) -> None:
    law = law_of(name)
    instance, outcome = instance_of(law, batching, model_of(name))
    put_through(instance, requests)
    assert sorted(outcome.ended) == [request.number for request in requests]
    one_token_s = law.cost(1, 0.0, 1, 1.0).wall_s
    for number, arrival_s, prompt, output in requests:
        least_s = law.multiply_s * prompt
        assert outcome.first_s[number] >= arrival_s + max(least_s, one_token_s)
        assert outcome.end_s[number] >= outcome.first_s[number] + (output - 1) * one_token_s * (1 - 1e-12)
    assert (instance.outstanding, instance.context, instance.reserved, instance.queued) == (0, 0, 0, 0)


@given(BATCHINGS, REQUESTS)
def test_the_cache_is_never_too_full_but_for_one(batching: Batching, requests: list[Request]) -> None:
    instance, _ = instance_of(law_of("8B on one H200"), batching, model_of("8B on one H200"))
    for request in requests:
        instance.advance(request.arrival_s)
        instance.admit(Served(request))
    while instance.outstanding:
        instance.advance(instance.now_s + 1e-9)  # an iteration
        inside = len(instance.decoding) + len(instance.prefilling)
        assert inside <= batching.most
        assert inside < 2 or instance.context + instance.reserved <= batching.kv_tokens


def test_who_is_computed_last_is_preempted_before_who_decodes() -> None:
    """A long prompt in many pieces beside a sequence that grows: the prompt has to wait."""
    batching = Batching(budget=5, most=9, kv_tokens=200.0)
    instance, outcome = instance_of(law_of("8B on one H200"), batching, model_of("8B on one H200"))
    put_through(instance, [Request(0, 0.0, 4, 60), Request(1, 0.0, 190, 2)])
    assert instance.preempted == 1
    assert outcome.ended == [0, 1]


@given(NAMES, BATCHINGS, REQUESTS, st.lists(st.floats(0.0, 60.0), max_size=40), st.sampled_from([1e6, 450.0]))
def test_pieces_change_nothing(
    name: str, batching: Batching, requests: list[Request], stops_s: list[float], cap_w: float
) -> None:
    (whole, one), (pieces, other) = (instance_of(law_of(name), batching, model_of(name), cap_w) for _ in range(2))
    put_through(whole, requests)
    put_through(pieces, requests, stops_s)
    assert other.ended == one.ended
    assert (pieces.preempted, pieces.count) == (whole.preempted, whole.count)
    for number, end_s in one.end_s.items():
        assert other.end_s[number] == close(end_s)
        assert other.first_s[number] == close(one.first_s[number])
    assert pieces.spent.joules == close(whole.spent.joules)
    assert pieces.spent.wall_s == close(whole.spent.wall_s)


def test_pieces_change_nothing_under_a_tight_cap() -> None:
    """What the board remembers does not depend on the pieces either."""
    requests = [Request(n, 0.11 * n, 700 + 97 * n % 900, 3 + n % 7) for n in range(40)]
    name = "8B on one H200"
    (whole, one), (pieces, other) = (instance_of(law_of(name), ROOMY, model_of(name), 450.0) for _ in range(2))
    put_through(whole, requests)
    put_through(pieces, requests, [0.003 * n for n in range(2000)])
    assert other.end_s == {number: close(end_s) for number, end_s in one.end_s.items()}
    assert pieces.spent.joules == close(whole.spent.joules)
    free, outcome = instance_of(law_of(name), ROOMY, model_of(name))
    put_through(free, requests)
    assert sum(one.end_s.values()) > sum(outcome.end_s.values()) + 0.1


@given(REQUESTS, st.lists(st.floats(0.0, 30.0), max_size=10))
def test_its_load_is_told_without_advancing_it(requests: list[Request], times_s: list[float]) -> None:
    """Between events the load is foretold; it is what an advanced instance has."""
    told, real = (instance_of(law_of("8B on one H200"), ROOMY, model_of("8B on one H200"))[0] for _ in range(2))
    events = sorted(
        [(time_s, -1) for time_s in times_s] + [(request.arrival_s, request.number) for request in requests]
    )
    for time_s, number in events:
        real.advance(time_s)
        assert told.load_tokens(time_s) == real.context + real.reserved + real.queued
        if number >= 0:
            for instance in (told, real):
                instance.advance(time_s)
                instance.admit(Served(requests[number]))


# small cases ----------------------------------------------------------------------------------------------------------


def test_a_request_alone() -> None:
    """Its prompt in pieces of the budget, then a token an iteration."""
    law, batching = straight(law_of("8B on one H200")), Batching(budget=100, most=9, kv_tokens=4e5)
    instance, outcome = instance_of(law, batching, model_of("8B on one H200"))
    put_through(instance, [Request(0, 2.0, 250, 3)])
    pieces_s = (
        law.cost(100, 5000.0, 1, 100.0).wall_s
        + law.cost(100, 15000.0, 1, 200.0).wall_s
        + law.cost(50, 50 * 225.0, 1, 250.0).wall_s
    )
    tokens_s = law.cost(1, 250, 1, 250).wall_s + law.cost(1, 251, 1, 251).wall_s
    assert outcome.first_s[0] == close(2.0 + pieces_s)
    assert outcome.end_s[0] == close(2.0 + pieces_s + tokens_s)


def test_one_output_token_is_the_first_and_the_last() -> None:
    instance, outcome = instance_of(law_of("8B on one H200"), ROOMY, model_of("8B on one H200"))
    put_through(instance, [Request(n, 0.0, 100, 1) for n in range(5)])
    assert outcome.first_s == outcome.end_s
    assert len(set(outcome.end_s.values())) == 1
    assert outcome.firsts == 0  # nobody asks whether it goes on elsewhere


def test_a_computed_request_decodes_at_once() -> None:
    """As it comes from an instance for prompts: it needs no prefill, but room."""
    instance, outcome = instance_of(law_of("8B on one H200"), ROOMY, model_of("8B on one H200"))
    served = Served(Request(0, 0.0, 500, 3))
    served.left, served.computed, served.owed, served.first_s = 0, 500, 2, 0.25
    instance.advance(1.0)
    instance.admit(served)
    assert instance.load_tokens(1.0) == 500
    instance.advance(100.0)
    assert instance.count == 2
    assert outcome.first_s[0] == 0.25
    assert outcome.end_s[0] < 1.1


def test_draining_gives_everybody_back_as_new() -> None:
    batching = Batching(budget=512, most=3, kv_tokens=4e5)
    instance, outcome = instance_of(law_of("8B on one H200"), batching, model_of("8B on one H200"))
    for number in range(5):
        instance.admit(Served(Request(number, 0.0, 800, 50)))
    instance.advance(0.1)
    assert instance.decoding
    gone = instance.drain()
    assert sorted(served.request.number for served in gone) == [0, 1, 2, 3, 4]
    assert {(served.left, served.computed, served.owed) for served in gone} == {(800, 0, 50)}
    assert (instance.outstanding, instance.load_tokens(instance.now_s)) == (0, 0)
    assert not outcome.ended
    again, outcome = instance_of(law_of("8B on one H200"), batching, model_of("8B on one H200"))
    for served in gone:
        again.admit(served)
    again.advance(100.0)
    assert len(outcome.ended) == 5


def test_a_clock_set_while_it_decodes_counts_from_the_next_iteration() -> None:
    instance, outcome = instance_of(law_of("8B on one H200"), ROOMY, model_of("8B on one H200"))
    instance.admit(Served(Request(0, 0.0, 4000, 2000)))
    instance.advance(1.0)
    done, begin_s, context = instance.count, instance.now_s, instance.context
    instance.board.top, instance.board.sharing = 0, 2.0
    instance.advance(2.0)
    made = instance.count - done
    middle, x = context + 0.5 * (made - 1), instance.board.x_of(0)
    slow_s = instance.law.cost(1, middle, 1, middle, x, 2.0).wall_s
    assert instance.now_s == close(begin_s + made * slow_s, rel=1e-5)
    assert slow_s > 1.5 * begin_s / done
    assert not outcome.ended
