"""Prompts and decoding on instances of their own, against instances that do both: the same GPUs, alike requests.

A 70B model on eight instances of four H100-SXM. All requests have prompts of one length and 192 tokens of output and
come as a Poisson process. Mixed instances may choose how many tokens an iteration computes at most; pools how many of
the eight compute prompts, and a clock for each role. Called by `serving_classics.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.serving.llm_models import llm_model
from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.latency_book import MEASURES, percentile_s
from goodwatt.simulator.services.promise import PERCENTILE, Promise
from goodwatt.simulator.services.request_fleet import RequestFleet
from goodwatt.simulator.services.service import Role, Service
from goodwatt.simulator.services.serving import Serving, serving_of
from goodwatt.traces.requests.request_source import TraceSource
from goodwatt.traces.requests.request_trace import RequestTrace

PROMPTS = (256, 1024, 2048, 4096, 8192, 16384)
OUTPUT = 192
TPOTS_S = (0.025, 0.05)
TTFT_S, TTFT_ALONE = 0.5, 3.0
"""The promised time to first token: so much, and so many times what the prompt takes alone."""
INSTANCES, TENSOR_PARALLEL = 8, 4
CHUNKS = (512, 2048)
"""Tokens of an iteration at most among which mixed instances have the best."""
EQUAL = 0.8
"""Of the lesser greatest load: where energies are compared."""
REQUESTS, LEAST_S, WARM_S, LEFT_S = 1500, 30.0, 30.0, 60.0
STEPS = 5
"""Bisections of a factor of two: to 2%."""
EACH = 4
"""Every so many-th clock is tried."""

Tops = Mapping[Role, int]


class Outcome(NamedTuple):
    """`kept`: whether 99% of the requests were on time; p99 in seconds; GPU joules of an output token."""

    kept: bool
    ttft_s: float | None
    tpot_s: float | None
    token_j: float


@dataclass(frozen=True)
class Pools:
    """Instances by role, with requests alike."""

    serving: Serving
    counts: Mapping[Role, int]
    prompt: int

    def at(self, rate_per_s: float, tops: Tops | None = None) -> Outcome:
        """What comes of a load, with clocks (positions in the list of the kind) by role; the greatest by default."""
        span_s = max(REQUESTS / rate_per_s, LEAST_S)
        warm_s = max(WARM_S, span_s / 5.0)
        fleet = self._fleet(rate_per_s, warm_s + span_s)
        slots = [fleet.start(0, self._board(role, tops), role) for role, n in self.counts.items() for _ in range(n)]
        book = fleet.books[0]
        fleet.advance(warm_s)
        for slot in slots:
            fleet.take_spent(slot)
        done, on_time, tokens, counts = book.done.sum(), book.on_time.sum(), book.output_tokens, book.counts.sum(axis=1)
        fleet.advance(warm_s + span_s)
        joules = sum(fleet.take_spent(slot).joules for slot in slots)
        tokens = book.output_tokens - tokens
        fleet.advance(warm_s + span_s + LEFT_S)
        share = (book.on_time.sum() - on_time) / max(1, book.arrived.sum() - done)
        fresh = book.counts.sum(axis=1) - counts
        p99 = {name: percentile_s(row, PERCENTILE) for name, row in zip(MEASURES, fresh, strict=True)}
        joules += self.serving.model.context_w * span_s * len(slots)
        kept = bool(share >= PERCENTILE / 100.0)
        return Outcome(kept, p99["ttft_s"], p99["tpot_s"], joules * TENSOR_PARALLEL / max(1.0, tokens))

    def greatest(self, near_per_s: float) -> float:
        """The greatest load that keeps the promise; 0 where hardly any does."""
        low = near_per_s
        if self.at(low).kept:
            while self.at(2.0 * low).kept:
                low *= 2.0
        else:
            while not self.at(low := low / 2.0).kept:
                if low < near_per_s / 100.0:
                    return 0.0
        high = 2.0 * low
        for _ in range(STEPS):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if self.at(middle).kept else (low, middle)
        return low

    def slowest(self, rate_per_s: float) -> dict[Role, int]:
        """The least clock of each role, one after the other, that keeps the promise."""
        top = len(self.serving.model.clocks_mhz) - 1
        tops: dict[Role, int] = dict.fromkeys(self.counts, top)
        for role in self.counts:
            tops[role] = EACH * _least(top // EACH, partial(self._keeps, rate_per_s, tops, role))
        return tops

    def _keeps(self, rate_per_s: float, tops: Tops, role: Role, place: int) -> bool:
        return self.at(rate_per_s, {**tops, role: EACH * place}).kept

    def _board(self, role: Role, tops: Tops | None) -> Board:
        board = Board(self.serving.model)
        if tops is not None:
            board.top = tops[role]
        return board

    def _fleet(self, rate_per_s: float, end_s: float) -> RequestFleet:
        rng = np.random.default_rng(0)
        arrival_s = np.cumsum(rng.standard_exponential(int(2 * rate_per_s * end_s) + 100)) / rate_per_s
        arrival_s = arrival_s[: int(arrival_s.searchsorted(end_s))]
        source = TraceSource(_alike(arrival_s, self.prompt))
        return RequestFleet([replace(self.serving, service=replace(self.serving.service, requests=source))], 0.0)


def rows(tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """For each promise and length of prompts."""
    found = []
    for tpot_s in TPOTS_S:
        prefill, near_per_s = 1, 40.0
        for prompt in PROMPTS:
            tell(f"pools, {prompt} tokens, {1e3 * tpot_s:.0f} ms")
            row, prefill = _row(prompt, tpot_s, prefill, near_per_s)
            near_per_s = max(row["mixed /s"], row["pools /s"], 0.2)
            found.append(row)
    return found


def _row(prompt: int, tpot_s: float, prefill: int, near_per_s: float) -> tuple[dict[str, Any], int]:
    chunks = {chunk: pools({"both": INSTANCES}, prompt, tpot_s, chunk) for chunk in CHUNKS}
    greatest = {chunk: one.greatest(near_per_s) for chunk, one in chunks.items()}
    chunk = max(CHUNKS, key=lambda each: greatest[each])
    prefill, apart_per_s = _best_split(prompt, tpot_s, prefill, near_per_s)
    apart = pools({"prefill": prefill, "decode": INSTANCES - prefill}, prompt, tpot_s)
    gpus = INSTANCES * TENSOR_PARALLEL
    row = {
        "TPOT ms": 1e3 * tpot_s,
        "prompt": prompt,
        "TTFT s": apart.serving.service.promise.ttft_s,
        "mixed /s": greatest[chunk],
        "chunk": chunk,
        "pools /s": apart_per_s,
        "prefill": prefill,
        "mixed /s GPU": greatest[chunk] / gpus,
        "pools /s GPU": apart_per_s / gpus,
        "gain": apart_per_s / greatest[chunk] if greatest[chunk] else None,
    }
    return row | _energies(chunks[chunk], apart, greatest[chunk], apart_per_s), prefill


def _energies(mixed: Pools, apart: Pools, mixed_per_s: float, apart_per_s: float) -> dict[str, Any]:
    """Joules of an output token: each at its greatest load, both at an equal one, full clocks and slowest."""
    equal_per_s = EQUAL * min(mixed_per_s, apart_per_s)
    clocks = mixed.serving.model.clocks_mhz
    found: dict[str, Any] = {"equal /s": equal_per_s}
    for name, one, greatest in (("mixed", mixed, mixed_per_s), ("pools", apart, apart_per_s)):
        slow = one.slowest(equal_per_s) if equal_per_s else None
        found[f"{name} J full load"] = one.at(greatest).token_j if greatest else None
        found[f"{name} J"] = one.at(equal_per_s).token_j if equal_per_s else None
        found[f"{name} J slow"] = one.at(equal_per_s, slow).token_j if slow else None
        found[f"{name} MHz"] = "/".join(f"{clocks[place]:.0f}" for place in slow.values()) if slow else ""
    return found


def pools(counts: Mapping[Role, int], prompt: int, tpot_s: float, chunk: int = CHUNKS[-1]) -> Pools:
    """Of the 70B model; the promise on the first token follows the prompt."""
    shape, kind = llm_model("llama-3.1-70b"), gpu_kind("H100-SXM")
    assert shape is not None
    prefill = counts.get("prefill", 0)
    service = Service(
        name="alike",
        model=shape,
        gpu=kind.name,
        tensor_parallel=TENSOR_PARALLEL,
        promise=Promise(tpot_s=tpot_s),
        requests=TraceSource(_alike(np.zeros(1), prompt)),
        min_replicas=INSTANCES,
        max_replicas=INSTANCES,
        iteration_tokens=chunk,
        separate=bool(prefill),
        min_prefill=prefill,
        max_prefill=prefill,
    )
    serving = serving_of(service, kind)
    alone_s = float(serving.law.cost(prompt, prompt**2 / 2.0, 1.0, 0.0).wall_s)
    promise = Promise(ttft_s=TTFT_S + TTFT_ALONE * alone_s, tpot_s=tpot_s)
    return Pools(replace(serving, service=replace(service, promise=promise)), counts, prompt)


def _best_split(prompt: int, tpot_s: float, prefill: int, near_per_s: float) -> tuple[int, float]:
    """From a number of instances for prompts upwards, as long as more of them take more load."""
    found = {prefill: 0.0}
    for count in range(prefill, INSTANCES):
        found[count] = pools({"prefill": count, "decode": INSTANCES - count}, prompt, tpot_s).greatest(near_per_s)
        if found[count] < found.get(count - 1, 0.0):
            break
    best = max(found, key=lambda count: found[count])
    return best, found[best]


def _alike(arrival_s: Any, prompt: int) -> RequestTrace:
    return RequestTrace("alike", arrival_s, np.full(len(arrival_s), prompt), np.full(len(arrival_s), OUTPUT))


def _least(top: int, keeps: Callable[[int], bool]) -> int:
    """The least place that keeps the promise, if the top one does."""
    low, high = -1, top
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    return high
