"""What a job does to an instance, as policies believe it; what it does not change where nobody is."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.policies.service_beside import UNKNOWN, asked, pair_of
from goodwatt.policies.service_capacity import capacity
from goodwatt.policies.service_queueing import ALONE, Beside, Lengths
from goodwatt.power.workloads.catalogue import all_classes, phases_on
from goodwatt.power.workloads.workload import mean_demand
from goodwatt.simulator.services.load_trial import Trial, sampled
from goodwatt.simulator.services.serving import Serving, serving_of
from tests.policies.services.service_runs import chat


@cache
def serving() -> Serving:
    return serving_of(chat((0.0, 5.0)), gpu_kind("H100-SXM"))


@cache
def lengths() -> Lengths:
    found = sampled(serving().service.requests)
    return Lengths.typical(found.prompt_tokens.astype(float), found.output_tokens.astype(float))


def test_capacity_falls_with_what_a_job_does() -> None:
    found = [
        capacity(serving(), lengths(), margin=0.2, beside=beside).full_per_s
        for beside in (ALONE, Beside(1.2, 1.0), Beside(1.2, 1.3), Beside(1.5, 1.3))
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] == capacity(serving(), lengths(), margin=0.2).full_per_s
    assert found[-1] < 0.8 * found[0]


@pytest.mark.parametrize("stretch", [1.0, 1.3])
def test_what_is_carried_beside_a_job_keeps_the_promise_in_a_trial(stretch: float) -> None:
    carried = capacity(serving(), lengths(), margin=0.2, beside=Beside(stretch, 1.0)).full_per_s
    trial = Trial(serving=serving(), instances={"both": 1}, sample=sampled(serving().service.requests))
    assert trial.at(carried, sharing=stretch).kept
    assert not trial.at(1.6 * carried, sharing=stretch).kept


def test_an_instance_asks_what_its_sensors_would_tell() -> None:
    alone = capacity(serving(), lengths(), margin=0.2)
    told = asked(serving(), lengths(), "both", alone.full_per_s, alone.full_batch).demand
    trial = Trial(serving=serving(), instances={"both": 1}, sample=sampled(serving().service.requests))
    seen = trial.asked(alone.full_per_s)
    for name in ("u", "m", "kappa"):
        assert getattr(told, name) == pytest.approx(getattr(seen, name), abs=0.12)


@pytest.mark.parametrize("percent", [10.0, 25.0])
def test_nobody_unknown_is_taken_for_better_than_most_training(percent: float) -> None:
    model = serving().model
    wants = asked(serving(), lengths(), "both", 8.0, 20.0)
    unknown = pair_of(model, wants, UNKNOWN, percent)
    training = [mean_demand(phases_on(one, "H100-SXM")) for one in all_classes().values() if "train" in one.name]
    stretches = np.array([pair_of(model, wants, demand, percent).beside.stretch for demand in training])
    assert len(training) > 5
    assert (stretches <= unknown.beside.stretch).mean() >= 0.9
    assert unknown.speed <= np.median([pair_of(model, wants, demand, percent).speed for demand in training])
