"""The constants that ship against fits of the data they come from, where it is at hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from goodwatt.power.colocation.interference_constants import LAWS, PAIR_ERRORS, TAIL_ERROR

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the public data (../shared) are not at hand")


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])


def test_mig_constants_are_those_of_the_fit() -> None:
    from calibration import held_out, miso_mig

    fitted = miso_mig.fit(miso_mig.read_slices())
    assert (fitted.sm, fitted.dram, fitted.power) == pytest.approx(
        (LAWS.mig.sm, LAWS.mig.dram, LAWS.mig.power), rel=0.01
    )
    assert held_out.root_mean_square(miso_mig.held_out()) == pytest.approx(PAIR_ERRORS["mig"], abs=0.005)


def test_the_shipped_laws_reproduce_the_pairs_of_the_h200() -> None:
    from calibration import h200_pairs, held_out

    from goodwatt.cluster.catalogue import gpu_kind
    from goodwatt.power.gpu.model import gpu_model

    residents, pairs = h200_pairs.measured()
    model = gpu_model(gpu_kind("H200-SXM"))
    found = [(pair, h200_pairs.predicted(model, residents, pair, LAWS)) for pair in pairs]
    for way, most in (("timeslice", 0.06), ("mps", 0.06), ("mps_limited", 0.08)):
        own = h200_pairs.speeds((pair, point) for pair, point in found if pair.way == way)
        assert held_out.mean_absolute(own) < most, way
    prefill_decode = next(
        (pair, point) for pair, point in found if pair.way == "mps" and set(pair.names) == {"llm_prefill", "llm_decode"}
    )
    assert prefill_decode[1].watts == pytest.approx(prefill_decode[0].watts, rel=0.05)
    assert max(prefill_decode[1].speeds) > 5 * min(prefill_decode[1].speeds)


MEASURED = ROOT / "benchmarks" / "results" / "h200_serving.json"


@pytest.mark.skipif(not MEASURED.is_file(), reason="the project's own measurements are not at hand")
def test_an_instance_beside_a_limited_batch_job_is_told_without_constants_of_its_own() -> None:
    from calibration import h200_beside, held_out

    runs = h200_beside.measured()
    limited = [run for run in runs if run.limited]
    assert len(limited) == 30
    assert held_out.mean_absolute(h200_beside.speeds(limited, 0)) < 0.04
    assert held_out.mean_absolute(h200_beside.speeds(limited, 1)) < 0.03


@pytest.mark.skipif(not MEASURED.is_file(), reason="the project's own measurements are not at hand")
def test_limits_that_were_measured_after_the_law() -> None:
    from calibration import h200_beside, held_out

    runs = h200_beside.measured(h200_beside.LATER)
    assert sorted({run.batch.threads for run in runs}) == [0.75, 0.9]
    assert sum(sum(map(wanted, runs)) for wanted in h200_beside.LATER_PARTS.values()) == len(runs) == 30
    assert held_out.mean_absolute(h200_beside.speeds(runs, 0)) < 0.055
    assert held_out.mean_absolute(h200_beside.speeds(runs, 1)) < 0.055


@pytest.mark.skipif(not MEASURED.is_file(), reason="the project's own measurements are not at hand")
def test_the_tail_is_that_of_the_fit() -> None:
    from calibration import h200_beside, held_out

    runs = h200_beside.measured()
    fitted = h200_beside.fit_tail(runs)
    assert [getattr(fitted, name) for name in h200_beside.TAIL_FIELDS] == pytest.approx(
        [getattr(LAWS.tail, name) for name in h200_beside.TAIL_FIELDS], rel=0.01
    )
    assert held_out.root_mean_square(h200_beside.held_out_tails(runs)) == pytest.approx(TAIL_ERROR, abs=0.002)
