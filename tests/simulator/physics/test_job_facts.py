"""The truth about a job: its speed on each kind, its demand with its residual, its steps."""

from __future__ import annotations

from typing import Any

import pytest

from goodwatt.errors import RunError
from goodwatt.power.network.gang_step import step_s
from goodwatt.power.network.layout import layout_of
from goodwatt.power.workloads.catalogue import all_classes, communicating, phases_on, speed_on, workload_class
from goodwatt.simulator.physics.job_facts import JobFacts
from goodwatt.simulator.physics.truth import NO_RESIDUAL, Truth
from tests.scenario import Nodes, cluster, job
from tests.simulator.physics.full_physics_runs import LSTM, MODELS, NET, V100, demand

ON = cluster(Nodes(2, 2, "V100"), Nodes(2, 2, "H200"))
H200 = "H200-SXM"


def facts(workload: str = NET, gpus: int = 1, truth: Truth = NO_RESIDUAL, **others: Any) -> JobFacts:
    return JobFacts(job("a", gpus, workload=workload, **others), ON, truth)


def test_a_job_without_a_class_cannot_be_simulated() -> None:
    with pytest.raises(RunError, match="job a: full physics needs its workload class"):
        JobFacts(job("a"), ON, NO_RESIDUAL)


@pytest.mark.parametrize("workload", list(all_classes()))
def test_its_speed_is_relative_to_its_reference(workload: str) -> None:
    entry = workload_class(workload)
    ratio = speed_on(entry, H200) / speed_on(entry, V100)
    assert facts(workload).on(MODELS[H200], V100).speed == pytest.approx(ratio)
    assert facts(workload).on(MODELS[V100], V100).speed == 1.0
    assert facts(workload).on(MODELS[V100], None).speed == 1.0


def test_without_residual_its_demand_is_that_of_its_class() -> None:
    found = facts().on(MODELS[V100], V100)
    assert found.phases == phases_on(workload_class(NET), V100)
    assert found.demand == demand()
    assert found.waiting == communicating(demand())


def test_its_residual_is_its_own_and_the_same_every_time() -> None:
    one = JobFacts(job("a", workload=NET), ON, Truth(3)).on(MODELS[V100], V100)
    again = JobFacts(job("a", workload=NET), ON, Truth(3)).on(MODELS[V100], V100)
    other = JobFacts(job("b", workload=NET), ON, Truth(3)).on(MODELS[V100], V100)
    assert (one.phases, one.speed) == (again.phases, again.speed)
    assert one.demand != other.demand != demand()
    assert one.speed == 1.0, "on its reference kind it was measured"


def test_points_are_found_once() -> None:
    found = facts().on(MODELS[V100], V100)
    assert found.alone(MODELS[V100], 900.0, None, 1.0) is found.alone(MODELS[V100], 900.0, None, 1.0)
    assert found.alone(MODELS[V100], 900.0, None, 1.0) != found.alone(MODELS[V100], 900.0, None, 1.3)


@pytest.mark.parametrize(
    ("workload", "gpus", "exchanges"), [(LSTM, 2, True), (LSTM, 1, False), ("dlrm", 2, False), (LSTM, 0, False)]
)
def test_who_has_something_to_say_to_each_other(workload: str, gpus: int, exchanges: bool) -> None:
    assert facts(workload, gpus).exchanges == exchanges


def test_a_gang_is_measured_against_its_best_place_among_nodes_of_its_reference() -> None:
    step = workload_class(LSTM).step
    for kind, node in ((V100, 0), (H200, 2)):
        best_s = step_s(step, 1.0, layout_of(ON, ((node, 0b11),)), ON.network).total_s
        assert facts(LSTM, 2, reference_gpu=kind).best_s == pytest.approx(best_s)


def test_a_gang_that_no_kind_alone_can_hold_is_measured_over_all_of_them() -> None:
    assert facts(LSTM, 8, reference_gpu=V100).best_s > 0.0


def test_the_same_batch_on_fewer_gpus_takes_each_of_them_longer() -> None:
    four = facts(LSTM, 4)
    assert four.step_of(4) == workload_class(LSTM).step
    assert four.step_of(2).compute_s == 2.0 * four.step_of(4).compute_s
    assert four.step_of(2).exchange_bytes == four.step_of(4).exchange_bytes
