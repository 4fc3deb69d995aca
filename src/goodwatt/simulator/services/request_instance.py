"""An instance request by request: continuous batching with chunked prefill, in the exact order of events.

Every iteration makes one token for each sequence that decodes; what is left of its token budget goes to prompts, first
come first served, as long as the KV cache has room for them whole. Between two events (a prompt comes or is done, a
sequence ends, the cache is full) nothing but decoding happens: the batch is the same and each iteration reads one
token a sequence more, so the time of k iterations is k times the mean of the first and the last.

A sequence for whose next token the cache has no room is preempted, who came last first, and computed again later, as
vLLM does by default. Who sends requests to which instance is `router`'s.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from goodwatt.power.serving.iteration_law import Cost, IterationLaw
from goodwatt.simulator.services.board import Board, Spent
from goodwatt.simulator.services.sequence import Request, Sequence

FirstToken = Callable[[Sequence, float], bool]
"""Told of a first token and its time; true: the sequence goes on elsewhere."""
WATERMARK = 0.01
"""Share of the cache that is kept free when a request begins, so that it is not preempted at once; vLLM's default."""
Done = Callable[[Sequence, float], None]
"""Told of a last token and its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """`budget`: tokens of an iteration at most, `most`: sequences at once, `kv_tokens`: room of the KV cache."""

    budget: int
    most: int
    kv_tokens: float


class RequestInstance:
    """One instance; `now_s` is when its next iteration may begin.

    `batch` sequences decode with `context` tokens in the cache; `prefilling` are partly computed, `waiting` not yet
    begun. `reserved`: tokens of cache that those being computed take. `count`: iterations so far. `quiet_until_s`: as
    long as nobody comes nothing but decoding happens before. `spent`: what its iterations took.
    """

    def __init__(self, law: IterationLaw, batching: Batching, board: Board, now_s: float, first: FirstToken, done: Done):
        self.law, self.batching, self.board = law, batching, board
        self._first, self._done = first, done
        self.now_s = now_s
        self.quiet_until_s = -math.inf
        self.waiting: deque[Sequence] = deque()
        self.prefilling: list[Sequence] = []
        self.decoding: dict[int, Sequence] = {}
        self._ends: list[tuple[int, int]] = []
        self.context = self.reserved = self.count = 0
        self.spent = Spent()
        self.preempted = 0

    @property
    def outstanding(self) -> int:
        """Requests that are not done."""
        return len(self.waiting) + len(self.prefilling) + len(self.decoding)

    @property
    def load_tokens(self) -> int:
        """Context in the cache, and tokens that wait to be computed."""
        return self.context + self.reserved + sum(s.left for s in self.waiting)

    def admit(self, sequence: Sequence) -> None:
        """Somebody comes, at a time up to which the instance has been advanced."""
        self.waiting.append(sequence)
        self.quiet_until_s = -math.inf

    def advance(self, until_s: float) -> None:
        """Begin all iterations that begin before this time; the last may end after it."""
        while self.now_s < until_s:
            while self.waiting and not self.waiting[0].left and self._fits(self.waiting[0]):
                self._join(self.waiting.popleft())
            batch = len(self.decoding)
            if batch > 1 and self._room() < batch:
                self._preempt_last()
            elif (self.prefilling or self.waiting) and self._prefill():
                pass
            elif batch:
                self._decode(until_s)
            else:
                self.board.rest(until_s - self.now_s)
                self.now_s = until_s

    def drain(self) -> list[Sequence]:
        """Give up everybody, who will have to begin anew elsewhere."""
        gone = [*self.decoding.values(), *self.prefilling, *self.waiting]
        self.decoding, self.prefilling, self.waiting = {}, [], deque()
        self._ends, self.context, self.reserved = [], 0, 0
        for sequence in gone:
            sequence.restart()
        return gone

    # one iteration with prompts ----------------------------------------------------------------------------------

    def _prefill(self) -> bool:
        """One iteration with as many prompt tokens as the budget allows; False if none may begin."""
        parts, tokens, pairs, context = self._parts()
        if not parts:
            return False
        batch = len(self.decoding)
        tokens, pairs, context = tokens + batch, pairs + self.context, context + self.context
        sequences, sharing = batch + len(parts), self.board.sharing
        ran = self.board.find(lambda x: self.law.cost(tokens, pairs, sequences, context, x, sharing))
        self._spend(ran.cost, ran.clock, 1)
        for sequence, share in parts:
            sequence.left -= share
            sequence.computed += share
        self._end_sequences()
        self.prefilling = [sequence for sequence, _ in parts if sequence.left] + self.prefilling[len(parts) :]
        for sequence, _ in parts:
            if not sequence.left:
                self._computed(sequence)
        return True

    def _parts(self) -> tuple[list[tuple[Sequence, int]], int, float, float]:
        """Whose prompt goes on by how many tokens; those tokens, their pairs, and what they read of the cache."""
        batching, parts = self.batching, list[tuple[Sequence, int]]()
        left = batching.budget - len(self.decoding)
        tokens, pairs, context = 0, 0.0, 0.0
        for sequence in self.prefilling:
            if left <= 0:
                break
            share = min(left, sequence.left)
            parts.append((sequence, share))
            left -= share
        while left > 0 and self.waiting and self.waiting[0].left and self._fits(self.waiting[0]):
            sequence = self.waiting.popleft()
            self.prefilling.append(sequence)
            self.reserved += sequence.whole
            share = min(left, sequence.left)
            parts.append((sequence, share))
            left -= share
        for sequence, share in parts:
            tokens += share
            pairs += share * (sequence.computed + 0.5 * share)
            context += sequence.computed + share
        return parts, tokens, pairs, context

    def _fits(self, sequence: Sequence) -> bool:
        inside = len(self.decoding) + len(self.prefilling)
        room = self._room() - WATERMARK * self.batching.kv_tokens
        return not inside or (inside < self.batching.most and sequence.whole + len(self.decoding) <= room)

    def _room(self) -> float:
        return self.batching.kv_tokens - self.context - self.reserved

    def _computed(self, sequence: Sequence) -> None:
        """Its context is in the cache and its next token is made."""
        self.reserved -= sequence.computed
        sequence.owed -= 1
        first = math.isnan(sequence.first_s)
        if first:
            sequence.first_s = self.now_s
        if sequence.owed <= 0:
            self._done(sequence, self.now_s)
        elif not (first and self._first(sequence, self.now_s)):
            self._join(sequence)

    def _join(self, sequence: Sequence) -> None:
        """A computed sequence begins to decode."""
        sequence.ends = self.count + sequence.owed
        self.decoding[sequence.request.number] = sequence
        self.context += sequence.computed
        heapq.heappush(self._ends, (sequence.ends, sequence.request.number))

    # decoding ----------------------------------------------------------------------------------------------------

    def _decode(self, until_s: float) -> None:
        """Iterations of the same batch, up to the next event or the first that begins at `until_s` or later."""
        batch, context, cost, sharing = len(self.decoding), self.context, self.law.cost, self.board.sharing
        times = max(1, min(self._ends[0][0] - self.count, int(self._room() // batch)))
        grown = context + batch * (times - 1)

        def mean_at(x: float) -> Cost:
            first = cost(batch, context, batch, context, x, sharing)
            return first if times == 1 else _between(first, cost(batch, grown, batch, grown, x, sharing), 0.5)

        clock, mean = self.board.find(mean_at, times)[1::-1]
        self.quiet_until_s = self.now_s + times * mean.wall_s
        if self.quiet_until_s > until_s and times > 1:
            first = cost(batch, context, batch, context, self.board.x_of(clock), sharing)
            more_s = 2.0 * (mean.wall_s - first.wall_s) / (times - 1)
            begun = min(times, begun_before(until_s - self.now_s, first.wall_s, more_s))
            mean, times = _between(first, mean, (begun - 1) / (times - 1)), begun
        self._spend(mean, clock, times)
        self._end_sequences()

    def _spend(self, cost: Cost, clock: int, times: int) -> None:
        """So many iterations of this mean cost have been made."""
        span_s = cost.wall_s * times
        watts = self.board.watts(cost, clock)
        self.board.spend(watts, span_s)
        self.now_s += span_s
        self.spent.add(cost, watts - self.board.model.context_w, times)
        self.count += times
        self.context += times * len(self.decoding)

    def _end_sequences(self) -> None:
        while self._ends and self._ends[0][0] <= self.count:
            ends, number = heapq.heappop(self._ends)
            sequence = self.decoding.get(number)
            if sequence is not None and sequence.ends == ends:
                del self.decoding[number]
                self.context -= sequence.computed + sequence.owed
                self._done(sequence, self.now_s)

    def _preempt_last(self) -> None:
        """Who began to decode last waits again, first in line, to be computed anew."""
        _, sequence = self.decoding.popitem()
        owed = sequence.ends - self.count
        sequence.left = sequence.computed + sequence.owed - owed
        self.context -= sequence.left
        sequence.computed, sequence.owed, sequence.ends = 0, owed, 0
        self.waiting.appendleft(sequence)
        self.preempted += 1


def begun_before(span_s: float, first_s: float, more_s: float) -> int:
    """How many iterations begin within a span, the first at once and taking `first_s`, each `more_s` longer."""
    if abs(more_s) < 1e-9 * first_s:
        return max(1, math.ceil(span_s / first_s))
    half = first_s - 0.5 * more_s
    return max(1, math.ceil((math.sqrt(max(0.0, half * half + 2.0 * more_s * span_s)) - half) / more_s))


def _between(one: Cost, other: Cost, share: float) -> Cost:
    return Cost(*[a + (b - a) * share for a, b in zip(one, other, strict=True)])
