"""What a service takes at a load: trials, the best clock, the greatest load."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.errors import InputError
from goodwatt.power.serving.llm_models import llm_models
from goodwatt.power.serving.step_models import step_models
from goodwatt.power.serving.step_shape import StepShape
from goodwatt.power.workloads.demand import Setting
from goodwatt.simulator.services import load_trial
from goodwatt.simulator.services.load_trial import ServedLoad, Trial, sampled
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.service_prediction import (
    MARGIN,
    ServicePrediction,
    predict_service,
    trials_at_most,
)
from goodwatt.simulator.services.serving import serving_of
from goodwatt.simulator.services.step_source import StepSource
from goodwatt.traces.requests.generate import class_source
from goodwatt.traces.requests.request_source import TraceSource
from goodwatt.traces.requests.request_trace import RequestTrace

PROMISE = Promise(ttft_s=1.0, tpot_s=0.03)


@pytest.fixture(autouse=True)
def _short_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_trial, "FEWEST", 200)
    monkeypatch.setattr(load_trial, "MOST", 300)


def chat(**changes: Any) -> Service:
    facts = {
        "name": "chat",
        "model": llm_models()["llama-3.1-8b"],
        "gpu": "H100-SXM",
        "tensor_parallel": 1,
        "promise": PROMISE,
        "requests": class_source("chat", mean_per_s=5.0),
    }
    return Service(**{**facts, **changes})


def images() -> Service:
    source = StepSource(class_source("chat", mean_per_s=1.0), 28)
    promise = Promise(latency_s=12.0)
    return chat(model=step_models()["sd-3.5-medium"], gpu="B200-SXM", requests=source, promise=promise)


def predicted(
    service: Service, rate_per_s: float, replicas: int | None = None, setting: Setting | None = None, **more: Any
) -> ServicePrediction:
    serving = serving_of(service, gpu_kind(service.gpu))
    return predict_service(serving, rate_per_s, replicas, setting or Setting(), **more)


def trial(service: Service, **instances: int) -> Trial:
    serving = serving_of(service, gpu_kind(service.gpu))
    roles: Any = instances or {"both": 1}
    return Trial(serving=serving, instances=roles, sample=sampled(service.requests))


@cache
def one_chat() -> ServicePrediction:
    return predicted(chat(), 4.0)


def test_a_light_load_is_on_time_and_costs_little_more_than_waiting() -> None:
    few, more = (trial(chat()).at(rate) for rate in (0.1, 8.0))
    assert few.kept
    assert few.attainment == 1.0
    assert few.utilisation < 0.2 < more.utilisation <= 1.0
    model = serving_of(chat(), gpu_kind("H100-SXM")).model
    assert model.context_w < few.gpu_w < more.gpu_w <= model.default_cap_w
    assert (more.tokens_per_j or 0.0) > 3.0 * (few.tokens_per_j or 0.0)
    assert 0.0 < (few.kv_use or 0.0) < (more.kv_use or 0.0) < 1.0


def test_twice_the_load_on_twice_the_instances_is_alike() -> None:
    one, two, eight = (trial(chat(), both=n).at(4.0 * n) for n in (1, 2, 8))
    assert two.gpu_w == pytest.approx(one.gpu_w, rel=0.05)
    assert eight.gpu_w == pytest.approx(one.gpu_w, rel=0.05)
    assert eight.rate_per_s == 32.0


def test_who_is_not_done_in_the_end_is_late() -> None:
    load = trial(chat()).at(200.0)
    assert not load.kept
    assert load.attainment < 0.5


def test_a_trial_is_the_same_every_time_and_other_with_another_seed() -> None:
    first, again = (trial(chat()).at(3.0) for _ in range(2))
    assert first == again
    assert replace(trial(chat()), seed=1).at(3.0) != first


def test_a_lower_clock_takes_longer_and_draws_less() -> None:
    fast, slow = (trial(chat()).at(4.0, Setting(clock_mhz=clock)) for clock in (None, 900.0))
    assert slow.clock_mhz == 900.0
    assert slow.gpu_w < fast.gpu_w
    assert _p99(slow, "ttft_s") > _p99(fast, "ttft_s")


def test_a_cap_is_kept() -> None:
    capped = trial(chat()).at(8.0, Setting(cap_w=350.0))
    assert capped.gpu_w <= 350.0
    assert _p99(capped, "ttft_s") > _p99(trial(chat()).at(8.0), "ttft_s")


def test_separate_pools_are_tried_whole() -> None:
    separate = chat(separate=True, min_replicas=3, max_replicas=6, min_prefill=1, max_prefill=2)
    found = predicted(separate, 4.0)
    assert found.instances == {"prefill": 1, "decode": 2}
    assert found.asked.kept
    with pytest.raises(InputError, match="expected no number of replicas, because it has pools"):
        predicted(separate, 4.0, 3)


def test_the_best_clock_saves_and_keeps_a_margin() -> None:
    found = one_chat()
    assert found.best is not None
    assert found.best.kept
    assert found.best.gpu_w < found.asked.gpu_w
    assert found.best.clock_mhz < found.asked.clock_mhz
    assert _p99(found.best, "ttft_s") <= (1.0 - MARGIN) * 1.0 * 1.02
    assert _p99(found.best, "tpot_s") <= (1.0 - MARGIN) * 0.03 * 1.02


def test_the_greatest_load_keeps_the_promise_and_little_more_does_not() -> None:
    found = one_chat()
    assert [row.share for row in found.rows] == [0.25, 0.5, 0.75, 1.0]
    assert all(row.asked.kept for row in found.rows)
    assert found.rows[-1].asked.rate_per_s == pytest.approx(found.greatest_per_s)
    assert not trial(chat()).at(1.05 * found.greatest_per_s).kept
    watts = [row.asked.gpu_w for row in found.rows]
    assert watts == sorted(watts)


def test_the_greatest_load_does_not_hang_on_the_one_asked_for() -> None:
    assert predicted(chat(), 60.0).greatest_per_s == pytest.approx(one_chat().greatest_per_s, rel=0.1)


def test_a_promise_that_nothing_keeps() -> None:
    found = predicted(chat(promise=Promise(tpot_s=1e-6)), 2.0)
    assert not found.asked.kept
    assert found.best is None
    assert found.greatest_per_s == 0.0
    assert found.rows == ()


def test_a_service_without_tokens() -> None:
    found = predicted(images(), 0.1)
    assert found.asked.tokens_per_j is None
    assert found.asked.kv_use is None
    alone_s = 28 * step_models()["sd-3.5-medium"].on("B200-SXM").alone_s
    assert found.asked.p50_s["latency_s"] == pytest.approx(alone_s, rel=0.1)
    assert 0.1 < found.greatest_per_s * alone_s < 1.23, "as many as the largest batches would do at most"


def test_what_takes_a_fraction_of_a_millisecond_is_tried_for_a_fraction_of_a_second() -> None:
    model = StepShape.of_class("dlrm", batch=64, batch_gain=10.0)
    source = StepSource(class_source("chat", mean_per_s=1.0), 1)
    promise = Promise(latency_s=0.02)
    asked = trial(chat(model=model, gpu="H200-SXM", requests=source, promise=promise, most_sequences=512))
    most_per_s = 1.0 / model.figures[0].item_s
    assert asked.at(0.7 * most_per_s).kept
    assert not asked.at(1.5 * most_per_s).kept


def test_trials_are_told_and_about_as_many_as_expected() -> None:
    told = list[str]()
    service = chat()
    predicted(service, 4.0, tell=told.append)
    assert 20 < len(told) <= trials_at_most(serving_of(service, gpu_kind("H100-SXM"))) + 5
    assert told[0] == "4/s"


def test_lengths_are_those_of_the_source() -> None:
    trace = RequestTrace.of("t", [1.0, 5.0, 90.0], [10, 20, 30], [1, 2, 3])
    sample = sampled(TraceSource(trace))
    assert sample.prompt_tokens.tolist() == [10, 20, 30]
    assert len(sampled(class_source("chat", mean_per_s=100.0)).arrival_s) == load_trial.SAMPLE


@pytest.mark.parametrize(
    ("rate", "replicas", "setting", "message"),
    [
        (0.0, None, Setting(), "expected a rate above 0"),
        (np.nan, None, Setting(), "expected a rate above 0"),
        (1e9, None, Setting(), r"up to 1e\+06 requests per second, got 1e\+09"),
        (1.0, 0, Setting(), "expected at least 1 replica, got 0"),
        (1.0, None, Setting(clock_mhz=5000.0), "expected a clock that H100-SXM has, .* to 1980 MHz, got 5000 MHz"),
        (1.0, None, Setting(cap_w=10.0), "expected a cap that H100-SXM takes, 200 to 700 W, got 10 W"),
    ],
)
def test_mistakes(rate: float, replicas: int | None, setting: Setting, message: str) -> None:
    with pytest.raises(InputError, match=message):
        predicted(chat(), rate, replicas, setting)


def _p99(load: ServedLoad, measure: str) -> float:
    value = load.p99_s[measure]
    assert value is not None
    return value
