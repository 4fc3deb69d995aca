"""An instance request by request: continuous batching with chunked prefill, in the exact order of events.

Every iteration makes one token for each sequence that decodes; what is left of its token budget goes to prompts, first
come first served, as long as the KV cache has room for them whole. Between two events (a prompt comes or is done, a
sequence ends, the cache is full) nothing but decoding happens, and `decode_run` takes its iterations at once.

A request begins when the cache has room for all of its context, for a token of each sequence that decodes, and for a
little more (`WATERMARK`); alone it begins anyway. When there is no room for the next tokens, who began last is
preempted, waits first in line and is computed again, as vLLM does by default. Who sends requests to which instance is
for `request_fleet`.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from goodwatt.power.serving.iteration_law import Cost, IterationLaw
from goodwatt.simulator.services.board import Board, Spent
from goodwatt.simulator.services.decode_run import DecodeRun
from goodwatt.simulator.services.sequence import Sequence

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

    `decoding`: sequences that decode by number, who began last at the end, with `context` tokens in the cache;
    `prefilling` are partly computed, `waiting` not yet begun. `reserved`: tokens of cache that those being computed
    take; `queued`: those that the waiting ones will. `count`: iterations so far. `quiet_until_s`: as long as nobody
    comes nothing but decoding happens before. `spent`: what its iterations took.
    """

    def __init__(
        self, law: IterationLaw, batching: Batching, board: Board, now_s: float, first: FirstToken, done: Done
    ) -> None:
        self.law, self.batching, self.board = law, batching, board
        self._first, self._done = first, done
        self.now_s = now_s
        self.quiet_until_s = -math.inf
        self.waiting: deque[Sequence] = deque()
        self.prefilling: list[Sequence] = []
        self.decoding: dict[int, Sequence] = {}
        self._ends: list[tuple[int, int]] = []
        self._run: DecodeRun | None = None
        self.context = self.reserved = self.queued = self.count = 0
        self.spent = Spent()
        self.preempted = 0

    @property
    def outstanding(self) -> int:
        """Requests that are not done."""
        return len(self.waiting) + len(self.prefilling) + len(self.decoding)

    def load_tokens(self, now_s: float) -> int:
        """Context in the cache, and of those that wait, when all iterations that begin before this time have begun."""
        if self.quiet_until_s < now_s:
            self.advance(now_s)
        ahead = 0
        if self._run and self.now_s < now_s:
            ahead = self._run.begun_before(now_s) - (self.count - self._run.before)
        return self.context + ahead * len(self.decoding) + self.reserved + self.queued

    def copy(self, first: FirstToken, done: Done) -> RequestInstance:
        """An independent copy, which tells others of its tokens."""
        twin = object.__new__(RequestInstance)
        twin.__dict__.update(self.__dict__)
        twin._first, twin._done = first, done
        twin.board, twin.spent, twin._ends = self.board.copy(), self.spent.copy(), self._ends[:]
        twin.waiting = deque(sequence.copy() for sequence in self.waiting)
        twin.prefilling = [sequence.copy() for sequence in self.prefilling]
        twin.decoding = {number: sequence.copy() for number, sequence in self.decoding.items()}
        return twin

    def admit(self, sequence: Sequence) -> None:
        """Somebody comes, at a time up to which the instance has been advanced."""
        self.waiting.append(sequence)
        self.queued += sequence.whole
        self.quiet_until_s = -math.inf

    def advance(self, until_s: float) -> None:
        """Begin all iterations that begin before this time; the last may end after it."""
        while self.now_s < until_s:
            while self.waiting and not self.waiting[0].left and self._fits(self.waiting[0]):
                self._join(self._next())
            if self._inside > 1 and self._room() < len(self.decoding):
                self._preempt_last()
            elif (self.prefilling or self.waiting) and self._prefill():
                pass
            elif self.decoding:
                self._decode(until_s)
            else:
                self.board.rest(until_s - self.now_s)
                self.now_s = until_s

    def without_token(self) -> Iterator[Sequence]:
        """Those who have had no token yet."""
        return (sequence for sequence in (*self.waiting, *self.prefilling) if math.isnan(sequence.first_s))

    def drain(self) -> list[Sequence]:
        """Give up everybody, who will have to begin anew elsewhere."""
        gone = [*self.decoding.values(), *self.prefilling, *self.waiting]
        self.decoding, self.prefilling, self.waiting = {}, [], deque()
        self._ends, self._run, self.context, self.reserved, self.queued = [], None, 0, 0, 0
        for sequence in gone:
            sequence.restart()
        return gone

    # who begins, and who has to stop ------------------------------------------------------------------------------

    def _fits(self, sequence: Sequence) -> bool:
        room = self._room() - WATERMARK * self.batching.kv_tokens - len(self.decoding)
        return not self._inside or (self._inside < self.batching.most and sequence.whole <= room)

    @property
    def _inside(self) -> int:
        return len(self.decoding) + len(self.prefilling)

    def _room(self) -> float:
        return self.batching.kv_tokens - self.context - self.reserved

    def _next(self) -> Sequence:
        """The first in line waits no longer."""
        sequence = self.waiting.popleft()
        self.queued -= sequence.whole
        return sequence

    def _join(self, sequence: Sequence) -> None:
        """A computed sequence begins to decode."""
        sequence.ends = self.count + sequence.owed
        self.decoding[sequence.request.number] = sequence
        self.context += sequence.computed
        self._run = None
        heapq.heappush(self._ends, (sequence.ends, sequence.request.number))

    def _preempt_last(self) -> None:
        """Who began last waits again, first in line, to be computed anew."""
        if self.prefilling:
            sequence = self.prefilling.pop()
            sequence.left, sequence.computed = sequence.whole, 0
            self.reserved -= sequence.left
        else:
            sequence = self._stopped()
        self.waiting.appendleft(sequence)
        self.queued += sequence.whole
        self.preempted += 1

    def _stopped(self) -> Sequence:
        """Who decodes for the shortest time, no more; its last token is not in the cache but has to be computed too."""
        _, sequence = self.decoding.popitem()
        owed = sequence.ends - self.count
        held = sequence.computed + sequence.owed - owed
        self.context -= held
        self._run = None
        sequence.left, sequence.computed, sequence.owed, sequence.ends = held + 1, 0, owed, 0
        return sequence

    # one iteration with prompts ----------------------------------------------------------------------------------

    def _prefill(self) -> bool:
        """One iteration with as many prompt tokens as the budget allows; False if none may begin."""
        parts = self._parts()
        if not parts:
            return False
        tokens, pairs, context = len(self.decoding), float(self.context), self.context
        for sequence, share in parts:
            tokens += share
            pairs += share * (sequence.computed + 0.5 * share)
            context += sequence.computed + share
            sequence.left -= share
            sequence.computed += share
        sequences, sharing = len(self.decoding) + len(parts), self.board.sharing
        ran = self.board.find(lambda x: self.law.cost(tokens, pairs, sequences, context, x, sharing))
        self.board.spend(ran.watts, ran.cost.wall_s)
        self._made(ran.cost, ran.clock, 1, self.now_s + ran.cost.wall_s)
        self._run = None
        self._end_sequences()
        self.prefilling = [sequence for sequence, _ in parts if sequence.left] + self.prefilling[len(parts) :]
        for sequence, _ in parts:
            if not sequence.left:
                self._computed(sequence)
        return True

    def _parts(self) -> list[tuple[Sequence, int]]:
        """Whose prompt goes on by how many tokens: those begun first, then who may begin."""
        parts, left = list[tuple[Sequence, int]](), self.batching.budget - len(self.decoding)
        for sequence in self.prefilling:
            if left <= 0:
                return parts
            parts.append((sequence, min(left, sequence.left)))
            left -= parts[-1][1]
        while left > 0 and self.waiting and self.waiting[0].left and self._fits(self.waiting[0]):
            sequence = self._next()
            self.prefilling.append(sequence)
            self.reserved += sequence.whole
            parts.append((sequence, min(left, sequence.left)))
            left -= parts[-1][1]
        return parts

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

    # decoding ----------------------------------------------------------------------------------------------------

    def _decode(self, until_s: float) -> None:
        """Iterations of the same batch, up to the next event or the first that begins at `until_s` or later."""
        run = self._run
        if run is None or run.setting != self.board.setting:
            run = self._run = self._planned()
        self.quiet_until_s = run.last_s
        made = self.count - run.before
        begun = max(made + 1, run.begun_before(until_s))
        end_s = run.begin_s + begun * run.cost(0, begun).wall_s
        self.board.spend(run.watts, end_s - self.now_s)
        self._made(run.cost(made, begun), run.clock, begun - made, end_s)
        if begun == run.times:
            self._run = None
            self._end_sequences()

    def _planned(self) -> DecodeRun:
        """Iterations up to the next event."""
        batch, context, law_cost, board = len(self.decoding), self.context, self.law.cost, self.board
        times = self._ends[0][0] - self.count
        if self._inside > 1:
            times = min(times, int(self._room() // batch))
        middle, sharing = context + 0.5 * batch * (times - 1), board.sharing
        mean, clock, watts = board.find(lambda x: law_cost(batch, middle, batch, middle, x, sharing), times)
        first = mean if times == 1 else law_cost(batch, context, batch, context, board.x_of(clock), sharing)
        return DecodeRun(self.now_s, self.count, times, first, mean, clock, watts, board.setting)

    def _made(self, cost: Cost, clock: int, times: int, now_s: float) -> None:
        """So many iterations of this mean cost have been made, the last of which ends now."""
        self.now_s = now_s
        self.spent.add(cost, self.board.watts(cost, clock) - self.board.model.context_w, times)
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
