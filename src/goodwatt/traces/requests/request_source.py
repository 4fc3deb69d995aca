"""The requests that arrive between two times, for whoever simulates a service: of a trace, or of a rate profile.

A source keeps no state: any interval gives the same requests, whoever asks and in whatever pieces, so a fork of a
simulation shares the source of its parent. What is random is drawn block by block, each block from a generator of its
own (see `blocks`). Reading traces and profiles is for `reading`; `generate` makes traces from sources.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from goodwatt.errors import InputError
from goodwatt.traces.requests.blocks import BLOCK_S, Blocks, Requests, checked_seed, generator_of
from goodwatt.traces.requests.bursts import CELL_S, POISSON, Bursts, Scale
from goodwatt.traces.requests.rate_profile import RateProfile
from goodwatt.traces.requests.request_trace import Floats, RequestTrace
from goodwatt.traces.requests.token_lengths import TokenLengths

__all__ = ["ProfileSource", "RequestSource", "Requests", "TraceSource"]


class RequestSource(Protocol):
    """Where the requests of a service come from."""

    @property
    def name(self) -> str:
        """What the source is called; part of what its random draws are seeded with."""
        ...

    @property
    def span_s(self) -> float:
        """The time from which on no request comes any more; infinite where they never end."""
        ...

    def between(self, from_s: float, until_s: float) -> Requests:
        """The requests that arrive at `from_s` or later and before `until_s`, in order of arrival.

        The arrays are not to be written to. Empty ones where the interval is empty.
        """
        ...


@dataclass(eq=False)
class TraceSource(Blocks):
    """The requests of a trace, `rate_factor` times as many, moved by `start_s`, once or again and again.

    With a factor f each request comes floor(f) times and once more with probability f - floor(f), so f < 1 thins. The
    first copy keeps its time, others move by up to `jitter_s` either way within their block of a minute: counts over
    longer times scale by f, and copies do not come all at once. `period_s` is after how long a repetition begins:
    `trace.span_s` by default, never less than the last arrival. Raises InputError.
    """

    trace: RequestTrace
    rate_factor: float = 1.0
    repeat: bool = False
    start_s: float = 0.0
    seed: int = 0
    jitter_s: float = 10.0
    period_s: float | None = None

    def __post_init__(self) -> None:
        checked_seed(self.seed)
        _check_number("a rate factor above 0", self.rate_factor, 0.0 < self.rate_factor < math.inf)
        _check_number("a start of 0 s or later", self.start_s, 0.0 <= self.start_s < math.inf)
        _check_number("a jitter of 0 s or more", self.jitter_s, 0.0 <= self.jitter_s < math.inf)
        self._period_s = self.trace.span_s if self.period_s is None else self.period_s
        last_s = float(self.trace.arrival_s[-1])
        expected = f"a period longer than {last_s:g} s, when the last request comes"
        _check_number(expected, self._period_s, last_s < self._period_s < math.inf)
        self._blocks_a_round = math.ceil(self._period_s / BLOCK_S)

    @property
    def name(self) -> str:
        """That of the trace."""
        return self.trace.name

    @property
    def span_s(self) -> float:
        """The end of the trace, unless it is repeated."""
        return math.inf if self.repeat else self.start_s + self._period_s

    def _count(self) -> float:
        return math.inf if self.repeat else self._blocks_a_round

    def _start_s(self, number: int) -> float:
        rounds, block = divmod(number, self._blocks_a_round)
        return (self.start_s + rounds * self._period_s) + block * BLOCK_S

    def _guess(self, time_s: float) -> int:
        rounds, rest = divmod(time_s - self.start_s, self._period_s)
        return int(rounds) * self._blocks_a_round + int(rest / BLOCK_S)

    def _make(self, number: int) -> Requests:
        rounds, block = divmod(number, self._blocks_a_round)
        low_s, high_s = block * BLOCK_S, min((block + 1) * BLOCK_S, self._period_s)
        if block == self._blocks_a_round - 1:
            high_s = self._period_s
        found = Requests(self.trace.arrival_s, self.trace.prompt_tokens, self.trace.output_tokens).cut(low_s, high_s)
        if self.rate_factor != 1.0 and len(found.arrival_s):
            found = self._multiplied(found, low_s, high_s, generator_of(self.seed, self.name, number))
        start_s = self.start_s + rounds * self._period_s
        if start_s == 0.0:
            return found._replace(arrival_s=found.arrival_s.copy())
        inside = np.nextafter(self._start_s(number + 1), -math.inf)
        return found._replace(arrival_s=np.clip(found.arrival_s + start_s, self._start_s(number), inside))

    def _multiplied(self, found: Requests, low_s: float, high_s: float, rng: np.random.Generator) -> Requests:
        """Copies of what is in a block; what jitter moves beyond one end comes in again at the other.

        The ends are those of the block, or of the trace where it begins or stops within the block.
        """
        low_s = max(low_s, float(self.trace.arrival_s[0]))
        high_s = min(high_s, float(np.nextafter(self.trace.arrival_s[-1], math.inf)))
        copies = np.floor(self.rate_factor + rng.random(len(found.arrival_s))).astype(np.int64)
        which = np.repeat(np.arange(len(copies)), copies)
        extra = np.diff(which, prepend=-1) == 0
        moved = found.arrival_s[which]
        jitter_s = self.jitter_s * (2.0 * rng.random(int(extra.sum())) - 1.0)
        moved[extra] = low_s + np.mod(moved[extra] + jitter_s - low_s, high_s - low_s)
        np.clip(moved, low_s, np.nextafter(high_s, -math.inf), out=moved)
        order = np.argsort(moved, kind="stable")
        which = which[order]
        return Requests(moved[order], found.prompt_tokens[which], found.output_tokens[which])


@dataclass(eq=False)
class ProfileSource(Blocks):
    """Requests at the rates of a profile, with lengths drawn for each: Poisson, unless `bursts` says otherwise.

    `start_s` is where the profile begins; `repeat` begins it again after its end. Rates are averaged over seconds.
    `name` and `seed` decide the draws: two services of one profile want two names. Raises InputError.
    """

    profile: RateProfile
    lengths: TokenLengths
    name: str = ""
    seed: int = 0
    bursts: Bursts = POISSON
    repeat: bool = False
    start_s: float = 0.0

    def __post_init__(self) -> None:
        checked_seed(self.seed)
        _check_number("a start of 0 s or later", self.start_s, 0.0 <= self.start_s < math.inf)
        if self.profile.relative:
            raise InputError(
                f"rate profile {self.profile.name!r} tells the shape of demand only: say its mean or peak rate"
            )
        self.name = self.name or self.profile.name

    @property
    def span_s(self) -> float:
        """The end of the profile, unless it is repeated."""
        return math.inf if self.repeat else self.start_s + self.profile.end_s

    def _count(self) -> float:
        return math.inf if self.repeat else math.ceil(self.profile.end_s / BLOCK_S)

    def _start_s(self, number: int) -> float:
        return self.start_s + number * BLOCK_S

    def _guess(self, time_s: float) -> int:
        return int((time_s - self.start_s) / BLOCK_S)

    def _make(self, number: int) -> Requests:
        rng = generator_of(self.seed, self.name, number)
        edges_s = number * BLOCK_S + np.arange(0.0, BLOCK_S + CELL_S, CELL_S)
        expected = np.diff(self.profile.expected_before(edges_s, repeat=self.repeat))
        counts = rng.poisson(expected * self._factors(number, expected, rng))
        seconds = np.repeat(edges_s[:-1], counts)
        within_s = rng.random(len(seconds)) * np.repeat(self._cells_s(edges_s), counts)
        arrival_s = np.sort(seconds + within_s) + self.start_s
        inside = np.nextafter(self._start_s(number + 1), -math.inf)
        arrival_s = np.clip(arrival_s, self._start_s(number), inside)
        return Requests(arrival_s, *self.lengths.draw(len(arrival_s), rng))

    def _cells_s(self, edges_s: Floats) -> Floats:
        """How much of each second lies before the end of the profile."""
        if self.repeat:
            return np.diff(edges_s)
        return np.diff(np.minimum(edges_s, self.profile.end_s))

    def _factors(self, number: int, expected: Floats, rng: np.random.Generator) -> Floats:
        """For each second of a block, what the bursts make of its rate."""
        factors = np.ones(len(expected))
        for place, scale in enumerate(self.bursts.scales):
            if scale.is_long:
                factors *= self._long_factor(number, place, scale)
            else:
                cells = round(scale.window_s / CELL_S)
                drawn = scale.factors(expected.reshape(-1, cells).sum(axis=1), rng)
                factors *= np.repeat(drawn, cells)
        return factors

    def _long_factor(self, number: int, place: int, scale: Scale) -> float:
        """The factor of a window that spans several blocks: drawn by the number of the window, so all of them agree."""
        window = int(number * BLOCK_S / scale.window_s)
        edges_s = np.array([window, window + 1]) * scale.window_s
        expected = np.diff(self.profile.expected_before(edges_s, repeat=self.repeat))
        return float(scale.factors(expected, generator_of(self.seed, self.name, window, purpose=place + 1))[0])


def _check_number(expected: str, got: float, right: bool) -> None:
    if not right:
        raise InputError(f"expected {expected}, got {got:g}")
