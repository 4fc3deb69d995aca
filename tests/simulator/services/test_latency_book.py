"""Latencies kept as counts: percentiles, minutes, who was on time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.simulator.services.latency_book import BINS, MEASURES, WINDOW_S, Finished, LatencyBook, percentile_s
from goodwatt.simulator.services.promise import Promise

PROMISE = Promise(ttft_s=1.0, tpot_s=0.05, latency_s=20.0)


def finished(*rows: tuple[float, float, float, int, int]) -> Finished:
    """Arrival, seconds to the first token, seconds from there to the last, prompt and output tokens."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    arrival, ttft, rest, prompt, output = table
    return Finished(arrival, arrival + ttft, arrival + ttft + rest, prompt, output)


def drawn(seed: int, span_s: float) -> Finished:
    """Many requests, sorted by arrival; latencies over six decades."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 400))
    arrival = np.sort(rng.uniform(0.0, span_s, count))
    first = arrival + 10.0 ** rng.uniform(-3.0, 3.0, count)
    output = rng.integers(1, 500, count).astype(np.float64)
    end = np.where(output > 1, first + (output - 1) * 10.0 ** rng.uniform(-3.0, -0.5, count), first)
    return Finished(arrival, first, end, rng.integers(1, 5000, count).astype(np.float64), output)


def book_of(*parts: Finished, start_s: float = 0.0) -> LatencyBook:
    book = LatencyBook(PROMISE, start_s)
    for part in parts:
        book.arrive(part.arrival_s)
    for part in parts:
        book.finish(part)
    return book


def cut(table: Finished, which: slice) -> Finished:
    return Finished(*[column[which] for column in table])


SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.sampled_from([0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0]))
def test_percentiles_are_right_to_one_per_cent(seed: int, percent: float) -> None:
    table = drawn(seed, 3000.0)
    book = book_of(table)
    for measure, values in zip(MEASURES, table.measures, strict=True):
        exact = max(1e-4, float(np.percentile(values, percent, method="higher")))
        assert book.percentile_s(measure, percent) == pytest.approx(exact, rel=0.011)


@given(SEEDS, st.floats(0.0, 20000.0))
def test_counts_by_minute(seed: int, span_s: float) -> None:
    """Against counting one by one; a request counts in the minute in which it arrived."""
    table = drawn(seed, span_s)
    book = book_of(table)
    arrived: dict[int, int] = {}
    kept: dict[int, int] = {}
    for arrival_s, first_s, end_s, _, output in zip(*(column.tolist() for column in table), strict=True):
        minute = int(arrival_s // 60)
        tpot_s = (end_s - first_s) / (output - 1) if output > 1 else 0.0
        on_time = first_s - arrival_s <= 1.0 and tpot_s <= 0.05 and end_s - arrival_s <= 20.0
        arrived[minute] = arrived.get(minute, 0) + 1
        kept[minute] = kept.get(minute, 0) + on_time
    assert {int(m): int(book.arrived[m]) for m in np.flatnonzero(book.arrived)} == arrived
    assert {int(m): int(book.done[m]) for m in np.flatnonzero(book.done)} == arrived
    assert {m: int(book.on_time[m]) for m in arrived} == kept
    assert book.attainment == pytest.approx(sum(kept.values()) / sum(arrived.values()))
    late = {m: arrived[m] - kept[m] for m in arrived}
    good = [100 * late[m] <= arrived[m] or (late[m] == 1 and arrived[m] >= 20) for m in arrived]
    assert book.minutes_kept == pytest.approx(sum(good) / len(good))


@given(SEEDS, SEEDS, st.floats(0.0, 1.0))
def test_pieces_and_two_books_add_up(seed: int, other: int, share: float) -> None:
    """However requests are handed over, and whether by one book or by two."""
    one, two = drawn(seed, 4000.0), drawn(other, 9000.0)
    place = int(share * len(one.arrival_s))
    pieces = book_of(cut(one, slice(0, place)), cut(one, slice(place, None)), two)
    first, second = book_of(one), book_of(two)
    for name in ("arrived", "done", "on_time"):
        longest = len(getattr(pieces, name))
        columns = [getattr(book, name) for book in (first, second)]
        padded = [np.pad(column, (0, max(0, longest - len(column))))[:longest] for column in columns]
        assert (sum(padded) == getattr(pieces, name)).all()
        assert sum(int(column.sum()) for column in columns) == int(getattr(pieces, name).sum())
    assert (first.counts.sum(axis=1) + second.counts.sum(axis=1) == pieces.counts.sum(axis=1)).all()
    for name in ("prompt_tokens", "output_tokens", "on_time_prompt_tokens", "on_time_output_tokens"):
        assert getattr(pieces, name) == pytest.approx(getattr(first, name) + getattr(second, name))


def test_tokens_of_those_on_time() -> None:
    book = book_of(finished((0.0, 0.5, 1.0, 100, 50), (1.0, 1.5, 1.0, 7, 30), (2.0, 0.5, 0.0, 3, 1)))
    assert (book.prompt_tokens, book.output_tokens) == (110.0, 81.0)
    assert (book.on_time_prompt_tokens, book.on_time_output_tokens) == (103.0, 51.0)


def test_those_that_never_finish_are_not_kept() -> None:
    book = book_of(finished((0.0, 0.5, 0.0, 1, 1)))
    assert (book.attainment, book.minutes_kept) == (1.0, 1.0)
    book.arrive(np.array([30.0, 200.0, 201.0]))
    assert book.attainment == 0.25
    assert book.minutes_kept == 0.0
    assert book.percentile_s("ttft_s") == pytest.approx(0.5, rel=0.011)


def test_a_minute_keeps_the_promise_with_99_of_100() -> None:
    """Whole multiples are not lost to rounding."""
    for hundreds in range(1, 200):
        count = 100 * hundreds
        book = LatencyBook(PROMISE, 0.0)
        book.arrive(np.full(count, 5.0))
        book.finish(finished(*[(5.0, 0.5, 0.0, 1, 1)] * (count - hundreds)))
        assert book.minutes_kept == 1.0, count
        book.arrive(np.array([6.0]))
        assert book.minutes_kept == 0.0, count


def test_an_empty_book() -> None:
    book = LatencyBook(PROMISE, 0.0)
    book.arrive(np.zeros(0))
    book.finish(finished())
    assert (book.attainment, book.minutes_kept, book.percentile_s("ttft_s")) == (None, None, None)


def test_it_grows_with_time_and_begins_at_its_start() -> None:
    book = book_of(finished((7200.0, 0.5, 0.0, 1, 1)), start_s=7200.0)
    assert book.arrived[0] == book.done[0] == 1
    for minute in (1, 63, 64, 65, 127, 128, 1000, 40000):
        row = finished((7200.0 + 60.0 * minute + 59.9, 0.5, 0.0, 1, 1))
        book.arrive(row.arrival_s)
        book.finish(row)
        assert book.arrived[minute] == book.on_time[minute] == 1
    assert book.arrived.sum() == book.done.sum() == 9
    assert book.counts.sum() == 9 * len(MEASURES)
    assert book.counts.shape[2] == BINS
    assert book.counts.shape[1] * WINDOW_S >= 60.0 * len(book.arrived)


def test_windows_of_a_quarter_of_an_hour() -> None:
    book = book_of(finished((0.0, 0.1, 0.0, 1, 1), (899.0, 0.2, 0.0, 1, 1), (901.0, 0.8, 0.0, 1, 1)))
    assert book.percentile_s("ttft_s", 100.0, window=0) == pytest.approx(0.2, rel=0.011)
    assert book.percentile_s("ttft_s", 100.0, window=1) == pytest.approx(0.8, rel=0.011)
    assert book.percentile_s("ttft_s", 100.0, window=2) is None


@pytest.mark.parametrize("latency_s", [0.0, 1e-9, 1e-4, 0.5, 86400.0, 1e5, 1e12])
def test_any_latency_has_its_place(latency_s: float) -> None:
    book = book_of(finished((0.0, latency_s, 0.0, 1, 1)))
    found = book.percentile_s("ttft_s")
    assert found is not None
    assert found == pytest.approx(min(max(latency_s, 1e-4), 1e5), rel=0.011)


def test_percentiles_of_counts() -> None:
    counts = np.zeros(BINS, dtype=np.int64)
    assert percentile_s(counts, 99.0) is None
    counts[[10, 20]] = 99, 1
    middle = [1e-4 * math.exp((place + 0.5) * math.log(1.02)) for place in (10, 20)]
    assert percentile_s(counts, 98.9) == pytest.approx(middle[0])
    assert percentile_s(counts, 99.5) == pytest.approx(middle[1])
