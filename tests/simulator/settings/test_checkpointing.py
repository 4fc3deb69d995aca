"""Checkpoint intervals: the best by closed forms, which rule counts, what a failure loses, how long restarts take."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.simulator.settings.checkpointing import (
    CheckpointPlan,
    CheckpointStore,
    Rule,
    checkpoint_plan,
    daly_interval_s,
    interruptions_per_h,
    lost_work_s,
    mtbf_s,
    restart_s,
    write_s,
    young_interval_s,
)
from goodwatt.simulator.settings.engine import load_engine
from goodwatt.simulator.settings.failure_rates import PUBLISHED, FailureSettings

HOUR = 3_600.0


# intervals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "mtbf", "young", "daly"),
    [
        (60.0, 24 * HOUR, 3_219.94, 3_180.06),
        (300.0, 3.6 * HOUR, 2_788.55, 2_592.13),
        (20.0, 1.8 * HOUR, 509.12, 495.87),
        (5.0, 30 * 24 * HOUR, 5_091.17, 5_087.83),
    ],
)
def test_young_and_daly(write: float, mtbf: float, young: float, daly: float) -> None:
    assert young_interval_s(write, mtbf) == pytest.approx(young, abs=0.01)
    assert daly_interval_s(write, mtbf) == pytest.approx(daly, abs=0.01)


@pytest.mark.parametrize(("write", "mtbf"), [(60.0, 24 * HOUR), (300.0, 3.6 * HOUR), (300.0, 0.5 * HOUR), (9.0, 60.0)])
def test_daly_is_best_under_the_closed_form(write: float, mtbf: float) -> None:
    """No interval of a fine grid leads to an end more than a thousandth earlier on average.

    T = M exp(R / M) (exp((tau + C) / M) - 1) W / tau: Daly 2006, equation 20.
    """

    def wall(interval_s: float) -> float:
        return mtbf * math.exp(600.0 / mtbf) * math.expm1((interval_s + write) / mtbf) * 1e6 / interval_s

    best = min(wall(daly_interval_s(write, mtbf) * 1.02**n) for n in range(-100, 101))
    assert wall(daly_interval_s(write, mtbf)) < best * 1.001
    assert wall(young_interval_s(write, mtbf)) < best * 1.02


@pytest.mark.parametrize("write", [200.0, 250.0])
def test_where_checkpoints_take_longer_than_jobs_live(write: float) -> None:
    assert daly_interval_s(write, 100.0) == 100.0


def test_where_nothing_fails() -> None:
    assert daly_interval_s(60.0, math.inf) == young_interval_s(60.0, math.inf) == math.inf
    assert daly_interval_s(0.0, math.inf) == daly_interval_s(0.0, 100.0) == 0.0


# which interval ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "engine", "rule", "interval_s"),
    [
        (600.0, 1_800.0, "daly", 600.0),
        (None, 1_800.0, "daly", 1_800.0),
        (0.0, 1_800.0, "none", 1_800.0),
        (None, 0.0, "young", young_interval_s(60.0, 24 * HOUR)),
        (None, 0.0, "daly", daly_interval_s(60.0, 24 * HOUR)),
        (None, 0.0, "none", 0.0),
    ],
)
def test_who_decides_on_the_interval(own: float | None, engine: float, rule: Rule, interval_s: float) -> None:
    plan = checkpoint_plan(own, engine, rule, 60.0, 24 * HOUR)
    assert plan.interval_s == interval_s
    assert plan.speed == (interval_s / (interval_s + 60.0) if interval_s else 1.0)


def test_no_rule_makes_checkpoints_where_they_are_for_nothing() -> None:
    for rule in ("young", "daly"):
        assert checkpoint_plan(None, 0.0, rule, 60.0, math.inf) == CheckpointPlan(0.0)
        assert checkpoint_plan(None, 0.0, rule, 0.0, 100.0) == CheckpointPlan(0.0)


# rates, sizes, losses ------------------------------------------------------------------------------------------------


def test_what_interrupts_a_gang() -> None:
    settings = replace(PUBLISHED, gpu_takes="gpu")
    one = interruptions_per_h(settings, 1)
    rest = settings.node.per_hour + settings.switch.per_hour + settings.rack.per_hour
    assert one == pytest.approx(settings.gpu.per_hour + rest)
    assert interruptions_per_h(PUBLISHED, 1) - one == pytest.approx(7 * settings.gpu.per_hour)
    assert interruptions_per_h(PUBLISHED, 72, nodes=18, domains=1, node_gpus=4) > PUBLISHED.nvlink.per_hour
    assert mtbf_s(interruptions_per_h(PUBLISHED, 16_384, 2_048, 1_024)) == pytest.approx(3.61 * HOUR, rel=0.01)
    assert mtbf_s(interruptions_per_h(FailureSettings(), 8)) == math.inf


@pytest.mark.parametrize(("nodes", "seconds"), [(0, 1_048.576), (1, 1_048.576), (8, 131.072), (100, 104.8576)])
def test_writing_a_terabyte(nodes: int, seconds: float) -> None:
    """Each node writes 1 GB/s, the store takes 10 GB/s."""
    assert write_s(1e6, nodes, CheckpointStore(node_gbps=1.0, store_gbps=10.0)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("done", "interval", "saved", "lost"),
    [
        (1_000.0, 300.0, 0.0, 100.0),
        (900.0, 300.0, 0.0, 0.0),
        (900.0 - 1e-8, 300.0, 0.0, 0.0),
        (299.0, 300.0, 0.0, 299.0),
        (1_000.0, 300.0, 950.0, 50.0),
        (1_000.0, 300.0, 700.0, 100.0),
        (1_000.0, 0.0, 0.0, 1_000.0),
        (1_000.0, 0.0, 400.0, 600.0),
        (0.0, 300.0, 0.0, 0.0),
    ],
)
def test_lost_work(done: float, interval: float, saved: float, lost: float) -> None:
    assert lost_work_s(done, interval, saved) == pytest.approx(lost, abs=1e-7)


@given(st.floats(0.0, 1e7), st.floats(1.0, 1e5), st.floats(0.0, 1.0))
def test_never_more_than_an_interval_is_lost(done: float, interval: float, saved_share: float) -> None:
    lost = lost_work_s(done, interval, saved_share * done)
    assert 0.0 <= lost <= min(interval * (1 + 1e-6), done)


def test_half_an_interval_is_lost_on_average() -> None:
    rng = random.Random(1)
    losses = [lost_work_s(rng.expovariate(1e-5), 1_000.0) for _ in range(20_000)]
    assert statistics.fmean(losses) == pytest.approx(500.0, rel=0.02)


@pytest.mark.parametrize(("gpus", "minutes"), [(0, 5), (1, 5), (8, 5), (16, 5.5), (16_384, 10)])
def test_restarts_take_longer_with_size(gpus: int, minutes: float) -> None:
    assert restart_s(gpus) / 60 == pytest.approx(minutes, abs=0.05)


def test_llama_3_would_have_trained_about_nine_tenths_of_the_time() -> None:
    """Its paper says over 90%, software and maintenance included; here 2 GB per GPU are written at 1 GB/s per node."""
    between_s = mtbf_s(interruptions_per_h(PUBLISHED, 16_384, 2_048, 1_024))
    cost_s = write_s(16_384 * 2e9 / 2**20, 2_048, CheckpointStore())
    plan = checkpoint_plan(None, 0.0, "daly", cost_s, between_s)
    lost = (restart_s(16_384) + 0.5 * plan.interval_s) / between_s  # to first order: Kokolis et al., HPCA 2025
    assert (1.0 - lost) * plan.speed == pytest.approx(0.905, abs=0.002)


def test_the_realistic_engine_has_the_same_restarts() -> None:
    engine = load_engine("realistic").plain
    for gpus in (8, 64, 512, 4_096, 16_384):
        assert engine.restart_s(gpus) == pytest.approx(restart_s(gpus), abs=1.0)
