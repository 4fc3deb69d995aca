"""The catalogue of workload classes, and what follows for kinds nobody measured."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.bundled_yaml import read_bundled
from goodwatt.cluster.catalogue import all_kinds, gpu_kind, kind_names
from goodwatt.errors import RunError, UnknownNameError
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.workloads import schema as workload_schema
from goodwatt.power.workloads.catalogue import (
    all_classes,
    class_names,
    communicating,
    measured_on,
    phases_on,
    speed_on,
    workload_class,
)
from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.kind_rates import RATES, gain, rate_ratios
from goodwatt.power.workloads.schema import checked_classes
from goodwatt.power.workloads.workload import Phase, Step, WorkloadClass, mean_demand

CLASSES = all_classes()
PAIRS = st.tuples(st.sampled_from(sorted(CLASSES)), st.sampled_from(kind_names()))


def made(kappa: float, duty: float = 1.0, **others: Any) -> WorkloadClass:
    demand = Demand(u=0.5, m=0.4, kappa=kappa, duty=duty, memory_mib=1000)
    phases = {"V100-SXM2": (Phase("training", 1.0, 0.1, demand),)}
    facts: dict[str, Any] = {"name": "made", "about": "", "family": "vision", "reference_gpu": "V100-SXM2"}
    return WorkloadClass(**(facts | {"phases": phases} | others), step=Step(compute_s=0.1))


def test_every_file_is_checked_in_full() -> None:
    assert checked_classes() == CLASSES
    assert len(CLASSES) >= 20


def test_every_family_and_way_of_use_is_there() -> None:
    assert {entry.family for entry in CLASSES.values()} >= {"vision", "language", "generation", "recommendation"}
    names = {phase.name for entry in CLASSES.values() for phase in entry.phases[entry.reference_gpu]}
    assert names >= {"training", "input stall", "checkpoint", "prefill", "decode"}
    assert any(entry.gpus[0] == 1 for entry in CLASSES.values())
    assert any(entry.gpus[1] >= 4096 for entry in CLASSES.values())


def test_an_unknown_class_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'llm_decode'"):
        workload_class("llm_decod")


def test_every_kind_has_rates() -> None:
    assert RATES.keys() == set(kind_names())


def test_a_measured_speed_is_told_as_it_is() -> None:
    entry = made(0.5, speeds={"K80": 0.2})
    assert speed_on(entry, "K80") == 0.2
    assert speed_on(entry, "V100-SXM2") == 1.0
    assert measured_on(entry, "K80")
    assert not measured_on(entry, "T4")


@pytest.mark.parametrize(
    ("kappa", "expected"),
    [(1.0, 8.1 / 15.7), (0.0, 320 / 900), (0.5, 1 / (0.5 * 15.7 / 8.1 + 0.5 * 900 / 320))],
)
def test_the_rule_by_hand(kappa: float, expected: float) -> None:
    assert speed_on(made(kappa), "T4") == pytest.approx(expected * gain("T4", "fp32"))


def test_the_host_does_not_speed_up_with_the_gpu() -> None:
    faster, half = speed_on(made(0.5), "H100-SXM"), speed_on(made(0.5, duty=0.5), "H100-SXM")
    assert half == pytest.approx(1 / (0.5 / faster + 0.5))
    (phase,) = phases_on(made(0.5, duty=0.5), "H100-SXM")
    assert phase.demand.duty == pytest.approx(0.5 / faster / (0.5 / faster + 0.5))


def test_a_carried_demand_moves_the_same_bytes() -> None:
    entry = made(0.5)
    (phase,) = phases_on(entry, "T4")
    bytes_per_work = phase.demand.m * RATES["T4"].memory_gbps / speed_on(entry, "T4")
    assert bytes_per_work == pytest.approx(0.4 * RATES["V100-SXM2"].memory_gbps)
    assert 0.0 <= phase.demand.kappa <= 1.0


def test_where_the_speed_was_measured_the_time_is_stretched_to_it() -> None:
    (phase,) = phases_on(made(0.5, speeds={"A40": 0.5}), "A40")
    assert phase.length_s == pytest.approx(0.2)
    assert phase.share == pytest.approx(1.0)


def test_an_unknown_kind_is_like_the_reference() -> None:
    entry = made(0.5)
    assert speed_on(entry, "X1000") == 1.0
    assert phases_on(entry, "X1000") == entry.phases["V100-SXM2"]
    assert rate_ratios("X1000", "T4", "half") == (1.0, 1.0)


@given(PAIRS)
def test_every_class_makes_sense_on_every_kind(pair: tuple[str, str]) -> None:
    entry, kind = CLASSES[pair[0]], pair[1]
    phases = phases_on(entry, kind)
    assert 0.0 < speed_on(entry, kind) < 200.0
    assert math.fsum(phase.share for phase in phases) == pytest.approx(1.0, abs=1e-6)
    for phase in phases:
        d = phase.demand
        assert 0.0 <= d.kappa <= 1.0
        assert 0.0 <= d.m <= 1.0
        assert 0.0 < d.duty <= 1.0
        assert 0.0 <= d.u < 3.0
        assert phase.length_s > 0.0
    model = gpu_model(gpu_kind(kind))
    point = alone_point(model, phases)
    assert point.speeds == (1.0,)
    assert point.bound_by != "violated"
    assert model.context_w <= point.watts <= model.default_cap_w * 1.001


@given(PAIRS)
def test_carrying_over_keeps_the_mean_of_the_phases_together(pair: tuple[str, str]) -> None:
    entry, kind = CLASSES[pair[0]], pair[1]
    mean = mean_demand(phases_on(entry, kind))
    assert 0.0 < mean.duty <= 1.0
    assert mean.memory_mib == entry.memory_mib


def test_newer_kinds_are_faster_for_big_models() -> None:
    entry = workload_class("llama7b_train")
    order = ["A100-SXM4-80GB", "H100-SXM", "H200-SXM", "B200-SXM"]
    speeds = [speed_on(entry, kind) for kind in order]
    assert speeds == sorted(speeds)


def test_a_gpu_in_a_collective_draws_what_was_measured() -> None:
    """h200_measured: 256 to 275 W over eight GPUs in all-reduces of 1 GiB."""
    busy = workload_class("bert_train").phases["H200-SXM"][0]
    phase = replace(busy, demand=communicating(busy.demand))
    watts = alone_point(gpu_model(gpu_kind("H200-SXM")), (phase,)).watts
    assert watts == pytest.approx(262, rel=0.1)
    assert phase.demand.memory_mib == busy.demand.memory_mib


def test_a_broken_file_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_memory(path: Path) -> dict[str, Any]:
        content = read_bundled(path)
        next(iter(content["phases"].values()))[0]["demand"].pop("memory_mib")
        return content

    monkeypatch.setattr(workload_schema, "read_bundled", without_memory)
    with pytest.raises(RunError, match=f"workload class {class_names()[0]}"):
        checked_classes()


def test_kinds_in_use_are_those_of_the_catalogue() -> None:
    for entry in CLASSES.values():
        assert {entry.reference_gpu, *entry.speeds, *entry.phases} <= set(all_kinds())


def test_kernels_are_as_long_as_in_the_phases_that_know_it() -> None:
    known = Demand(u=0.5, m=0.2, kappa=0.8, duty=0.5, pcie_gbps=0.1, kernel_us=60.0)
    phases = (
        Phase("training", 0.9, 1.0, known),
        Phase("checkpoint", 0.1, 1.0, replace(known, duty=1.0, kernel_us=0.0)),
    )
    assert mean_demand(phases).kernel_us == pytest.approx(60.0)
    assert mean_demand(phases).pcie_gbps == pytest.approx(0.1)


def test_slower_kinds_have_longer_kernels_and_fewer_of_them() -> None:
    entry = workload_class("llm_prefill")
    (there,), (here,) = phases_on(entry, "A100-SXM4-80GB"), phases_on(entry, "H200-SXM")
    slower = 1.0 / speed_on(entry, "A100-SXM4-80GB")
    assert there.demand.kernel_us == pytest.approx(here.demand.kernel_us * slower)
    assert there.demand.pcie_gbps == pytest.approx(here.demand.pcie_gbps / slower)
