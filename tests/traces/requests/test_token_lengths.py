"""Distributions of lengths: they give back what they were fitted to, and the dependence in it."""

from __future__ import annotations

import numpy as np
import pytest

from goodwatt.errors import InputError
from goodwatt.traces.requests.token_lengths import GRID, TokenLengths, fitted, fixed


def test_quantiles_come_back() -> None:
    rng = np.random.default_rng(4)
    prompts = np.exp(rng.normal(6.0, 1.5, 50_000)).astype(np.int32) + 1
    outputs = np.exp(rng.normal(4.0, 0.5, 50_000)).astype(np.int32) + 1
    drawn = fitted("x", prompts, outputs).draw(50_000, rng)
    for got, real in zip(drawn, (prompts, outputs), strict=True):
        for q in (0.01, 0.25, 0.5, 0.9, 0.99):
            assert np.quantile(got, q) == pytest.approx(np.quantile(real, q), rel=0.12)


def test_a_dependence_that_turns_is_kept() -> None:
    prompts = np.arange(1, 8001, dtype=np.int32)
    outputs = np.where((prompts > 2000) & (prompts <= 6000), 500, 10).astype(np.int32)
    got = fitted("x", prompts, outputs).draw(20_000, np.random.default_rng(1))
    middle = (got[0] > 2000) & (got[0] <= 6000)
    assert (got[1][middle] == 500).mean() > 0.99
    assert (got[1][~middle] == 10).mean() > 0.99


def test_fixed_lengths() -> None:
    prompts, outputs = fixed(7, 3).draw(5, np.random.default_rng(0))
    assert (prompts.tolist(), outputs.tolist()) == ([7] * 5, [3] * 5)
    assert [str(column.dtype) for column in (prompts, outputs)] == ["int32", "int32"]
    assert (fixed().mean_prompt, fixed().mean_output) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("prompt", "output", "message"),
    [
        ((1.0,), ((1.0,) * len(GRID),), "expected 27 quantiles"),
        ((0.0,) + (1.0,) * 26, ((1.0,) * len(GRID),), "quantiles of 1 or more that do not fall"),
        ((1.0,) * 27, ((2.0,) + (1.0,) * 26,), "quantiles of 1 or more that do not fall"),
        ((1.0,) * 27, (), "expected 1, 2, 4, .. 32 bins, got 0"),
        ((1.0,) * 27, ((1.0,) * 27,) * 3, "expected 1, 2, 4, .. 32 bins, got 3"),
    ],
)
def test_what_is_refused(prompt: tuple[float, ...], output: tuple[tuple[float, ...], ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TokenLengths("x", prompt, output)


def test_too_few_to_fit() -> None:
    with pytest.raises(InputError, match="expected at least 8 requests, got 3"):
        fitted("x", np.ones(3, np.int32), np.ones(3, np.int32))
