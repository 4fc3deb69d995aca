"""What a service does at a constant load: its instances by themselves, request by request, for some minutes.

Requests come as a Poisson process at the rate asked for, with prompts and outputs drawn from those that the service's
own source makes; how its source rises, falls and bursts is left to whoever simulates days. Trials with the same seed
meet the same requests, faster or slower, so that what differs between two of them is the load or the setting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from goodwatt.errors import InputError
from goodwatt.power.workloads.demand import DEFAULT_SETTING, Demand, Setting
from goodwatt.simulator.physics.instance_facts import InstanceFacts
from goodwatt.simulator.services.board import Board, Spent
from goodwatt.simulator.services.latency_book import MEASURES, LatencyBook, percentile_s
from goodwatt.simulator.services.promise import PERCENTILE, Promise
from goodwatt.simulator.services.request_fleet import RequestFleet
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.services.serving import Serving
from goodwatt.traces.requests.blocks import Requests
from goodwatt.traces.requests.request_source import RequestSource, TraceSource
from goodwatt.traces.requests.request_trace import RequestTrace

WARM_UP_S = 120.0
MEASURED_S = 900.0
"""What is measured after the warm-up, unless that is fewer requests than `FEWEST` or more than `MOST`."""
FEWEST, MOST = 2_000, 20_000
WARM_UP_REQUESTS, MEASURED_REQUESTS = 5.0, 10.0
"""Both last so many times what a request takes alone or may take: before that batches and queues have not grown."""
MOST_PER_S = 1e6
"""Requests per second of one instance; nothing does as many."""
MOST_INSTANCES = 4
"""More are not simulated: with four, sharing a queue has done nearly all that it does."""
SAMPLE = 20_000
"""Requests of the service's source from which lengths are drawn."""
LOOKED_AT_S = 30 * 86400.0
"""How far its source is searched for as many."""
LEFT_S = 300.0
"""After the last arrival, what is not done by then counts as late."""
LOOKS = 200
"""At the KV caches, in the measured time."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedLoad:
    """What came of a load. Percentiles in seconds by measure (`ttft_s`, `tpot_s`, `latency_s`); None: nobody finished.

    `clock_mhz`: the greatest that was allowed. `attainment`: share of the requests on time; `kept`: whether that is
    what the promise says; who has not finished some minutes later is late. `requests`: those that this is about.
    `gpu_w`, `instance_w`: mean watts. `tokens_per_j` (output tokens; None without tokens), `requests_per_j`: over all
    joules of the GPUs. `utilisation`: share of the time with a kernel on the GPU; `busy`: with requests in it.
    `kv_use`: mean share of the KV cache that is taken; None where there is none.
    """

    rate_per_s: float
    clock_mhz: float
    requests: int
    p50_s: dict[str, float | None]
    p99_s: dict[str, float | None]
    attainment: float
    kept: bool
    gpu_w: float
    instance_w: float
    tokens_per_j: float | None
    requests_per_j: float
    utilisation: float
    busy: float
    kv_use: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A service on so many instances of each role, with requests like `sample`, from one seed."""

    serving: Serving
    instances: dict[Role, int]
    sample: Requests
    seed: int = 0

    def at(
        self,
        rate_per_s: float,
        setting: Setting = DEFAULT_SETTING,
        promise: Promise | None = None,
        sharing: float = 1.0,
    ) -> ServedLoad:
        """What comes of a load in all, under a clock and a cap, by another promise if one is given.

        `sharing`: how much longer a co-runner makes kernels. Raises InputError for a rate that cannot be meant.
        """
        if not 0.0 < rate_per_s <= self.most_per_s:
            raise InputError(
                f"expected a rate above 0 and up to {self.most_per_s:g} requests per second, got {rate_per_s:g}"
            )
        run = _Run(self, rate_per_s, setting, promise or self.serving.service.promise, sharing)
        return run.outcome()

    def asked(self, rate_per_s: float, setting: Setting = DEFAULT_SETTING) -> Demand:
        """What an instance asks of each of its GPUs at a load, as their sensors would tell."""
        run = _Run(self, rate_per_s, setting, self.serving.service.promise, 1.0)
        return run.asked()

    @property
    def most_per_s(self) -> float:
        """A rate above this cannot be meant."""
        return MOST_PER_S * sum(self.instances.values())

    @property
    def alone_s(self) -> float:
        """What decoding takes of a mean request that is alone on an instance."""
        context = float(self.sample.prompt_tokens.mean())
        return float(self.sample.output_tokens.mean() * self.serving.law.cost(1.0, context, 1.0, context).wall_s)


def sampled(source: RequestSource) -> Requests:
    """Up to SAMPLE requests that a source makes, from its beginning. Raises InputError if it makes none."""
    end_s = min(source.span_s, LOOKED_AT_S)
    until_s = min(60.0, end_s)
    while True:
        found = source.between(0.0, until_s)
        if len(found.arrival_s) >= SAMPLE or until_s >= end_s:
            break
        until_s = min(4.0 * until_s, end_s)
    if not len(found.arrival_s):
        raise InputError(f"requests {source.name!r}: expected some within {end_s:g} s, got none")
    return Requests(found.arrival_s[:SAMPLE], found.prompt_tokens[:SAMPLE], found.output_tokens[:SAMPLE])


def checked_setting(serving: Serving, setting: Setting) -> Setting:
    """A setting that the GPU can have; raises InputError."""
    kind, clocks = serving.model.kind, serving.model.clocks_mhz
    if setting.clock_mhz is not None and not clocks[0] <= setting.clock_mhz <= clocks[-1]:
        span = f"{clocks[0]:g} to {clocks[-1]:g} MHz"
        raise InputError(f"expected a clock that {kind.name} has, {span}, got {setting.clock_mhz:g} MHz")
    least, most = kind.min_cap_w or 0.0, kind.max_cap_w or math.inf
    if setting.cap_w is not None and not least <= setting.cap_w <= most:
        raise InputError(f"expected a cap that {kind.name} takes, {least:g} to {most:g} W, got {setting.cap_w:g} W")
    return setting


class _Fleet(RequestFleet):
    """Lets the KV caches be seen."""

    def cached_tokens(self, slot: int) -> float:
        """Tokens of which the cache of an instance has or keeps room."""
        instance = self._of[slot].instances[slot]
        return float(instance.context + instance.reserved)


class _Run:
    """One simulation: at most MOST_INSTANCES of the instances, with their part of the load."""

    def __init__(self, trial: Trial, rate_per_s: float, setting: Setting, promise: Promise, sharing: float) -> None:
        self._trial, self._rate_per_s, self._sharing = trial, rate_per_s, sharing
        model = trial.serving.model
        self._top = model.index_of(setting.clock_mhz)
        self._cap_w = setting.cap_w or model.default_cap_w
        whole, self._counts = sum(trial.instances.values()), _few(trial.instances)
        self._part_per_s = rate_per_s * sum(self._counts.values()) / whole
        slow_s = max(trial.alone_s, promise.ttft_s or 0.0, promise.latency_s or 0.0)
        self._warm_s, self._end_s = _spans(self._part_per_s, slow_s)
        source = _poisson(trial.sample, self._part_per_s, self._end_s, trial.seed)
        service = replace(trial.serving.service, promise=promise, requests=source)
        self._fleet = _Fleet([replace(trial.serving, service=service)], 0.0)
        self._slots = [
            self._fleet.start(0, self._board(), role) for role, count in self._counts.items() for _ in range(count)
        ]
        self._cached: list[float] = []

    def outcome(self) -> ServedLoad:
        """Run it and read off what came of it."""
        before, served, after, spent = self._run()
        model, asked = self._trial.serving.model, after.arrived - before.done
        span_s, gpus = self._end_s - self._warm_s, len(self._slots)
        attainment = (after.on_time - before.on_time) / asked if asked else 1.0
        gpu_w = model.context_w + sum(one.joules for one in spent) / (gpus * span_s)
        instance_w = gpu_w * self._trial.serving.service.tensor_parallel
        joules, cache = instance_w * gpus * span_s, self._trial.serving.has_cache
        return ServedLoad(
            rate_per_s=self._rate_per_s,
            clock_mhz=model.clocks_mhz[self._top],
            requests=asked,
            p50_s=_percentiles(after.latencies - before.latencies, 50.0),
            p99_s=_percentiles(after.latencies - before.latencies, PERCENTILE),
            attainment=attainment,
            kept=attainment >= PERCENTILE / 100.0,
            gpu_w=gpu_w,
            instance_w=instance_w,
            tokens_per_j=(served.output_tokens - before.output_tokens) / joules if cache else None,
            requests_per_j=(served.done - before.done) / joules,
            utilisation=sum(one.gpu_s for one in spent) / (gpus * span_s),
            busy=min(1.0, sum(one.wall_s for one in spent) / (gpus * span_s)),
            kv_use=float(np.mean(self._cached)) / self._trial.serving.batching.kv_tokens if cache else None,
        )

    def asked(self) -> Demand:
        """Run it and read off what an instance asked of its GPUs while it computed, and for which share of the time."""
        spent = self._run()[-1]
        model, gpu_s, sm_s, dram_s, scaled_s = self._trial.serving.model, 0.0, 0.0, 0.0, 0.0
        for one in spent:
            gpu_s, sm_s = gpu_s + one.gpu_s, sm_s + one.sm_s
            dram_s, scaled_s = dram_s + one.dram_s, scaled_s + one.scaled_s
        gpu_s, span_s = max(gpu_s, 1e-9), len(spent) * (self._end_s - self._warm_s)
        faster = model.top_mhz / model.clocks_mhz[self._top]
        facts = InstanceFacts(
            model.top_mhz, 0, duty=gpu_s / span_s, u=sm_s / gpu_s * faster, m=dram_s / gpu_s, kappa=scaled_s / gpu_s
        )
        return facts.demand

    def _run(self) -> tuple[_Counts, _Counts, _Counts, list[Spent]]:
        """Counts after the warm-up, after the measured time and when all is done; what the measured time took."""
        fleet, book = self._fleet, self._fleet.books[0]
        fleet.advance(self._warm_s)
        for slot in self._slots:
            fleet.take_spent(slot)
        before = _Counts.of(book)
        self._watch()
        spent = [fleet.take_spent(slot) for slot in self._slots]
        served = _Counts.of(book)
        self._finish()
        return before, served, _Counts.of(book), spent

    def _board(self) -> Board:
        board = Board(self._trial.serving.model)
        board.top, board.cap_w, board.sharing = self._top, self._cap_w, self._sharing
        return board

    def _watch(self) -> None:
        """The measured time, looking at the KV caches now and then."""
        for until_s in np.linspace(self._warm_s, self._end_s, LOOKS + 1)[1:].tolist():
            self._fleet.advance(until_s)
            self._cached += [self._fleet.cached_tokens(slot) for slot in self._slots]

    def _finish(self) -> None:
        """Those that came in time may still be served for a while."""
        end_s = self._end_s + LEFT_S
        while self._fleet.now_s < end_s and any(self._fleet.outstanding(slot) for slot in self._slots):
            self._fleet.advance(min(end_s, self._fleet.now_s + LEFT_S / 10.0))


class _Counts(NamedTuple):
    """What a book holds at a moment: requests, and finished ones by measure and latency."""

    arrived: int
    done: int
    on_time: int
    output_tokens: float
    latencies: Ints

    @classmethod
    def of(cls, book: LatencyBook) -> Self:
        """As it stands now."""
        arrived, done, on_time = (int(column.sum()) for column in (book.arrived, book.done, book.on_time))
        return cls(arrived, done, on_time, book.output_tokens, book.counts.sum(axis=1))


def _few(instances: dict[Role, int]) -> dict[Role, int]:
    """Those that are simulated: all of separate pools, because their proportion counts."""
    return {"both": min(instances["both"], MOST_INSTANCES)} if "both" in instances else instances


def _spans(rate_per_s: float, slow_s: float) -> tuple[float, float]:
    """When the warm-up and when the measured time ends."""
    most_s = min(MEASURED_S, max(MEASURED_REQUESTS * slow_s, MOST / rate_per_s))
    measured_s = max(FEWEST / rate_per_s, most_s)
    warm_s = max(min(WARM_UP_S, measured_s / 3.0), measured_s / 10.0, min(WARM_UP_S, WARM_UP_REQUESTS * slow_s))
    return warm_s, warm_s + measured_s


def _poisson(sample: Requests, rate_per_s: float, end_s: float, seed: int) -> RequestSource:
    rng = np.random.default_rng(seed)
    expected = rate_per_s * end_s
    gaps = np.random.default_rng(rng.integers(2**32)).standard_exponential(math.ceil(expected + 6 * expected**0.5 + 10))
    arrival_s = np.cumsum(gaps) / rate_per_s
    arrival_s = arrival_s[: max(1, int(arrival_s.searchsorted(end_s)))]
    which = rng.integers(0, len(sample.arrival_s), len(gaps))[: len(arrival_s)]
    return TraceSource(
        RequestTrace("trial", arrival_s.copy(), sample.prompt_tokens[which], sample.output_tokens[which])
    )


def _percentiles(counts: Ints, percent: float) -> dict[str, float | None]:
    return {name: percentile_s(row, percent) for name, row in zip(MEASURES, counts, strict=True)}
