"""Bars of models without tokens on batches that no fit has seen, and the shipped figures against a fresh fit."""

from __future__ import annotations

import math
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the public data (../shared) are not at hand")


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])


@pytest.mark.parametrize("parity", [0, 1])
def test_throughput_of_one_pass_from_every_other_batch(parity: int) -> None:
    from calibration import step_serving

    off = [abs(seconds) for _, seconds, _ in step_serving.held_out(step_serving.one_pass(), parity)]
    assert len(off) >= 44
    assert statistics.mean(off) <= 0.05


@pytest.mark.parametrize("parity", [0, 1])
def test_seconds_and_watts_of_images_from_every_other_batch(parity: int) -> None:
    from calibration import step_serving

    found = step_serving.held_out(step_serving.images(), parity)
    assert statistics.mean(abs(seconds) for _, seconds, _ in found) <= 0.02
    assert statistics.mean(abs(watts) for _, _, watts in found if not math.isnan(watts)) <= 0.03


def test_what_ships_is_what_the_fit_gives() -> None:
    from calibration import step_serving

    assert step_serving.main(["--check"]) == 0
