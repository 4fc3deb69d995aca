"""Bars of serving on measurements that no fit has seen, and the shipped figures against a fresh fit."""

from __future__ import annotations

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
def test_phases_of_the_h200_from_every_second_row(parity: int) -> None:
    from calibration import serving_held_out as held_out

    found = held_out.phases(parity)
    assert len(found) == 12
    assert held_out.mean_absolute(one.rate for one in found) <= 8.0
    assert held_out.mean_absolute(one.watts for one in found) <= 6.0
    assert held_out.mean_absolute(one.clock for one in found) <= 6.0


def test_mixed_iterations_from_decode_and_prefill() -> None:
    from calibration import serving_held_out as held_out

    found = held_out.mixed()
    assert held_out.mean_absolute(one.seconds for one in found) <= 3.0
    assert held_out.mean_absolute(one.watts for one in found) <= 3.0


def test_prompts_and_tokens_of_splitwise_with_each_batch_left_out() -> None:
    from calibration import serving_held_out as held_out

    found = [one for _, one in held_out.splitwise_batches()]
    assert held_out.mean_absolute(one.seconds for one in found) <= 8.0
    bars = {("prompt", "H100-SXM"): 8.0, ("token", "H100-SXM"): 8.0, ("token", "A100-SXM4-80GB"): 8.0}
    bars["prompt", "A100-SXM4-80GB"] = 13.0  # not kept: see docs/design/serving-model.md
    for (group, kind), bar in bars.items():
        own = [one.seconds for one in found if (one.row.group, one.row.kind) == (group, kind)]
        assert held_out.mean_absolute(own) <= bar, (group, kind)


def test_models_of_the_leaderboard_that_no_fit_has_seen() -> None:
    from calibration import serving_held_out as held_out

    dense = [one for one in held_out.leaderboard("H100") if one.row.group == "H100 dense"]
    assert held_out.mean_absolute(one.seconds for one in dense) <= 9.0
    assert held_out.mean_absolute(one.watts for one in dense) <= 8.0


def test_the_shipped_figures_are_those_of_the_fit() -> None:
    from calibration import serving

    assert serving.differences(serving.content()) == []
