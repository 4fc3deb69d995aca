"""Services without tokens, request by request."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.errors import InputError
from goodwatt.power.serving.step_models import step_models
from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.latency_book import LatencyBook
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.request_fleet import RequestFleet
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.serving import serving_of
from goodwatt.simulator.services.step_source import StepSource
from goodwatt.traces.requests.request_source import TraceSource
from goodwatt.traces.requests.request_trace import RequestTrace

IMAGES, PICTURES = step_models()["sd-3.5-medium"], step_models()["resnet50"]


def service(arrivals: list[float], name: str = "sd-3.5-medium", gpu: str = "B200-SXM", **more: Any) -> Service:
    model = step_models()[name]
    source = StepSource(TraceSource(RequestTrace.of("t", arrivals, 50, 70)), model.steps)
    promise = Promise(latency_s=10.0)
    return Service(name="s", model=model, gpu=gpu, promise=promise, requests=source, **{"tensor_parallel": 1, **more})


def served(asked: Service, until_s: float = 600.0) -> LatencyBook:
    serving = serving_of(asked, gpu_kind(asked.gpu))
    fleet = RequestFleet([serving], 0.0)
    fleet.start(0, Board(serving.model))
    fleet.advance(until_s)
    (book,) = fleet.books
    return book


def test_a_source_keeps_arrivals_and_nothing_else() -> None:
    source = service([1.0, 2.0]).requests
    come = source.between(0.0, 2.0)
    assert come.arrival_s.tolist() == [1.0]
    assert (come.prompt_tokens.tolist(), come.output_tokens.tolist()) == ([1], [28])
    assert come.prompt_tokens.dtype == np.int32
    assert (source.name, source.span_s) == ("t", 3.0)


def test_a_request_alone_takes_its_steps() -> None:
    book = served(service([1.0]))
    assert book.percentile_s("latency_s") == pytest.approx(28 * IMAGES.on("B200-SXM").alone_s, rel=0.02)


def test_requests_together_share_iterations() -> None:
    figures = IMAGES.on("B200-SXM")
    book = served(service([1.0] * 4))
    assert book.percentile_s("latency_s", 50.0) == pytest.approx(28 * figures.item_s * (4 + figures.rows), rel=0.02)


def test_no_more_at_once_than_allowed() -> None:
    figures = IMAGES.on("B200-SXM")
    book = served(service([1.0] * 4, most_sequences=2))
    pair_s = 28 * figures.item_s * (2 + figures.rows)
    assert book.percentile_s("latency_s", 0.0) == pytest.approx(pair_s, rel=0.02)
    assert book.percentile_s("latency_s", 100.0) == pytest.approx(2.0 * pair_s, rel=0.02)


def test_one_pass_batches_what_waits() -> None:
    rate, span_s = 1500.0, 20.0
    arrivals = np.arange(0.0, span_s, 1.0 / rate).tolist()
    book = served(service(arrivals, "resnet50", "A100-SXM4-80GB"), span_s + 1.0)
    assert int(book.done.sum()) == len(arrivals)
    alone_s = PICTURES.figures[0].alone_s
    assert alone_s < (book.percentile_s("latency_s", 50.0) or 0.0) < 5.0 * alone_s
    assert rate > 5.0 / alone_s, "more than one after the other could do"


def test_more_than_one_gpu_is_refused() -> None:
    with pytest.raises(InputError, match="expected 1 GPU an instance"):
        serving_of(service([1.0], tensor_parallel=2), gpu_kind("B200-SXM"))
