"""Residuals of the simulated truth: as large as asked, always the same for the same names."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.workloads.catalogue import all_classes, phases_on, workload_class
from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.kind_rates import speed_error
from goodwatt.power.workloads.workload import Phase
from goodwatt.simulator.physics.truth import NO_RESIDUAL, OWN_PART, TYPICAL_STRETCH, Truth

MODEL = gpu_model(gpu_kind("H200-SXM"))
TRUTH = Truth(0)
MANY = 4000


def phase(kappa: float = 0.5, u: float = 0.4, m: float = 0.4, duty: float = 1.0) -> Phase:
    return Phase("all", 1.0, 0.1, Demand(u=u, m=m, kappa=kappa, duty=duty, memory_mib=1))


def truly(one: Phase, job_id: str, truth: Truth = TRUTH) -> Phase:
    (found,) = truth.phases((one,), truth.job_residual(job_id), MODEL)
    return found


def test_time_errs_as_the_model_does() -> None:
    one = phase()
    clock = MODEL.top_mhz / TYPICAL_STRETCH
    told = MODEL.slowdown(one.demand, clock)
    errors = [MODEL.slowdown(truly(one, str(i)).demand, clock) / told - 1.0 for i in range(MANY)]
    assert statistics.fmean(errors) == pytest.approx(0.0, abs=0.1 * MODEL.power.time_error)
    assert statistics.pstdev(errors) == pytest.approx(MODEL.power.time_error, rel=0.1)


@pytest.mark.parametrize("one", [phase(), phase(u=0.9, m=0.1), phase(u=0.05, m=0.9), phase(duty=0.5)])
def test_power_errs_as_the_model_does(one: Phase) -> None:
    told = MODEL.watts(one.demand, MODEL.top_mhz)
    errors = [MODEL.watts(truly(one, str(i)).demand, MODEL.top_mhz) / told - 1.0 for i in range(MANY)]
    assert statistics.fmean(errors) == pytest.approx(0.0, abs=0.15 * MODEL.power.power_error)
    assert statistics.pstdev(errors) == pytest.approx(MODEL.power.power_error, rel=0.2)


@given(st.text(max_size=9), st.integers(0, 9), st.sampled_from(sorted(all_classes())))
def test_a_true_demand_is_a_demand(job_id: str, seed: int, name: str) -> None:
    truth = Truth(seed)
    for one in truth.phases(phases_on(workload_class(name), "H200-SXM"), truth.job_residual(job_id), MODEL):
        assert 0.0 <= one.demand.kappa <= 1.0
        assert 0.0 <= one.demand.m <= 1.0
        assert one.demand.u >= 0.0


def test_the_same_names_and_seed_are_the_same_truth_in_any_order() -> None:
    there = [Truth(5).job_residual(str(i)) for i in range(20)]
    back = [Truth(5).job_residual(str(i)) for i in reversed(range(20))]
    assert there == back[::-1]
    assert Truth(6).job_residual("0") != there[0]
    assert len(set(there)) == 20


def test_what_is_asked_of_one_truth_changes_nothing_of_it() -> None:
    asked, fresh = Truth(1), Truth(1)
    asked.chip_factor("n0", 0, 0.1)
    asked.pair_factors("a", "b", 0.1)
    assert asked.chip_factor("n0", 1, 0.1) == fresh.chip_factor("n0", 1, 0.1)
    assert asked.job_residual("a") == fresh.job_residual("a")


@given(st.text(max_size=5), st.text(max_size=5))
def test_pairs_are_symmetric(one: str, two: str) -> None:
    assert TRUTH.pair_factors(one, two, 0.1) == TRUTH.pair_factors(two, one, 0.1)[::-1] or one == two


def test_pairs_err_as_asked_each_for_itself() -> None:
    factors = [TRUTH.pair_factors(f"a{i}", f"b{i}", 0.08) for i in range(MANY)]
    first, second = zip(*factors, strict=True)
    assert statistics.pstdev(first) == pytest.approx(0.08, rel=0.06)
    assert statistics.correlation(first, second) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_more_residents_err_as_a_pair(count: int) -> None:
    found = [TRUTH.resident_factors([f"{i}.{j}" for j in range(count)], 0.08)[0] for i in range(MANY)]
    expected = 0.08 if count > 1 else 0.0
    assert statistics.pstdev(found) == pytest.approx(expected, rel=0.1)


def test_residents_keep_their_factor_wherever_they_stand() -> None:
    here = TRUTH.resident_factors(["a", "b", "c"], 0.1)
    there = TRUTH.resident_factors(["c", "a", "b"], 0.1)
    assert here == pytest.approx((there[1], there[2], there[0]))


def test_chips_err_as_asked_and_stay_within_bounds() -> None:
    factors = [TRUTH.chip_factor(f"n{i}", i % 8, 0.05) for i in range(MANY)]
    assert statistics.fmean(factors) == pytest.approx(1.0, abs=0.005)
    assert statistics.pstdev(factors) == pytest.approx(0.05, rel=0.06)
    assert max(abs(factor - 1.0) for factor in factors) < 0.14


def test_speeds_on_unmeasured_kinds_err_as_the_rule() -> None:
    entry = workload_class("bert_train")
    logs = [math.log(Truth(i).speed_factor("a", entry, "T4")) for i in range(MANY)]
    assert statistics.pstdev(logs) == pytest.approx(speed_error(), rel=0.06)
    within = [math.log(TRUTH.speed_factor(str(i), entry, "T4")) for i in range(MANY)]
    assert statistics.pstdev(within) == pytest.approx(speed_error() * math.sqrt(OWN_PART), rel=0.06)
    assert TRUTH.speed_factor("a", entry, "H200-SXM") == 1.0
    assert TRUTH.speed_factor("a", workload_class("bert_squad"), "A40") == 1.0


def test_without_residual_the_model_is_the_truth() -> None:
    one = phase()
    assert truly(one, "a", NO_RESIDUAL) == one
    assert NO_RESIDUAL.pair_factors("a", "b", 0.3) == (1.0, 1.0)
    assert NO_RESIDUAL.resident_factors(["a", "b", "c"], 0.3) == (1.0, 1.0, 1.0)
    assert NO_RESIDUAL.chip_factor("n", 0, 0.1) == 1.0
    assert NO_RESIDUAL.speed_factor("a", workload_class("bert_train"), "T4") == 1.0


def test_a_workload_that_draws_nothing_stays_so() -> None:
    idle = phase(u=0.0, m=0.0)
    assert truly(idle, "a").demand.u == 0.0
    assert truly(replace(idle), "a").demand.m == 0.0
