"""The law of an iteration: orders that must hold, arrays and floats, and what follows the clock."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.serving.iteration_law import Cost, IterationLaw
from goodwatt.power.serving.llm_on_gpu import llm_law
from tests.power.serving.models import EXPERTS, LLAMA_8B, LLAMA_70B

LAWS = [
    llm_law(LLAMA_8B, gpu_kind("H200-SXM"), 1, "vllm"),
    llm_law(LLAMA_8B, gpu_kind("H200-SXM"), 1, "torch"),
    llm_law(LLAMA_70B, gpu_kind("A100-SXM4-80GB"), 4, "vllm"),
    llm_law(EXPERTS, gpu_kind("B200-SXM"), 2, "vllm"),
    replace(llm_law(LLAMA_70B, gpu_kind("H100-SXM"), 8, "vllm"), slow=2.0, slow_tokens=4096.0),
]
laws = st.sampled_from(LAWS)
batches = st.integers(0, 512)
chunks = st.integers(0, 8192)
lengths = st.integers(1, 32768)
clocks = st.floats(0.2, 1.0)
ROUNDING = 1e-9
Work = tuple[float, float, float, float]
"""Tokens, pairs, sequences, context."""


@st.composite
def works(draw: st.DrawFn) -> Work:
    """Tokens, pairs, sequences, context of an iteration over a chunk of a prompt and a batch that decodes."""
    batch, chunk, length = draw(batches), draw(chunks), draw(lengths)
    if not batch + chunk:
        batch = 1
    pairs, context = batch * length + chunk * (length + chunk / 2), (batch + bool(chunk)) * length + chunk
    return float(batch + chunk), float(pairs), float(batch + bool(chunk)), float(context)


@given(law=laws, work=works(), more=st.integers(1, 4096), x=clocks)
@pytest.mark.parametrize("part", ["tokens", "pairs", "sequences", "context"])
def test_more_work_is_never_faster_and_never_cheaper(
    part: str, law: IterationLaw, work: Work, more: int, x: float
) -> None:
    tokens, pairs, sequences, context = work
    named = {"tokens": tokens, "pairs": pairs, "sequences": sequences, "context": context}
    less, greater = law.cost(**named, x=x), law.cost(**{**named, part: named[part] + more}, x=x)
    for one, other in zip(less, greater, strict=True):
        if one is not less.scaled_s:
            assert other >= one * (1 - ROUNDING)


@given(law=laws, work=works(), x=clocks, faster=st.floats(1.0, 2.0))
def test_a_higher_clock_is_never_slower(law: IterationLaw, work: Work, x: float, faster: float) -> None:
    assert law.cost(*work, x=x * faster).wall_s <= law.cost(*work, x=x).wall_s * (1 + ROUNDING)


@given(law=laws, work=works(), x=clocks, sharing=st.floats(1.0, 4.0))
def test_company_is_never_faster_and_multiplies_no_more(
    law: IterationLaw, work: Work, x: float, sharing: float
) -> None:
    alone, beside = law.cost(*work, x=x), law.cost(*work, x=x, sharing=sharing)
    assert beside.wall_s >= alone.wall_s * (1 - ROUNDING)
    assert (beside.sm_s, beside.dram_s) == (alone.sm_s, alone.dram_s)


@given(law=laws, work=works(), x=clocks)
def test_what_follows_the_clock_is_the_slope_of_the_time(law: IterationLaw, work: Work, x: float) -> None:
    step = 1e-4
    slower, faster = (law.cost(*work, x=x * np.exp(side * step)).wall_s for side in (-1, 1))
    slope = float(slower - faster) / (2 * step)
    assert law.cost(*work, x=x).scaled_s == pytest.approx(slope, rel=1e-3, abs=1e-9)


@given(law=laws, work=works(), x=clocks)
def test_times_and_energies_are_positive_and_in_order(law: IterationLaw, work: Work, x: float) -> None:
    cost = law.cost(*work, x=x)
    assert min(cost) >= 0.0
    assert cost.sm_s > 0.0
    assert cost.gpu_s <= cost.wall_s * (1 + ROUNDING)
    assert cost.scaled_s <= cost.gpu_s * (1 + ROUNDING)
    assert cost.dram_s <= cost.gpu_s * (1 + ROUNDING), "more bytes than the memory can move in that time"


@given(law=laws, several=st.lists(works(), min_size=1, max_size=4), x=clocks, sharing=st.floats(1.0, 3.0))
def test_arrays_give_what_floats_give(law: IterationLaw, several: list[Work], x: float, sharing: float) -> None:
    tokens, pairs, sequences, context = (np.array(column) for column in zip(*several, strict=True))
    together = law.cost(tokens, pairs, sequences, context, np.full(len(several), x), sharing)
    for i, work in enumerate(several):
        assert [float(column[i]) for column in together] == pytest.approx(list(law.cost(*work, x=x, sharing=sharing)))


def test_a_decode_by_hand() -> None:
    nothing = IterationLaw(**{field.name: 0.0 for field in fields(IterationLaw)})
    law = replace(nothing, multiply_s=1e-5, rows=20.0, weights_s=3e-3, context_s=1e-8, gap_s=1e-3, sequence_s=1e-5)
    cost = law.cost(tokens=80.0, pairs=0.0, sequences=80.0, context=1e5, x=0.5)
    products_s = (2e-3**4 + 3e-3**4) ** 0.25
    assert cost.gpu_s == pytest.approx(products_s + 1e-3 + 1e-3)
    assert cost.wall_s == pytest.approx(cost.gpu_s + 8e-4)
    assert cost.scaled_s == pytest.approx(2e-3**4 / products_s**3)


def test_launches_hide_behind_a_busy_gpu_and_stand_in_front_of_an_idle_one() -> None:
    law = llm_law(LLAMA_8B, gpu_kind("H200-SXM"), 1, "torch")

    def waits(cost: Cost) -> float:
        return float(cost.wall_s / cost.gpu_s)

    assert waits(law.cost(16, 8192, 16, 8192)) > 1.4
    assert waits(law.cost(8192, 8192**2 / 2, 1, 8192)) == pytest.approx(1.0, abs=1e-3)
