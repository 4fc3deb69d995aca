"""What an instance carries, by formulas, held to fleets that were simulated request by request."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.policies.service_capacity import Capacity, capacity, tightened
from goodwatt.policies.service_queueing import Lengths, Queueing
from goodwatt.power.serving.llm_models import llm_model
from goodwatt.power.serving.step_models import step_model
from goodwatt.power.workloads.demand import Setting
from goodwatt.simulator.services.load_trial import Trial, sampled
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Role, Service
from goodwatt.simulator.services.serving import Serving, serving_of
from goodwatt.traces.requests.blocks import Requests
from goodwatt.traces.requests.generate import class_source

CHAT = Promise(ttft_s=1.0, tpot_s=0.05)
WITHIN = 0.15
SEEDS = 2
MODELS = {"8B": ("llama-3.1-8b", 1), "70B": ("llama-3.1-70b", 4), "experts": ("mixtral-8x7b", 2)}


@cache
def chat_of(name: str, promise: Promise = CHAT, separate: bool = False) -> Serving:
    model, gpus = MODELS[name]
    shape = llm_model(model)
    assert shape is not None
    pools = {"separate": True, "min_replicas": 2, "max_replicas": 2, "min_prefill": 1, "max_prefill": 1}
    service = Service(
        name="chat",
        model=shape,
        gpu="H100-SXM",
        tensor_parallel=gpus,
        promise=promise,
        requests=class_source("chat", mean_per_s=20.0, seed=3),
        **(pools if separate else {}),  # type: ignore[arg-type]
    )
    return serving_of(service, gpu_kind("H100-SXM"))


@cache
def sample() -> Requests:
    return sampled(chat_of("8B").service.requests)


@cache
def lengths() -> Lengths:
    return Lengths.typical(sample().prompt_tokens.astype(float), sample().output_tokens.astype(float))


@cache
def carried(
    name: str, promise: Promise = CHAT, role: Role = "both", margin: float = 0.0, instances: int = 1
) -> Capacity:
    return capacity(chat_of(name, promise, role != "both"), lengths(), role, margin, instances)


def on_time(serving: Serving, rate_per_s: float, clock_mhz: float, instances: dict[Role, int]) -> float:
    trials = [Trial(serving=serving, instances=instances, sample=sample(), seed=seed) for seed in range(SEEDS)]
    found = [trial.at(rate_per_s, Setting(clock_mhz=clock_mhz)).attainment for trial in trials]
    return sum(found) / SEEDS


@pytest.mark.parametrize(("share", "within"), [(1.0, WITHIN), (0.75, WITHIN), (0.5, 0.2)])
@pytest.mark.parametrize("name", MODELS)
def test_an_instance_carries_as_much_as_in_a_simulation(name: str, share: float, within: float) -> None:
    table, serving = carried(name), chat_of(name)
    clock_mhz = share * serving.model.top_mhz
    rate = table.at(clock_mhz)
    assert on_time(serving, (1.0 - within) * rate, clock_mhz, {"both": 1}) >= 0.99
    assert on_time(serving, (1.0 + within) * rate, clock_mhz, {"both": 1}) < 0.99


@pytest.mark.parametrize("name", ["8B", "70B"])
def test_so_does_each_of_four(name: str) -> None:
    table, serving = carried(name, instances=4), chat_of(name)
    rate = 4.0 * table.full_per_s
    assert on_time(serving, (1.0 - WITHIN) * rate, serving.model.top_mhz, {"both": 4}) >= 0.99
    assert on_time(serving, (1.0 + WITHIN) * rate, serving.model.top_mhz, {"both": 4}) < 0.99


def test_the_watts_are_those_of_a_simulation() -> None:
    serving = chat_of("70B")
    places = np.array([serving.model.index_of(clock_mhz) for clock_mhz in (1200.0, 1980.0)])
    told = Queueing(serving, lengths(), "both", places).at(np.array([2.0, 2.0]), CHAT)
    for place, watts in zip(places.tolist(), told.watts.tolist(), strict=True):
        setting = Setting(clock_mhz=serving.model.clocks_mhz[place])
        seen = Trial(serving=serving, instances={"both": 1}, sample=sample()).at(2.0, setting)
        assert watts == pytest.approx(seen.gpu_w, rel=0.05)


def test_capacity_rises_with_the_clock_and_falls_with_the_margin() -> None:
    table, careful = carried("8B"), carried("8B", margin=0.3)
    assert (np.diff(table.rate_per_s) >= 0.0).all()
    assert (careful.rate_per_s <= table.rate_per_s).all()
    assert 0.0 < careful.full_per_s < table.full_per_s


def test_a_slow_clock_costs_decoding_less_than_its_share() -> None:
    """Decoding waits for memory: at half the clock far more than half is carried."""
    table = carried("8B", Promise(tpot_s=0.05), role="decode")
    assert table.at(990.0) > 0.8 * table.full_per_s


def test_prompts_alone_are_carried_in_proportion_to_the_clock() -> None:
    """At the greatest clock less, because the cap binds."""
    table = carried("8B", Promise(ttft_s=2.0), role="prefill")
    assert table.at(600.0) == pytest.approx(0.5 * table.at(1200.0), rel=0.1)
    assert 0.5 * table.full_per_s < table.at(990.0) < 0.7 * table.full_per_s


@pytest.mark.parametrize("rate_share", [0.01, 0.3, 0.8, 1.0])
def test_the_least_clock_carries_the_load(rate_share: float) -> None:
    table = carried("70B")
    rate = rate_share * table.full_per_s
    clock_mhz = table.clock_for(rate)
    assert clock_mhz is not None
    assert table.at(clock_mhz) >= rate
    assert clock_mhz == table.clocks_mhz[0] or table.at(clock_mhz - 15.0) < rate


def test_a_load_that_no_clock_carries_has_none() -> None:
    assert carried("8B").clock_for(1.01 * carried("8B").full_per_s) is None


def test_a_promise_that_cannot_be_kept_leaves_nothing_to_carry() -> None:
    table = carried("70B", Promise(tpot_s=0.001))
    assert table.full_per_s == 0.0
    assert table.clock_for(0.001) is None


def test_requests_of_a_model_without_tokens() -> None:
    shape = step_model("sd-3.5-medium")
    assert shape is not None
    source = class_source("chat", mean_per_s=1.0)
    service = Service(
        name="images", model=shape, gpu="H100-SXM", tensor_parallel=1, promise=Promise(latency_s=20.0), requests=source
    )
    serving = serving_of(service, gpu_kind("H100-SXM"))
    steps = Lengths(np.ones(8), np.full(8, float(shape.steps)))
    table = capacity(serving, steps)
    alone_s = shape.on("H100-SXM").alone_s * shape.steps
    assert 0.5 / alone_s < table.full_per_s < 20.0 / alone_s


def test_limits_with_a_margin() -> None:
    assert tightened(CHAT, 0.5) == replace(CHAT, ttft_s=0.5, tpot_s=0.025)


def test_typical_lengths_have_the_means_of_all() -> None:
    prompt, output = sample().prompt_tokens.astype(float), sample().output_tokens.astype(float)
    few = Lengths.typical(prompt, output, 64)
    assert few.prompt.mean() == pytest.approx(prompt.mean(), rel=0.02)
    assert few.output.mean() == pytest.approx(output.mean(), rel=0.02)
    assert np.corrcoef(few.prompt, few.output)[0, 1] == pytest.approx(np.corrcoef(prompt, output)[0, 1], abs=0.25)
