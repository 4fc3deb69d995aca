"""Models that are no language models: time, power and throughput of their iterations."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.serving.step_models import step_model, step_models
from goodwatt.power.serving.step_shape import StepFigures, StepShape, main_demand, step_law
from goodwatt.power.workloads.catalogue import class_names, speed_on, workload_class

H100, H200, B200 = gpu_kind("H100-SXM"), gpu_kind("H200-SXM"), gpu_kind("B200-SXM")


def shape(**figures: float) -> StepShape:
    whole = {"item_s": 0.01, **figures}
    return StepShape(like="sd35_image", figures=(StepFigures(gpu="H100-SXM", **whole),))


def wall_s(model: StepShape, batch: int, x: float = 1.0, sharing: float = 1.0) -> float:
    return float(step_law(model, H100).cost(batch, 0.0, batch, 0.0, x, sharing).wall_s)


@pytest.mark.parametrize(
    ("figures", "batch", "expected_s"),
    [
        ({}, 8, 0.08),
        ({"rows": 2.0}, 8, 0.10),
        ({"between_s": 0.005}, 8, 0.085),
        ({"floor_s": 0.08}, 8, 0.08 * 2**0.25),
        ({"floor_s": 1.0}, 1, 1.0),
    ],
)
def test_seconds_of_an_iteration(figures: dict[str, float], batch: int, expected_s: float) -> None:
    assert wall_s(shape(**figures), batch) == pytest.approx(expected_s, rel=1e-6)


def test_only_the_part_that_follows_the_clock_is_slowed_by_it_and_no_launch() -> None:
    kappa = main_demand(workload_class("dlrm"), "H100-SXM").kappa
    model = StepShape(like="dlrm", figures=(StepFigures(gpu="H100-SXM", item_s=0.01, rows=1.0),))
    assert wall_s(model, 9, 0.5) == pytest.approx(0.1 * (1.0 + kappa))
    assert wall_s(shape(floor_s=5.0), 1, 0.5) == pytest.approx(5.0, rel=1e-3)


def test_co_runners_stretch_what_is_on_the_gpu() -> None:
    assert wall_s(shape(between_s=0.01), 10, sharing=1.5) == pytest.approx(0.16)


@pytest.mark.parametrize("kind", [H100, B200])
@pytest.mark.parametrize("fill", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("x", [1.0, 0.6])
def test_a_large_batch_draws_what_its_class_draws(kind: object, fill: float, x: float) -> None:
    kind = H100 if kind is H100 else B200
    model, demand = gpu_model(kind), main_demand(workload_class("sd35_image"), kind.name)
    figures = StepFigures(gpu=kind.name, item_s=0.01, rows=0.5, fill=fill)
    cost = step_law(StepShape(like="sd35_image", figures=(figures,)), kind).cost(100_000, 0.0, 100_000, 0.0, x)
    core_w = model.core_at(x * model.top_mhz) / x
    watts = model.context_w + (core_w * cost.sm_s + model.memory_w * cost.dram_s) / cost.wall_s
    busy = watts - model.context_w
    alone = model.watts(demand, x * model.top_mhz) - model.context_w
    gaps = demand.duty / (demand.duty + (1.0 - demand.duty) / (1.0 - demand.kappa + demand.kappa / x))
    assert busy == pytest.approx(alone / gaps, rel=1e-3)


def test_the_step_of_a_class_is_an_iteration_over_its_batch() -> None:
    workload = workload_class("dlrm")
    model = StepShape.of_class("dlrm", batch=64, batch_gain=10.0)
    cost = step_law(model, H200).cost(64, 0.0, 64, 0.0)
    assert cost.wall_s == pytest.approx(workload.step.compute_s)
    one, many = (step_law(model, H200).cost(b, 0.0, b, 0.0).gpu_s / b for b in (1, 10**6))
    assert one / many == pytest.approx(10.0, rel=1e-3)


@pytest.mark.parametrize("floor_s", [0.0, 0.02, 0.049])
def test_a_request_alone_takes_what_was_said(floor_s: float) -> None:
    model = StepShape.of_times("sd35_image", "H100-SXM", request_s=1.5, steps=30, batch_gain=2.0, floor_s=floor_s)
    assert 30 * wall_s(model, 1) == pytest.approx(1.5)
    assert 30 * model.figures[0].alone_s == pytest.approx(1.5)
    assert wall_s(model, 1) / (wall_s(model, 10**6) / 10**6) == pytest.approx(
        max(2.0, 0.05 / _on_gpu(floor_s)), rel=1e-3
    )


def _on_gpu(floor_s: float) -> float:
    return float((0.05**4 - floor_s**4) ** 0.25)


def test_another_kind_is_as_fast_as_the_catalogue_says() -> None:
    model = shape(floor_s=0.003)
    there = model.on("B200-SXM")
    assert there.item_s == pytest.approx(0.01 / speed_on(workload_class("sd35_image"), "B200-SXM"))
    assert there.floor_s == 0.003


def test_where_figures_are_known_they_count() -> None:
    model = step_model("SD-3.5-medium")
    assert model is not None
    assert model.on("B200-SXM").item_s == 0.07298


def test_mistakes() -> None:
    with pytest.raises(UnknownNameError):
        StepShape.of_class("dlrmm")
    with pytest.raises(InputError, match="to take less than a step"):
        StepShape.of_times("dlrm", "H100-SXM", request_s=1.0, steps=10, floor_s=0.1)
    assert step_model("nothing") is None


@given(
    like=st.sampled_from(class_names()),
    batch=st.integers(1, 1000),
    rows=st.floats(0.0, 10.0),
    floor_s=st.floats(0.0, 1.0),
    x=st.floats(0.1, 1.0),
)
def test_time_and_energy_are_sound_for_every_class(
    like: str, batch: int, rows: float, floor_s: float, x: float
) -> None:
    figures = StepFigures(gpu="H100-SXM", item_s=0.01, rows=rows, floor_s=floor_s)
    law = step_law(StepShape(like=like, figures=(figures,)), H100)
    cost, more, faster = (law.cost(b, 0.0, b, 0.0, clock) for b, clock in ((batch, x), (batch + 1, x), (batch, 1.0)))
    assert all(math.isfinite(value) and value >= 0.0 for value in cost)
    assert more.wall_s > cost.wall_s >= faster.wall_s
    assert cost.wall_s >= cost.gpu_s * (1.0 - 1e-9)
    assert more.sm_s >= cost.sm_s
    assert more.dram_s >= cost.dram_s


@pytest.mark.parametrize("name", step_models())
def test_measured_models_are_of_known_classes_and_kinds(name: str) -> None:
    model = step_models()[name]
    assert model.like in class_names()
    assert model.most >= 16
    for figures in model.figures:
        assert gpu_kind(figures.gpu).name == figures.gpu
        assert 0.0 <= figures.fill <= 1.0
        assert figures.alone_s < 1.0
