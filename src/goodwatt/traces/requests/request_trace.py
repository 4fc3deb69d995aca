"""A trace of requests in memory: when each came and how many tokens it read and wrote, as columns.

A trace of millions of requests is arrays, not objects. Reading one from a file is for `reading` and the formats,
handing its requests to a simulation for `request_source`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goodwatt.errors import BadRow, InputError
from goodwatt.traces.trace import MARK_SEPARATOR, Dropped

Floats = NDArray[np.float64]
Tokens = NDArray[np.int32]

MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class RequestTrace:
    """Requests in order of arrival; three arrays of the same length, at least one request, never written to.

    `arrival_s` (float64) are seconds, none before 0: those of the source where it has such, else since the first
    request. `day_s` is the time of day at 0 s, in seconds after midnight, where the source tells it.
    `prompt_tokens` and `output_tokens` (int32) are at least 1; a service without tokens has 1 and 1.
    `dropped` counts what the file holds but is no answered request; `bad_rows` are the errors that
    `--skip-bad-rows` went past. `synthetic` has a label for whatever was made up.
    Raises InputError where the arrays are not so. Arrays that fit are taken over and become read-only; others, and
    views of arrays, are converted into copies.
    """

    name: str
    arrival_s: Floats
    prompt_tokens: Tokens
    output_tokens: Tokens
    day_s: float | None = None
    format: str = "memory"
    path: Path | None = None
    sha256: str = ""
    dropped: tuple[Dropped, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    notes: tuple[str, ...] = ()
    synthetic: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, arrival_s: ArrayLike, prompt_tokens: ArrayLike = 1, output_tokens: ArrayLike = 1) -> Self:
        """A trace from any numbers; one number of tokens holds for all requests. Raises InputError."""
        times = np.array(arrival_s, np.float64)
        prompts, outputs = np.array(prompt_tokens), np.array(output_tokens)
        prompts, outputs = (np.full(times.shape, c) if c.ndim == 0 else c for c in (prompts, outputs))
        return cls(name, times, prompts, outputs)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arrival_s", _fixed(_times(self.name, self.arrival_s)))
        for column in ("prompt_tokens", "output_tokens"):
            tokens = _tokens(self.name, column, getattr(self, column), len(self.arrival_s))
            object.__setattr__(self, column, _fixed(tokens))

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def span_s(self) -> float:
        """From 0 s to one mean gap after the last request: what a repetition of the trace takes."""
        first, last = float(self.arrival_s[0]), float(self.arrival_s[-1])
        return last + ((last - first) / (len(self) - 1) if last > first else 1.0)

    @property
    def mark(self) -> str:
        """`synthetic` as the one text that a request table carries in every row; empty where nothing is made up."""
        return MARK_SEPARATOR.join(label.replace(MARK_SEPARATOR, ", ") for label in self.synthetic)


def _times(name: str, values: Any) -> Floats:
    """Checked times of arrival; InputError says which is the first that cannot be."""
    times = np.asarray(values, np.float64)
    if times.ndim != 1 or not len(times):
        raise InputError(f"request trace {name!r}: expected at least one request, got arrays of shape {times.shape}")
    wrong = ~np.isfinite(times) | (times < 0.0)
    if wrong.any():
        place = int(wrong.argmax())
        raise InputError(
            f"request trace {name!r}, request {place + 1}: expected an arrival of 0 s or later, got {times[place]:g} s"
        )
    back = times[1:] < times[:-1]
    if back.any():
        place = int(back.argmax())
        raise InputError(
            f"request trace {name!r}, request {place + 2}: expected an arrival not before {times[place]!s} s, "
            f"that of the request ahead of it, got {times[place + 1]!s} s"
        )
    return times


def _tokens(name: str, column: str, values: Any, count: int) -> Tokens:
    """Checked numbers of tokens; InputError says which is the first that cannot be."""
    tokens = np.asarray(values)
    if tokens.shape != (count,):
        raise InputError(f"request trace {name!r}: expected {count} values of {column}, got shape {tokens.shape}")
    wrong = ~((tokens >= 1) & (tokens <= MOST_TOKENS)) | (tokens % 1 != 0)
    if wrong.any():
        place = int(wrong.argmax())
        raise InputError(
            f"request trace {name!r}, request {place + 1}: expected {column} to be a whole number, 1 to {MOST_TOKENS}, "
            f"got {tokens[place]!s}"
        )
    return tokens.astype(np.int32, copy=False)


def _fixed(column: NDArray[Any]) -> NDArray[Any]:
    """The same array, unwritable; a copy where it belongs to somebody who may still write to it."""
    if column.flags.writeable and column.base is not None:
        column = column.copy()
    column.setflags(write=False)
    return column
