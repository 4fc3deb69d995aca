"""The bound that decides against clocks that follow phases (benchmarks/phase_clocks.py) against cases known by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.workload import Phase

ROOT = Path(__file__).parents[2]
MODEL = gpu_model(gpu_kind("A100-SXM4-80GB"))
COMPUTE, COPY = Demand(u=0.4, m=0.1, kappa=1.0), Demand(u=0.4, m=0.6, kappa=0.0)


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import phase_clocks

    return phase_clocks


def phases(seconds: float, *demands: Demand) -> list[Phase]:
    return [Phase(str(i), 1 / len(demands), seconds, demand) for i, demand in enumerate(demands)]


def test_phases_shorter_than_the_reaction_gain_nothing(bound: Any) -> None:
    found = bound.saving(MODEL, phases(0.5, COMPUTE, COPY), 0.02, 1.0)
    assert found.phase_j == found.single_j
    assert found.followed == 0


def test_equal_phases_gain_no_more_than_a_step_between_clocks(bound: Any) -> None:
    found = bound.saving(MODEL, phases(1000.0, COMPUTE, COMPUTE), 0.05, 1.0)
    assert 0.0 <= found.percent < 1.0


def test_phases_that_do_not_feel_the_clock_have_the_lowest_that_pays(bound: Any) -> None:
    """With next to no slowdown compute keeps its clock and copies fall to the floor of the voltage."""
    found = bound.saving(MODEL, phases(1e6, COMPUTE, COPY), 1e-4, 1.0)
    assert found.single_j == found.default_j
    copy_j = min(MODEL.watts(COPY, clock) for clock in MODEL.clocks_mhz)
    by_hand_j = (MODEL.watts(COMPUTE, MODEL.top_mhz) + copy_j) / 2
    assert found.phase_j == pytest.approx(by_hand_j, rel=1e-4)


def test_the_later_the_clock_follows_the_less_it_saves(bound: Any) -> None:
    saved = [bound.saving(MODEL, phases(10.0, COMPUTE, COPY), 0.05, late_s).percent for late_s in (0.0, 1.0, 4.0, 11.0)]
    assert saved == sorted(saved, reverse=True)
    assert saved[0] > saved[1] > 0.0 == saved[-1]


def test_a_short_phase_goes_with_the_one_before_it(bound: Any) -> None:
    a, b = Phase("a", 0.6, 60.0, COMPUTE), Phase("b", 0.399, 39.9, COPY)
    short = Phase("c", 0.001, 0.1, COPY)
    whole = bound.saving(MODEL, [a, b], 0.05, 1.0)
    assert bound.saving(MODEL, [short, a, b], 0.05, 1.0).percent == pytest.approx(whole.percent, abs=0.05)
    assert bound.saving(MODEL, [short, a, b], 0.05, 1.0).followed == 2
