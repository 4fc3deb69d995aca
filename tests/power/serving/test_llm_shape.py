"""Bytes and FLOPs that follow from a decoder's shape."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.power.serving.models import EXPERTS, LLAMA_8B


def test_what_a_token_of_llama_takes() -> None:
    assert LLAMA_8B.kv_token_bytes == 131_072
    assert LLAMA_8B.weights_bytes == 15e9
    assert LLAMA_8B.token_flops == 15e9
    assert LLAMA_8B.pair_flops == 4 * 32 * 4096
    assert (LLAMA_8B.experts, LLAMA_8B.dormant) == (0.0, 0.0)


def test_all_parameters_are_those_of_experts_and_those_that_every_token_passes() -> None:
    experts = EXPERTS.parameters * EXPERTS.experts
    always = EXPERTS.parameters - experts
    assert always + experts * EXPERTS.routed == pytest.approx(EXPERTS.active_parameters)
    assert EXPERTS.dormant == 1 - 8 / 128


def test_without_a_share_of_experts_all_weights_count_as_theirs() -> None:
    unknown = replace(EXPERTS, routed=0.0)
    assert unknown.experts == 1.0
    assert 1 - unknown.dormant == pytest.approx(0.0993, abs=1e-4)


def test_heads_may_be_wider_together_than_the_model() -> None:
    assert EXPERTS.pair_flops == 4 * 48 * 4096
    assert EXPERTS.kv_row_flops == 4 * 48 * 4 * 128
