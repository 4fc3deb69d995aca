"""Sources of requests: any pieces add up to the same whole, and the whole is what the trace or the profile says."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.errors import InputError
from goodwatt.traces.requests.blocks import Requests
from goodwatt.traces.requests.bursts import Bursts, Scale
from goodwatt.traces.requests.rate_profile import RateProfile, constant
from goodwatt.traces.requests.request_source import ProfileSource, TraceSource
from goodwatt.traces.requests.request_trace import RequestTrace
from goodwatt.traces.requests.token_lengths import fitted, fixed

LENGTHS = fitted("made", np.arange(1, 1001, dtype=np.int32), np.arange(1000, 0, -1, dtype=np.int32))
BURSTS = Bursts((Scale(1.0, 2.0), Scale(10.0, 3.0), Scale(60.0, 4.0), Scale(300.0, 5.0)))


def a_trace(count: int = 500, span_s: float = 333.3, seed: int = 1) -> RequestTrace:
    rng = np.random.default_rng(seed)
    arrival_s = np.sort(rng.random(count) * span_s)
    return RequestTrace.of("made", arrival_s, rng.integers(1, 9999, count), rng.integers(1, 999, count))


def sources() -> list[TraceSource | ProfileSource]:
    trace = a_trace()
    shape = RateProfile("steps", np.array([0.0, 100.0, 250.5]), np.array([3.0, 0.0, 1.0]), 400.25)
    return [
        TraceSource(trace),
        TraceSource(trace, start_s=12.34),
        TraceSource(trace, repeat=True, start_s=0.1),
        TraceSource(trace, repeat=True, period_s=1000.0),
        TraceSource(trace, rate_factor=2.6, seed=3),
        TraceSource(trace, rate_factor=0.4, repeat=True, start_s=77.7),
        ProfileSource(constant(5.0, 500.0), LENGTHS),
        ProfileSource(shape, LENGTHS, bursts=BURSTS, start_s=33.3),
        ProfileSource(shape, LENGTHS, bursts=BURSTS, repeat=True, start_s=0.7, seed=9),
    ]


SOURCES = sources()
END_S = 1500.0


def same(one: Requests, other: Requests) -> bool:
    pairs: Iterable[tuple[Any, Any]] = zip(one, other, strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def together(parts: list[Requests]) -> Requests:
    return Requests(*map(np.concatenate, zip(*parts, strict=True)))


@given(
    which=st.sampled_from(range(len(SOURCES))),
    cuts=st.lists(st.one_of(st.floats(0, END_S), st.integers(0, 1500).map(float)), max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_pieces_make_the_whole(which: int, cuts: list[float], order: Random) -> None:
    whole = sources()[which].between(0.0, END_S)
    pieces = list(pairwise([0.0, *sorted(cuts), END_S]))
    shuffled = list(range(len(pieces)))
    order.shuffle(shuffled)
    asked = {place: SOURCES[which].between(*pieces[place]) for place in shuffled}
    assert same(together([asked[place] for place in range(len(pieces))]), whole)


@pytest.mark.parametrize("which", range(len(SOURCES)))
def test_every_second_for_itself(which: int) -> None:
    source = SOURCES[which]
    parts = [source.between(float(t), t + 1.0) for t in range(1500)]
    assert same(together(parts), source.between(0.0, END_S))
    for second, part in enumerate(parts):
        assert ((part.arrival_s >= second) & (part.arrival_s < second + 1)).all()


@pytest.mark.parametrize("which", range(len(SOURCES)))
def test_what_is_handed_out(which: int) -> None:
    source = SOURCES[which]
    got = source.between(0.0, END_S)
    assert [str(column.dtype) for column in got] == ["float64", "int32", "int32"]
    assert (np.diff(got.arrival_s) >= 0).all()
    assert (got.prompt_tokens >= 1).all()
    assert (got.output_tokens >= 1).all()
    assert len(source.between(5.0, 5.0).arrival_s) == 0
    assert len(source.between(5.0, 3.0).arrival_s) == 0
    if source.span_s < END_S:
        assert len(source.between(source.span_s, END_S).arrival_s) == 0
        assert same(source.between(-5.0, float("inf")), got)
    piece = source.between(100.0, 101.0)
    with pytest.raises(ValueError, match="read-only"):
        piece.arrival_s[:] = 1.0


@pytest.mark.parametrize("which", range(len(SOURCES)))
def test_copies_and_other_processes_get_the_same(which: int) -> None:
    source = SOURCES[which]
    source.between(200.0, 201.0)
    for other in (copy.deepcopy(source), pickle.loads(pickle.dumps(source))):  # noqa: S301
        assert same(other.between(190.0, 800.0), source.between(190.0, 800.0))


def test_a_copy_costs_nothing() -> None:
    source = TraceSource(a_trace())
    assert copy.deepcopy({"of a simulation": source})["of a simulation"] is source


def test_a_trace_is_handed_out_as_it_is() -> None:
    trace = a_trace()
    got = TraceSource(trace).between(0.0, 1e9)
    assert same(got, Requests(trace.arrival_s, trace.prompt_tokens, trace.output_tokens))


def test_a_repeated_trace_comes_again_after_its_period() -> None:
    trace = a_trace()
    source = TraceSource(trace, repeat=True, period_s=400.0)
    first, second = source.between(0.0, 400.0), source.between(400.0, 800.0)
    assert np.allclose(second.arrival_s, first.arrival_s + 400.0)
    assert (second.prompt_tokens == first.prompt_tokens).all()


@pytest.mark.parametrize("factor", [0.25, 1.5, 3.0])
def test_a_factor_multiplies_the_requests_of_every_minute(factor: float) -> None:
    trace = a_trace(60_000, 3600.0)
    got = TraceSource(trace, rate_factor=factor).between(0.0, 3600.0)
    before = np.bincount((trace.arrival_s // 60).astype(int))
    after = np.bincount((got.arrival_s // 60).astype(int))
    spread = 5 * np.sqrt(before * (factor % 1) * (1 - factor % 1)) + 1e-9
    assert (np.abs(after - factor * before) <= spread).all()
    assert got.prompt_tokens.mean() == pytest.approx(trace.prompt_tokens.mean(), rel=0.02)


def test_copies_come_near_the_request_and_not_with_it() -> None:
    trace = RequestTrace.of("two", [0.0, 30.0, 59.0], [1, 7, 9])
    got = TraceSource(trace, rate_factor=400.0, jitter_s=4.0).between(0.0, 100.0)
    near = got.arrival_s[got.prompt_tokens == 7]
    assert len(near) == 400
    assert (np.abs(near - 30.0) <= 4.0).all()
    assert len(np.unique(near)) == 400


def test_seed_and_name_decide_the_draws() -> None:
    def draws(name: str, seed: int) -> list[float]:
        source = ProfileSource(constant(2.0), LENGTHS, name=name, seed=seed)
        return list(source.between(0.0, 60.0).arrival_s)

    assert draws("a", 0) == draws("a", 0)
    assert len({tuple(draws(name, seed)) for name in ("a", "b") for seed in (0, 1)}) == 4


def test_a_profile_gives_its_rates() -> None:
    profile = RateProfile("p", np.array([0.0, 1000.0, 2000.0]), np.array([10.0, 0.0, 40.0]), 3000.0)
    arrival_s = ProfileSource(profile, fixed()).between(0.0, 1e6).arrival_s
    counts = np.histogram(arrival_s, [0, 1000, 2000, 3000])[0]
    assert counts[1] == 0
    assert abs(counts[0] - 10_000) < 500
    assert abs(counts[2] - 40_000) < 1000


def test_nothing_comes_after_the_end_of_a_profile() -> None:
    source = ProfileSource(constant(1000.0, 61.25), fixed(), start_s=2.0)
    arrival_s = source.between(0.0, 1000.0).arrival_s
    assert arrival_s[-1] < source.span_s == 63.25
    assert len(arrival_s) == pytest.approx(61_250, rel=0.03)
    assert (arrival_s > 63.0).sum() == pytest.approx(250, abs=80)


def dispersion(bursts: Bursts, interval_s: float) -> float:
    source = ProfileSource(constant(50.0, 200_000.0), fixed(), bursts=bursts)
    counts = np.histogram(source.between(0.0, 200_000.0).arrival_s, np.arange(0.0, 200_001.0, interval_s))[0]
    return float(counts.var() / counts.mean())


@pytest.mark.parametrize("scale", [Scale(1.0, 5.0), Scale(10.0, 5.0), Scale(60.0, 5.0), Scale(300.0, 20.0)])
def test_dispersion_is_the_stated_one(scale: Scale) -> None:
    bursts = Bursts((scale,))
    interval_s = scale.window_s * 4
    error = 3 * (2 * interval_s / 200_000.0) ** 0.5  # three standard errors of a variance from so many intervals
    assert dispersion(Bursts(), interval_s) == pytest.approx(1.0, rel=error)
    assert dispersion(bursts, interval_s) == pytest.approx(1.0 + scale.excess, rel=error)  # aligned: nothing is cut
    assert bursts.dispersion(interval_s) == pytest.approx(1.0 + scale.excess * (1 - 1 / 12))


@pytest.mark.parametrize(("window_s", "excess"), [(7.0, 1.0), (0.5, 1.0), (90.0, 1.0), (10.0, -1.0), (10.0, np.inf)])
def test_scales_that_are_refused(window_s: float, excess: float) -> None:
    with pytest.raises(InputError, match="expected a"):
        Scale(window_s, excess)


def test_sources_that_are_refused() -> None:
    trace = a_trace()
    for options, message in [
        ({"rate_factor": 0.0}, "a rate factor above 0, got 0"),
        ({"rate_factor": float("nan")}, "a rate factor above 0, got nan"),
        ({"start_s": -1.0}, "a start of 0 s or later, got -1"),
        ({"jitter_s": -1.0}, "a jitter of 0 s or more"),
        ({"period_s": 100.0}, "a period longer than"),
        ({"seed": -1}, "a seed of 0 or more"),
    ]:
        with pytest.raises(InputError, match=message):
            TraceSource(trace, **options)  # type: ignore[arg-type]
    relative = RateProfile("shape", np.zeros(1), np.ones(1), 10.0, relative=True)
    with pytest.raises(InputError, match="say its mean or peak rate"):
        ProfileSource(relative, LENGTHS)
    with pytest.raises(InputError, match="an interval that ends"):
        TraceSource(trace, repeat=True).between(0.0, float("inf"))


def test_lengths_follow_prompts() -> None:
    got = ProfileSource(constant(100.0, 1000.0), LENGTHS).between(0.0, 1000.0)
    assert np.corrcoef(got.prompt_tokens, got.output_tokens)[0, 1] < -0.95
    assert got.prompt_tokens.mean() == pytest.approx(LENGTHS.mean_prompt, rel=0.01)
    assert got.output_tokens.mean() == pytest.approx(LENGTHS.mean_output, rel=0.01)
