"""What telemetry tells of a demand, held against the simulated truth that it never sees."""

from __future__ import annotations

import json
import random
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.job import Job
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.telemetry.counters import Counters
from goodwatt.power.telemetry.estimator import BLIND_ERROR, HINT_ERROR, Estimate, Estimator, work_rate, work_signals
from goodwatt.power.telemetry.sensors import counters_at, noisy
from goodwatt.power.workloads.catalogue import all_classes, phases_on
from goodwatt.power.workloads.demand import Demand, Setting
from goodwatt.power.workloads.workload import Phase, mean_demand
from goodwatt.simulator.physics.truth import Truth

KIND = "V100-SXM2"
MODEL = gpu_model(gpu_kind(KIND))
TRUTH = Truth(5)


def job(job_id: str = "a", **others: Any) -> Job:
    return Job(**{"job_id": job_id, "submit_s": 0.0, "num_gpus": 1, "duration_s": 1.0, **others})


def reading(demand: Demand, stretch: float = 1.0, kind: str = KIND, seed: int | None = None) -> Counters:
    """Sensors of a job at f_max / f = stretch, with noise if there is a seed."""
    model = gpu_model(gpu_kind(kind))
    point = alone_point(model, (Phase("all", 1.0, 1.0, demand),), Setting(model.top_mhz / stretch))
    exact = counters_at(model, demand, point.clock_mhz, point.watts)
    return exact if seed is None else noisy(exact, random.Random(seed))


def errors(kind: str, second: float | None) -> tuple[float, float, float]:
    """Mean error of kappa, of watts and of speed a quarter below the greatest clock, over every class four times."""
    model = gpu_model(gpu_kind(kind))
    kappa, watts, speed = [], [], []
    for name, entry in all_classes().items():
        for i in range(4):
            one, dice = job(f"{name}{i}"), random.Random(f"{name}{i}")
            truly = TRUTH.phases(phases_on(entry, kind), TRUTH.job_residual(one.job_id), model)
            demand, estimator = mean_demand(truly), Estimator()
            for stretch in (1.0, second) if second else (1.0,):
                point = alone_point(model, truly, Setting(model.top_mhz / stretch))
                seen = noisy(counters_at(model, demand, point.clock_mhz, point.watts), dice)
                estimator.observe(one, kind, seen)
            found = told(estimator, one, kind).demand
            at = Setting(model.top_mhz * 0.75)
            real, said = alone_point(model, truly, at), alone_point(model, (Phase("all", 1.0, 1.0, found),), at)
            kappa.append(abs(found.kappa - demand.kappa))
            watts.append(abs(said.watts / real.watts - 1.0))
            speed.append(abs(said.speeds[0] / real.speeds[0] - 1.0))
    return statistics.fmean(kappa), statistics.fmean(watts), statistics.fmean(speed)


def told(estimator: Estimator, one: Job, kind: str = KIND) -> Estimate:
    found = estimator.estimate(one, kind)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("kind", "second", "kappa", "watts", "speed"),
    [
        ("V100-SXM2", None, 0.15, 0.03, 0.035),
        ("V100-SXM2", 1.2, 0.10, 0.02, 0.025),
        ("V100-SXM2", 1.5, 0.07, 0.02, 0.02),
        ("H200-SXM", None, 0.19, 0.03, 0.04),
        ("H200-SXM", 1.5, 0.10, 0.02, 0.02),
        ("P100-PCIE", None, 0.20, 0.05, 0.06),  # no counters: kappa is a guess
    ],
)
def test_accuracy_against_the_truth(kind: str, second: float | None, kappa: float, watts: float, speed: float) -> None:
    got = errors(kind, second)
    assert all(error <= most for error, most in zip(got, (kappa, watts, speed), strict=True)), got


demands = st.builds(
    Demand,
    u=st.floats(0.05, 1.0),
    m=st.floats(0.1, 0.9),
    kappa=st.floats(0.0, 1.0),
    duty=st.floats(0.2, 1.0),
    sm=st.floats(0.1, 1.0),
    occupancy=st.floats(0.05, 1.0),
    tensor=st.floats(0.0, 0.9),
    memory_mib=st.integers(0, 15_000),
)


@given(demands, st.floats(1.3, 3.0))
def test_without_noise_two_clocks_tell_kappa(demand: Demand, stretch: float) -> None:
    estimator, one = Estimator(), job()
    first = abs(_once(demand).demand.kappa - demand.kappa)
    for at in (1.0, stretch, 1.0, stretch, stretch, 1.0):
        estimator.observe(one, KIND, reading(demand, at))
    found = told(estimator, one)
    assert abs(found.demand.kappa - demand.kappa) <= first + 1e-6
    assert found.kappa_error <= HINT_ERROR
    assert 0.0 <= found.demand.kappa <= 1.0


@given(demands, st.floats(1.0, 3.0), st.integers(0, 100))
def test_estimates_are_demands(demand: Demand, stretch: float, seed: int) -> None:
    estimator, one = Estimator(), job()
    estimator.observe(one, KIND, reading(demand, stretch, seed=seed))
    found = told(estimator, one).demand
    assert found.u >= 0.0
    assert all(0.0 <= getattr(found, f) <= 1.0 for f in ("m", "kappa", "duty", "sm", "occupancy", "tensor"))
    assert found.memory_mib == demand.memory_mib


def test_who_stands_for_whom() -> None:
    estimator, demand = Estimator(), Demand(u=0.5, m=0.5, kappa=0.6)
    estimator.observe(job("a", user="ann", name="train-1"), KIND, reading(demand))
    levels = {
        "job": job("a", user="ann", name="train-1"),
        "name": job("b", user="ann", name="train-2"),
        "user": job("c", user="ann", name="eval"),
        "others": job("d", user="bob", name="train-1"),
    }
    found = {level: told(estimator, one) for level, one in levels.items()}
    assert {level: estimate.level for level, estimate in found.items()} == {level: level for level in levels}
    assert [found[level].known for level in levels] == [True, True, False, False]
    assert found["name"].kappa_error > found["job"].kappa_error
    assert found["others"].kappa_error == BLIND_ERROR


def test_other_kinds_and_strangers_are_unknown() -> None:
    estimator = Estimator()
    assert estimator.estimate(job(), KIND) is None
    estimator.observe(job(), KIND, reading(Demand(u=0.5, m=0.5, kappa=0.6)))
    assert estimator.estimate(job(), "H200-SXM") is None


def test_the_next_run_of_a_name_knows_what_the_last_one_learnt() -> None:
    estimator, demand = Estimator(), Demand(u=0.4, m=0.3, kappa=0.2, tensor=0.3)
    first, second = (job(i, user="ann", name="train") for i in ("a", "b"))
    for stretch in (1.0, 1.5, 1.0, 1.5):
        estimator.observe(first, KIND, reading(demand, stretch))
    estimator.forget("a")
    assert told(estimator, second).demand.kappa == pytest.approx(0.2, abs=0.1)
    estimator.observe(second, KIND, reading(demand))
    assert told(estimator, second).demand.kappa == pytest.approx(0.2, abs=0.12)


@pytest.mark.parametrize(
    ("seen", "signals", "rate"),
    [
        (Counters(dram_bw=0.25, power_w=200.0), ("dram_bw",), 0.25),
        (Counters(dram_bw=0.25, tensor=0.4, clock_mhz=1000.0), ("dram_bw", "tensor"), 10.0),
        (Counters(dram_bw=0.001, tensor=0.001, clock_mhz=1000.0), (), None),
        (Counters(power_w=200.0, duty=0.25), ("gaps",), 0.75),
        (Counters(power_w=200.0, duty=0.9), (), None),
    ],
)
def test_what_is_in_proportion_to_work(seen: Counters, signals: tuple[str, ...], rate: float | None) -> None:
    assert work_signals(seen) == signals
    assert work_rate(seen, signals) == (None if rate is None else pytest.approx(rate))


def test_readings_are_compared_by_the_counters_of_the_first() -> None:
    # at the lower clock DRAM falls below what tells anything: tensor alone would be in other units
    demand, estimator = Demand(u=1.0, m=0.11, kappa=1.0, duty=0.22, tensor=0.5), Estimator()
    for stretch in (1.0, 2.0):
        estimator.observe(job(), KIND, reading(demand, stretch))
    assert told(estimator, job()).demand.kappa == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("kind", ["no such GPU", ""])
def test_unknown_kinds_and_bad_readings_teach_nothing(kind: str) -> None:
    estimator = Estimator()
    estimator.observe(job(), kind, Counters(power_w=200.0))
    estimator.observe(job(), KIND, Counters())
    estimator.observe(job(), KIND, Counters(power_w=-1.0))
    assert estimator.to_plain() == [[], []]


@given(st.lists(st.tuples(st.sampled_from("abc"), demands, st.floats(1.0, 2.0), st.integers(0, 9)), max_size=8))
def test_copies_and_files_are_the_same(rows: list[tuple[str, Demand, float, int]]) -> None:
    estimator = Estimator()
    for job_id, demand, stretch, seed in rows:
        estimator.observe(job(job_id, user="ann", name="x"), KIND, reading(demand, stretch, seed=seed))
    loaded = Estimator()
    loaded.load_plain(json.loads(json.dumps(estimator.to_plain())))
    for twin in (estimator.copy(), loaded):
        assert twin.to_plain() == estimator.to_plain()
        for job_id in "abcd":
            one = job(job_id, user="ann", name="x")
            assert twin.estimate(one, KIND) == estimator.estimate(one, KIND)
    before = json.dumps(estimator.to_plain())
    loaded.observe(job("z"), KIND, reading(Demand(u=0.5, m=0.5, kappa=0.6)))
    assert json.dumps(estimator.to_plain()) == before


def _once(demand: Demand) -> Estimate:
    estimator = Estimator()
    estimator.observe(job(), KIND, reading(demand))
    return told(estimator, job())


def test_an_estimate_is_the_same_until_something_is_learnt_that_it_rests_on() -> None:
    estimator = Estimator()
    demand = mean_demand(phases_on(next(iter(all_classes().values())), KIND))
    ann, bob = job("ann", user="ann", name="run 1"), job("bob", user="bob")
    again, stranger = job("again", user="ann", name="run 2"), job("stranger")
    everybody = (ann, bob, again, stranger)
    for one in (ann, bob):
        estimator.observe(one, KIND, reading(demand))
    before = [told(estimator, one, KIND) for one in everybody]
    assert all(told(estimator, one, KIND) is known for one, known in zip(everybody, before, strict=True))
    estimator.observe(bob, KIND, reading(demand, 1.5))
    after = [told(estimator, one, KIND) for one in everybody]
    assert [a is b for a, b in zip(after, before, strict=True)] == [True, False, True, False]
    estimator.observe(again, KIND, reading(demand, 1.5))
    assert told(estimator, ann, KIND) is not before[0]  # her other run told of hers
    assert told(estimator, ann, KIND) == estimator.copy().estimate(ann, KIND)
