"""How long prompts and outputs are: a distribution of pairs, as quantiles of prompts and of outputs beside them.

Real traces have modes, ties and a dependence between the two that no one correlation describes (short and long prompts
are answered briefly, those in between at length), so the distribution is tables of quantiles: of the prompts, and of
the outputs for each equal share of prompts in order of length. What is fitted to public traces ships with `generate`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from goodwatt.errors import InputError
from goodwatt.traces.requests.request_trace import MOST_TOKENS, Floats, Tokens

GRID = (0.0, 0.01, 0.025, *(round(0.05 * i, 2) for i in range(1, 20)), 0.975, 0.99, 0.995, 0.999, 1.0)
"""The quantiles that are kept; between two of them the logarithm of the length is linear in the quantile."""
CELLS = 1 << 16
"""Lengths are drawn from this many equally likely ones: what is rarer than 1 in 65,536 is not drawn on its own."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenLengths:
    """`prompt[q]` is the quantile GRID[q] of prompt tokens; `output[b][q]` that of output tokens of bin b.

    The bins are equal shares of the prompts in order of length, and a power of two of them. Lengths are 1 or more and
    rise with the quantile. Raises InputError where it is not so.
    """

    name: str
    prompt: tuple[float, ...]
    output: tuple[tuple[float, ...], ...]
    _prompt_cells: Tokens = field(init=False, repr=False)
    _output_cells: NDArray[np.int32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.output) not in (1, 2, 4, 8, 16, 32):
            raise InputError(f"token lengths {self.name!r}: expected 1, 2, 4, .. 32 bins, got {len(self.output)}")
        for quantiles in (self.prompt, *self.output):
            self._check(quantiles)
        object.__setattr__(self, "_prompt_cells", _cells(self.prompt))
        object.__setattr__(self, "_output_cells", np.concatenate([_cells(row) for row in self.output]))

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tokens, Tokens]:
        """Prompt and output tokens of `count` requests, two int32 arrays, independent from request to request."""
        place = rng.integers(0, CELLS, count, np.uint16)
        other = rng.integers(0, CELLS, count, np.uint16)
        bins = place.astype(np.int32) * len(self.output) // CELLS
        return self._prompt_cells[place], self._output_cells[bins * CELLS + other]

    @property
    def mean_prompt(self) -> float:
        """Mean prompt tokens."""
        return float(self._prompt_cells.mean())

    @property
    def mean_output(self) -> float:
        """Mean output tokens."""
        return float(self._output_cells.mean())

    def _check(self, quantiles: tuple[float, ...]) -> None:
        values = np.array(quantiles, np.float64)
        if values.shape != (len(GRID),):
            raise InputError(f"token lengths {self.name!r}: expected {len(GRID)} quantiles, got {values.shape}")
        if not (values[0] >= 1.0 and (np.diff(values) >= 0.0).all() and values[-1] <= MOST_TOKENS):
            raise InputError(
                f"token lengths {self.name!r}: expected quantiles of 1 or more that do not fall, got {quantiles}"
            )


def fitted(name: str, prompt_tokens: Tokens, output_tokens: Tokens, bins: int = 8) -> TokenLengths:
    """The distribution of the requests given, ties among prompts split by their order."""
    order = np.argsort(prompt_tokens, kind="stable")
    parts = np.array_split(output_tokens[order], bins)
    if not len(parts[-1]):
        raise InputError(f"token lengths {name!r}: expected at least {bins} requests, got {len(order)}")
    return TokenLengths(name, _quantiles(prompt_tokens), tuple(_quantiles(part) for part in parts))


def fixed(prompt_tokens: int = 1, output_tokens: int = 1, name: str = "fixed") -> TokenLengths:
    """Every request alike; 1 and 1 for a service without tokens."""
    return TokenLengths(name, (float(prompt_tokens),) * len(GRID), ((float(output_tokens),) * len(GRID),))


def _quantiles(values: Tokens) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(values, GRID, method="inverted_cdf"))


def _cells(quantiles: tuple[float, ...]) -> Tokens:
    """CELLS equally likely lengths, in order."""
    middle: Floats = (np.arange(CELLS) + 0.5) / CELLS
    return np.rint(np.exp(np.interp(middle, GRID, np.log(quantiles)))).astype(np.int32)
