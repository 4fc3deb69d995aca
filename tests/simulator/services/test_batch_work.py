"""How much batch work fits beside a service: jobs beside its instances, instances that can be spared."""

from __future__ import annotations

import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.errors import UnknownNameError
from goodwatt.power.workloads.demand import DEFAULT_SETTING
from goodwatt.simulator.services import load_trial
from goodwatt.simulator.services.batch_work import PERCENTS, BatchWork, batch_work
from goodwatt.simulator.services.load_trial import Trial, sampled
from goodwatt.simulator.services.serving import serving_of
from tests.simulator.services.test_service_prediction import chat


@pytest.fixture(autouse=True)
def _short_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_trial, "FEWEST", 200)
    monkeypatch.setattr(load_trial, "MOST", 300)


def trial(instances: int = 3, memory_share: float = 0.6) -> Trial:
    service = chat(memory_share=memory_share)
    serving = serving_of(service, gpu_kind(service.gpu))
    return Trial(serving=serving, instances={"both": instances}, sample=sampled(service.requests))


def found(rate_per_s: float, *classes: str, **more: float) -> BatchWork:
    return batch_work(trial(**more), rate_per_s, DEFAULT_SETTING, classes, 0.1, lambda _: None)  # type: ignore[arg-type]


def test_more_threads_give_the_job_speed_and_cost_the_instance_time_and_watts() -> None:
    rows = found(3.0, "bert_train").rows
    assert [row.percent for row in rows] == list(PERCENTS)
    for measure in ("speed", "stretch", "gpu_w"):
        values = [getattr(row, measure) for row in rows]
        assert values == sorted(values)
    assert all(row.kept for row in rows)
    assert [row.best for row in rows] == [False, False, True]


def test_the_best_keeps_the_promise() -> None:
    loads = [found(rate, "bert_train").rows for rate in (3.0, 18.0, 60.0)]
    best = [[row.percent for row in rows if row.best] for rows in loads]
    assert best[0] == [50.0]
    assert best[2] == []
    assert all(row.kept for rows in loads for row in rows if row.best)


def test_instances_that_can_be_spared() -> None:
    assert [found(rate).fewest for rate in (2.0, 22.0, 200.0)][::2] == [1, None]
    assert found(2.0).freed_gpus == 2


def test_without_memory_nobody_is_best() -> None:
    rows = found(3.0, "bert_train", memory_share=0.95).rows
    assert not any(row.fits or row.best for row in rows)


def test_a_class_that_nobody_knows() -> None:
    with pytest.raises(UnknownNameError):
        found(3.0, "bert_trian")
