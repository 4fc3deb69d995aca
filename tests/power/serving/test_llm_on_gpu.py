"""Laws of models on kinds: what tensor parallelism divides, experts, room for the cache, errors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.power.serving.llm_on_gpu import kv_capacity_tokens, llm_law
from goodwatt.power.workloads.kind_rates import RATES
from tests.power.serving.models import EXPERTS, LLAMA_8B, LLAMA_70B

H200 = gpu_kind("H200-SXM")


def test_two_gpus_share_weights_and_arithmetic_and_exchange_what_one_keeps() -> None:
    one, two = (llm_law(LLAMA_70B, H200, gpus, "vllm") for gpus in (1, 2))
    for name in ("multiply_s", "weights_s", "pair_s", "context_s", "weights_dram_s", "context_sm_s"):
        assert getattr(two, name) == pytest.approx(getattr(one, name) / 2)
    assert two.token_s == one.token_s, "every GPU keeps all activations"
    assert one.exchange_s == one.exchange_token_s == 0.0
    assert two.exchange_s > 0.0
    assert two.exchange_token_s > 0.0


def test_few_tokens_touch_few_experts() -> None:
    law = llm_law(EXPERTS, H200, 1, "torch")  # which chooses tokens without moving bytes
    shares = [law.cost(n, 0, n, 0).dram_s / law.weights_dram_s for n in (1, 8, 64, 512)]
    assert shares[0] == pytest.approx(3.0 / 30.2, abs=0.01)
    assert shares == sorted(shares)
    assert shares[3] == pytest.approx(1.0, abs=0.05)


def test_weights_of_eight_bits_move_half_the_bytes_and_are_less_than_twice_as_fast() -> None:
    half, eight = (llm_law(replace(LLAMA_70B, weight_bytes=b), H200, 1, "vllm") for b in (2.0, 1.0))
    assert eight.weights_dram_s == half.weights_dram_s / 2
    assert half.weights_s / 2 < eight.weights_s < half.weights_s


def test_the_cache_has_what_the_weights_leave() -> None:
    assert kv_capacity_tokens(LLAMA_8B, H200, 1) == pytest.approx((143_771 * 2**20 * 0.9 - 15e9) / 131_072, abs=1)
    assert kv_capacity_tokens(LLAMA_70B, gpu_kind("H100-SXM"), 4) > 4 * 60_000


def test_weights_that_do_not_fit_are_told_with_what_would_help() -> None:
    with pytest.raises(InputError, match=r"139 GB of weights do not fit 1 x H100-SXM .* greater tensor_parallel"):
        kv_capacity_tokens(LLAMA_70B, gpu_kind("H100-SXM"), 1)


def test_unknown_software_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="vllm"):
        llm_law(LLAMA_8B, H200, 1, "vlm")


@pytest.mark.parametrize("name", sorted(RATES))
def test_every_kind_with_rates_has_a_law(name: str) -> None:
    law = llm_law(LLAMA_8B, gpu_kind(name), 1, "vllm")
    assert 0.0 < law.cost(1, 512, 1, 512).wall_s < 1.0


def test_a_kind_without_rates_is_an_error() -> None:
    with pytest.raises(InputError, match="GPU kind mystery: its arithmetic and memory rates are unknown"):
        llm_law(LLAMA_8B, replace(H200, name="mystery"), 1, "vllm")
