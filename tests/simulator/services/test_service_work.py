"""Prices of tokens: the least GPU-seconds a token that promise, cache and settings allow."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.serving.step_shape import StepShape
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.sequence import Request
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.service_work import MeanLengths, TokenPrices, mean_lengths, token_prices
from goodwatt.simulator.services.serving import Serving, serving_of
from goodwatt.simulator.services.step_source import StepSource
from tests.simulator.services.served_services import Given, service_of

REQUESTS = [Request(number, number / 10.0, 400 + 200 * (number % 3), 100 + 100 * (number % 2)) for number in range(60)]
LOOSE = Promise(ttft_s=100.0, tpot_s=10.0)


def serving_with(**more: Any) -> Serving:
    service = replace(service_of(REQUESTS), **more)
    return serving_of(service, gpu_kind(service.gpu))


def prices_of(**more: Any) -> TokenPrices:
    return token_prices(serving_with(**more))


def test_lengths_are_means_over_requests_and_over_tokens() -> None:
    requests = [Request(0, 0.0, 100, 10), Request(1, 1.0, 300, 30)]
    found = mean_lengths(Given(requests))
    assert found == MeanLengths(
        prompt=200.0,
        output=20.0,
        pairs=(100 * 50 + 300 * 150) / 400,
        context=(10 * 105 + 30 * 315) / 40,
    )


def test_a_source_that_makes_nothing_has_a_token_each() -> None:
    assert mean_lengths(Given([])).prompt == 1.0


def test_the_batch_is_the_best_of_all_that_are_allowed() -> None:
    serving = serving_with(promise=LOOSE, most_sequences=64)
    found, context = token_prices(serving), mean_lengths(serving.service.requests).context
    costs = [serving.law.cost(b, b * context, b, b * context).wall_s / b for b in range(1, 65)]
    assert found.output_gpu_s == pytest.approx(min(costs))
    assert found.batch == 1 + costs.index(min(costs))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("a tight promise of tokens", {"promise": Promise(ttft_s=1.0, tpot_s=0.009)}),
        ("a tight promise of latency", {"promise": Promise(latency_s=1.3)}),
        ("few sequences", {"most_sequences": 8}),
        ("little room for the cache", {"memory_share": 0.15}),
    ],
)
def test_what_allows_less_makes_an_output_token_dearer(name: str, more: dict[str, Any]) -> None:
    free = prices_of(promise=LOOSE)
    bound = prices_of(**{"promise": LOOSE, **more})
    assert bound.batch < free.batch, name
    assert bound.output_gpu_s > free.output_gpu_s


def test_a_promise_that_nobody_can_keep_has_the_price_of_one_at_a_time() -> None:
    assert prices_of(promise=Promise(ttft_s=1e-6, tpot_s=1e-6)).batch == 1


def test_a_prompt_that_must_be_quick_is_dearer() -> None:
    quick = prices_of(promise=Promise(ttft_s=0.02, tpot_s=10.0))
    assert quick.prompt_gpu_s > prices_of(promise=LOOSE).prompt_gpu_s


def test_prices_count_all_gpus_of_an_instance() -> None:
    alone, joined = (prices_of(promise=LOOSE, tensor_parallel=gpus) for gpus in (1, 2))
    assert joined.output_gpu_s > alone.output_gpu_s
    assert joined.prompt_gpu_s > alone.prompt_gpu_s


def test_steps_have_a_price_and_prompts_without_tokens_none() -> None:
    shape = StepShape.of_times("sd35_image", "H200-SXM", request_s=2.0, steps=20)
    source: Any = StepSource(Given(REQUESTS), shape.steps)
    service = Service(
        name="images", model=shape, gpu="H200-SXM", tensor_parallel=1, promise=Promise(latency_s=60.0), requests=source,
        most_sequences=4,
    )  # fmt: skip
    found = token_prices(serving_of(service, gpu_kind("H200-SXM")))
    assert found.prompt_gpu_s == 0.0
    assert found.output_gpu_s > 0.0


def test_work_adds_up_by_token() -> None:
    prices = TokenPrices(prompt_gpu_s=0.25, output_gpu_s=2.0, batch=1)
    assert math.isclose(prices.work_gpu_s(8.0, 3.0), 8.0)
