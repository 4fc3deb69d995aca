"""Laws in MIG slices: what jobs in slices show, and what cannot be otherwise."""

from __future__ import annotations

import pytest

from goodwatt.cluster import mig
from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.colocation.interference_constants import LAWS
from goodwatt.power.colocation.interference_scaling import slice_stretch
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.serving.llm_on_gpu import llm_law
from goodwatt.power.serving.llm_shape import LlmShape
from goodwatt.power.serving.sliced_law import on_slice

KIND = gpu_kind("A100-SXM4-80GB")
LAW = llm_law(
    LlmShape(parameters=8.03e9, active_parameters=8.03e9, layers=32, hidden=4096, kv_heads=8), KIND, 1, "vllm"
)
DECODING = [(sequences, context) for sequences in (16.0, 64.0) for context in (500.0, 2000.0)]


@pytest.mark.parametrize("name", ["4g.40gb", "3g.40gb", "2g.20gb"])
@pytest.mark.parametrize(("sequences", "context"), DECODING)
def test_decoding_takes_as_much_longer_as_jobs_in_slices_do(name: str, sequences: float, context: float) -> None:
    profile, held, model = mig.profile(KIND, name), sequences * context, gpu_model(KIND)
    whole = LAW.cost(sequences, held, sequences, held)
    part = on_slice(LAW, profile).cost(sequences, held, sequences, held)
    sm_w = model.power.core_w * model.power.voltage_rise**2 * whole.sm_s / whole.gpu_s
    dram = whole.dram_s / whole.gpu_s
    watts_share = (sm_w + model.memory_w * dram) / (model.default_cap_w - model.context_w)
    jobs = slice_stretch(watts_share, dram, profile.sm_share, profile.memory_share, LAWS.mig)
    assert part.gpu_s / whole.gpu_s == pytest.approx(jobs, rel=0.1)


def test_the_largest_slice_is_nearly_the_whole() -> None:
    profile = mig.profile(KIND, "7g.80gb")
    assert profile.memory_share == 1.0
    whole, part = (law.cost(40.0, 40_000.0, 40.0, 40_000.0) for law in (LAW, on_slice(LAW, profile)))
    assert part.wall_s == pytest.approx(whole.wall_s, rel=0.05)


def test_arithmetic_costs_the_same_wherever_it_is_done() -> None:
    whole, part = (law.cost(2048.0, 2e6, 1.0, 0.0) for law in (LAW, on_slice(LAW, mig.profile(KIND, "3g.40gb"))))
    assert part.wall_s > 2.0 * whole.wall_s
    assert part.sm_s == pytest.approx(whole.sm_s, rel=0.1)
    assert part.dram_s == pytest.approx(whole.dram_s)
