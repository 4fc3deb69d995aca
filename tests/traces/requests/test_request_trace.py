"""The columns of a request trace: what is refused, and that they stay as they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from goodwatt.errors import InputError
from goodwatt.traces.requests.request_trace import RequestTrace


def trace(arrival_s: Any, prompt: list[float] | None = None, output: list[float] | None = None) -> RequestTrace:
    return RequestTrace.of("t", arrival_s, prompt or 1, output or 1)


def test_columns_are_converted_and_fixed() -> None:
    made = trace([0, 1, 1, 4], [5, 6, 7, 8], [1, 2, 3, 4])
    assert [str(c.dtype) for c in (made.arrival_s, made.prompt_tokens, made.output_tokens)] == [
        "float64",
        "int32",
        "int32",
    ]
    assert len(made) == 4
    with pytest.raises(ValueError, match="read-only"):
        made.prompt_tokens[0] = 3


def test_a_view_of_somebody_elses_array_is_copied() -> None:
    whole = np.arange(10.0)
    made = RequestTrace("t", whole[:5], np.ones(5, np.int32), np.ones(5, np.int32))
    whole[0] = -1.0
    assert made.arrival_s[0] == 0.0
    assert whole.flags.writeable


@pytest.mark.parametrize(
    ("arrival_s", "prompt", "output", "message"),
    [
        ([], None, None, "at least one request"),
        ([-0.5], None, None, "request 1: expected an arrival of 0 s or later, got -0.5 s"),
        ([0, math.nan], None, None, "request 2: expected an arrival of 0 s or later, got nan s"),
        ([0, math.inf], None, None, "request 2: expected an arrival of 0 s or later, got inf s"),
        ([0, 5, 4], None, None, "request 3: expected an arrival not before 5.0 s"),
        ([0, 1], [1, 0], None, "request 2: expected prompt_tokens to be a whole number, 1 to 2147483647, got 0"),
        ([0, 1], None, [1, 1.5], "request 2: expected output_tokens to be a whole number"),
        ([0, 1], None, [1, 2.0**31], "request 2: expected output_tokens"),
        ([0, 1], None, [math.nan, 1], "request 1: expected output_tokens"),
        ([[0, 1]], None, None, "got arrays of shape"),
    ],
)
def test_what_is_refused(arrival_s: Any, prompt: list[float] | None, output: list[float] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trace(arrival_s, prompt, output)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected 2 values of output_tokens, got shape \(3,\)"):
        RequestTrace("t", np.zeros(2), np.ones(2, np.int32), np.ones(3, np.int32))


@pytest.mark.parametrize(("arrival_s", "span_s"), [([0, 1, 2, 3], 4.0), ([5, 7], 9.0), ([3], 4.0), ([2, 2], 3.0)])
def test_span_is_up_to_one_gap_after_the_last(arrival_s: list[float], span_s: float) -> None:
    assert trace(arrival_s).span_s == span_s
