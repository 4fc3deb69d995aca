"""Requests made block by block: any interval is cut from the blocks that it touches.

A block is at most BLOCK_S long and depends on nothing but the source and its own number, so it does not matter in which
order, how often and by whom blocks are asked for. The last one is kept, for callers that ask second by second.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Self

import numpy as np

from goodwatt.errors import InputError
from goodwatt.traces.requests.request_trace import Floats, Tokens

BLOCK_S = 60.0


class Requests(NamedTuple):
    """Requests in order of arrival, as three arrays of the same length: float64 seconds, int32 tokens."""

    arrival_s: Floats
    prompt_tokens: Tokens
    output_tokens: Tokens

    def cut(self, from_s: float, until_s: float) -> Requests:
        """Those that arrive in an interval, its start included and its end not."""
        first, end = self.arrival_s.searchsorted((from_s, until_s))
        return Requests(self.arrival_s[first:end], self.prompt_tokens[first:end], self.output_tokens[first:end])


NO_REQUESTS = Requests(np.empty(0), np.empty(0, np.int32), np.empty(0, np.int32))


def joined(parts: list[Requests]) -> Requests:
    """Parts that follow each other, as one."""
    if len(parts) == 1:
        return parts[0]
    return Requests(*map(np.concatenate, zip(*parts, strict=True))) if parts else NO_REQUESTS


def generator_of(seed: int, name: str, number: int, purpose: int = 0) -> np.random.Generator:
    """The generator of one block of one source; `purpose` keeps draws apart that have nothing to do with each other.

    The name counts by its SHA-256, since Python's own hash differs from process to process.
    """
    named = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return np.random.default_rng((seed, named, purpose, number))


def checked_seed(seed: int) -> int:
    """A seed that numpy takes; raises InputError."""
    if seed < 0:
        raise InputError(f"expected a seed of 0 or more, got {seed}")
    return seed


class Blocks(ABC):
    """A source in blocks, numbered from 0. Subclasses say where blocks begin and what is in them."""

    _last: tuple[int, Requests] = (-1, NO_REQUESTS)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself: a source has no state that a copy of a simulation could change."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What it was made from, without the block that is kept."""
        return {name: value for name, value in self.__dict__.items() if name != "_last"}

    @abstractmethod
    def _start_s(self, number: int) -> float:
        """Where a block begins, and the one before it ends; never less than for a smaller number."""

    @abstractmethod
    def _guess(self, time_s: float) -> int:
        """The number of the block that holds a time, perhaps off by one from rounding."""

    @abstractmethod
    def _count(self) -> float:
        """How many blocks there are; infinite where there is no end."""

    @abstractmethod
    def _make(self, number: int) -> Requests:
        """What is in a block: every arrival from its start on and before the start of the next."""

    def between(self, from_s: float, until_s: float) -> Requests:
        """The requests that arrive at `from_s` or later and before `until_s`; see RequestSource."""
        from_s = max(from_s, self._start_s(0))
        if not from_s < until_s:
            return NO_REQUESTS
        if math.isinf(min(until_s, self._start_s_of_end())):
            raise InputError("expected an interval that ends, got one without an end on a source without an end")
        parts, number, count = [], self._at(from_s), self._count()
        while number < count and self._start_s(number) < until_s:
            parts.append(self._block(number).cut(from_s, until_s))
            number += 1
        return joined(parts)

    def _start_s_of_end(self) -> float:
        count = self._count()
        return math.inf if math.isinf(count) else self._start_s(int(count))

    def _at(self, time_s: float) -> int:
        """The number of the block that holds a time, by its start exactly."""
        number = max(0, self._guess(time_s))
        while number and self._start_s(number) > time_s:
            number -= 1
        while number < self._count() and self._start_s(number + 1) <= time_s:
            number += 1
        return number

    def _block(self, number: int) -> Requests:
        last, requests = self._last
        if last != number:
            requests = self._make(number)
            for column in requests:
                column.setflags(write=False)
            self._last = number, requests
        return requests
