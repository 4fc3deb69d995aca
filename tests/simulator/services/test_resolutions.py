"""Requests one by one and in ticks are the same model: the second is held to the first.

Bars: throughput 2%, p99 latencies 10%, energy 2%, at low, medium, high and bursting load.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.serving.llm_shape import LlmShape
from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.fleet import new_fleet
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Role, Service
from goodwatt.simulator.services.serving import serving_of
from goodwatt.simulator.settings.serving_settings import Resolution
from goodwatt.traces.requests.generate import class_source
from goodwatt.traces.requests.request_source import RequestSource, TraceSource
from goodwatt.traces.requests.request_trace import RequestTrace

SHAPE_8B = LlmShape(parameters=8.03e9, active_parameters=8.03e9, layers=32, hidden=4096, kv_heads=8)
SHAPE_70B = LlmShape(parameters=70.6e9, active_parameters=70.6e9, layers=80, hidden=8192, kv_heads=8)
MODELS = {"70B on four H100": (SHAPE_70B, "H100-SXM", 4), "8B on one H200": (SHAPE_8B, "H200-SXM", 1)}
SPAN_S, TICK_S = 900.0, 1.0
THROUGHPUT, P99, ENERGY = 0.02, 0.10, 0.02


def chat(rate: float) -> RequestSource:
    return class_source("chat", mean_per_s=rate, seed=3, peak_to_trough=1.0)


def code(rate: float) -> RequestSource:
    """Prompts of code completion, in heavy bursts."""
    return class_source("code", mean_per_s=rate, seed=5, peak_to_trough=1.0)


def wave(rate: float) -> RequestSource:
    """For a minute three times as many as before and after."""
    calm = class_source("chat", mean_per_s=rate, seed=3, peak_to_trough=1.0).between(0.0, SPAN_S)
    high = class_source("chat", mean_per_s=2.0 * rate, seed=4, peak_to_trough=1.0).between(300.0, 360.0)
    arrival_s = np.concatenate([calm.arrival_s, high.arrival_s])
    order = np.argsort(arrival_s, kind="stable")
    prompts, outputs = (
        np.concatenate(pair)[order]
        for pair in ((calm.prompt_tokens, high.prompt_tokens), (calm.output_tokens, high.output_tokens))
    )
    return TraceSource(RequestTrace("wave", arrival_s[order], prompts, outputs))


@dataclass(frozen=True)
class Seen:
    """Of a run; `p99_s` of TTFT, TPOT and latency, `joules` of one GPU of each instance, above its context's watts."""

    tokens: float
    p99_s: tuple[float, float, float]
    joules: float


def served(resolution: Resolution, service: Service, roles: list[Role]) -> Seen:
    serving = serving_of(service, gpu_kind(service.gpu))
    fleet = new_fleet(resolution, [serving], 0.0)
    slots = [fleet.start(0, Board(serving.model), role) for role in roles]
    for tick in range(round(SPAN_S / TICK_S)):
        fleet.advance((tick + 1) * TICK_S)
    book = fleet.books[0]
    p99_s = tuple(book.percentile_s(measure) or 0.0 for measure in ("ttft_s", "tpot_s", "latency_s"))
    return Seen(book.output_tokens, p99_s, sum(fleet.take_spent(slot).joules for slot in slots))  # type: ignore[arg-type]


def service_of(model: str, requests: RequestSource, instances: int, **more: object) -> Service:
    shape, kind, gpus = MODELS[model]
    facts: dict[str, object] = {"min_replicas": instances, "max_replicas": instances, **more}
    promise = Promise(ttft_s=1.0, tpot_s=0.05)
    return Service(
        name="s", model=shape, gpu=kind, tensor_parallel=gpus, promise=promise, requests=requests, **facts  # type: ignore[arg-type]
    )  # fmt: skip


TABLE = [
    # load,      model,              instances, requests,       routing
    ("low", "70B on four H100", 2, chat(0.5), "least_loaded"),
    ("medium", "70B on four H100", 2, chat(2.0), "least_loaded"),
    ("high", "70B on four H100", 2, chat(4.5), "least_loaded"),
    ("bursting", "70B on four H100", 2, wave(2.0), "least_loaded"),
    ("low", "8B on one H200", 2, chat(1.0), "round_robin"),
    ("medium", "8B on one H200", 2, chat(10.0), "round_robin"),
    ("high", "8B on one H200", 2, chat(20.0), "least_loaded"),
    ("bursting", "8B on one H200", 4, code(2.5), "round_robin"),
    ("by length", "70B on four H100", 3, chat(3.0), "by_length"),
]


@pytest.mark.parametrize(
    ("model", "instances", "requests_", "routing"),
    [row[1:] for row in TABLE],
    ids=[f"{row[0]}, {row[1]}" for row in TABLE],
)
def test_ticks_are_held_to_requests(model: str, instances: int, requests_: RequestSource, routing: str) -> None:
    service = service_of(model, requests_, instances, routing=routing)
    roles: list[Role] = ["both"] * instances
    agree(served("requests", service, roles), served("ticks", service, roles))


FULL = [
    # what is full: most sequences, share of the memory, requests a second
    ("seats", 16, 0.9, 22.0),
    ("the cache", 256, 0.139, 22.0),
]


@pytest.mark.parametrize(("most", "memory_share", "rate"), [row[1:] for row in FULL], ids=[row[0] for row in FULL])
def test_full_instances_take_in_as_soon_as_there_is_room(most: int, memory_share: float, rate: float) -> None:
    service = service_of("8B on one H200", chat(rate), 2, most_sequences=most, memory_share=memory_share)
    roles: list[Role] = ["both", "both"]
    by_request, by_tick = served("requests", service, roles), served("ticks", service, roles)
    assert by_tick.tokens == pytest.approx(by_request.tokens, rel=THROUGHPUT)
    assert by_tick.joules == pytest.approx(by_request.joules, rel=ENERGY)


def test_separate_pools_agree_too() -> None:
    service = service_of("70B on four H100", chat(3.0), 4, separate=True, min_prefill=2, max_prefill=2)
    roles: list[Role] = ["prefill", "prefill", "decode", "decode"]
    agree(served("requests", service, roles), served("ticks", service, roles))


def agree(by_request: Seen, by_tick: Seen) -> None:
    assert by_tick.tokens == pytest.approx(by_request.tokens, rel=THROUGHPUT)
    assert by_tick.p99_s == pytest.approx(by_request.p99_s, rel=P99)
    assert by_tick.joules == pytest.approx(by_request.joules, rel=ENERGY)


@pytest.mark.parametrize("tick_s", [0.1, 0.5, 2.0])
def test_the_length_of_a_tick_hardly_matters(tick_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    service = service_of("70B on four H100", chat(3.0), 2)
    roles: list[Role] = ["both", "both"]
    in_seconds = served("ticks", service, roles)
    monkeypatch.setattr(f"{__name__}.TICK_S", tick_s)
    agree(in_seconds, served("ticks", service, roles))
