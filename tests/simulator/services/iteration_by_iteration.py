"""An instance that makes one iteration after the other and decides everything anew each time: what the fast one is
held to. Slow and simple on purpose; it shares nothing with it but the law of an iteration and the facts of a request.

Without a board every iteration runs at the greatest clock; with one the board finds a clock for each by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.serving.iteration_law import IterationLaw
from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.request_instance import Batching
from goodwatt.simulator.services.sequence import Request

KEPT_FREE = 0.01


@dataclass
class Served:
    """`cached`: tokens in the cache; `wanted`: those that it has to have before its next token comes; `made`: tokens of
    output so far."""

    request: Request
    wanted: int
    cached: int = 0
    made: int = 0
    first_s: float | None = None
    end_s: float = 0.0

    @property
    def decodes(self) -> bool:
        return self.cached >= self.wanted

    @property
    def takes(self) -> int:
        return max(self.cached, self.wanted)


class IterationByIteration:
    """`ended`: requests in the order in which their last tokens came."""

    def __init__(self, law: IterationLaw, batching: Batching, model: GpuModel, board: Board | None = None) -> None:
        self.law, self.batching, self.model, self.board = law, batching, model, board
        self.now_s, self.joules, self.busy_s = 0.0, 0.0, 0.0
        self.line: list[Served] = []
        self.inside: list[Served] = []  # in the order in which they began
        self.ended: list[Served] = []
        self.preempted = self.iterations = 0

    def serve(self, requests: Sequence[Request]) -> None:
        coming = [Served(request, request.prompt_tokens) for request in requests]
        while coming or self.line or self.inside:
            while coming and coming[0].request.arrival_s <= self.now_s:
                self.line.append(coming.pop(0))
            if self.line or self.inside:
                self.iterate()
            else:
                if self.board:
                    self.board.rest(coming[0].request.arrival_s - self.now_s)
                self.now_s = coming[0].request.arrival_s

    def iterate(self) -> None:
        while len(self.inside) > 1 and self.free() < sum(s.decodes for s in self.inside):
            self.preempt(self.inside.pop())
        parts = self.parts()
        self.run(parts)
        for served, tokens in parts:
            served.cached += tokens
            if served.decodes:
                self.token(served)

    def free(self) -> float:
        return self.batching.kv_tokens - sum(s.takes for s in self.inside)

    def preempt(self, served: Served) -> None:
        served.wanted, served.cached = served.request.prompt_tokens + served.made, 0
        self.line.insert(0, served)
        self.preempted += 1

    def parts(self) -> list[tuple[Served, int]]:
        """A token of each that decodes, then prompts in the order of their coming."""
        parts = [(s, 1) for s in self.inside if s.decodes]
        batch, left = len(parts), self.batching.budget - len(parts)
        for served in [s for s in self.inside if not s.decodes]:
            tokens = min(left, served.wanted - served.cached)
            if tokens > 0:
                parts.append((served, tokens))
                left -= tokens
        while left > 0 and self.line and self.may_begin(self.line[0], batch):
            served = self.line.pop(0)
            self.inside.append(served)
            parts.append((served, min(left, served.wanted)))
            left -= parts[-1][1]
        return parts

    def may_begin(self, served: Served, batch: int) -> bool:
        enough = self.free() >= served.wanted + batch + KEPT_FREE * self.batching.kv_tokens
        return not self.inside or (enough and len(self.inside) < self.batching.most)

    def run(self, parts: Sequence[tuple[Served, int]]) -> None:
        pairs = context = 0.0
        for served, tokens in parts:
            if served.decodes:
                pairs, context = pairs + served.cached, context + served.cached
            else:
                pairs += sum(served.cached + place + 0.5 for place in range(tokens))
                context += served.cached + tokens
        tokens, clock = sum(tokens for _, tokens in parts), -1
        cost = self.law.cost(tokens, pairs, len(parts), context)
        if self.board:
            cost, clock, watts = self.board.find(lambda x: self.law.cost(tokens, pairs, len(parts), context, x))
            self.board.spend(watts, cost.wall_s)
        self.now_s += cost.wall_s
        self.busy_s += cost.wall_s
        core_w = self.model.core_w[clock] * self.model.stretch[clock]
        self.joules += core_w * cost.sm_s + self.model.memory_w * cost.dram_s
        self.iterations += 1

    def token(self, served: Served) -> None:
        served.made += 1
        if served.first_s is None:
            served.first_s = self.now_s
        if served.made == served.request.output_tokens:
            served.end_s = self.now_s
            self.inside.remove(served)
            self.ended.append(served)
