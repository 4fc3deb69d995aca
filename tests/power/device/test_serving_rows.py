"""What benchmarks/h200/serving measures and how it sums up a window; the kernels themselves need a GPU."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from goodwatt.power.device.interface import Reading

ROOT = Path(__file__).parents[3]
RESULT = ROOT / "benchmarks" / "results" / "h200_serving.json"


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])


def reading(t_s: float, energy_j: float, clock_mhz: float = 1980.0) -> Reading:
    return Reading(t_s, None, energy_j, clock_mhz, None, 0, None, frozenset())


def test_times_are_summed_up_by_kind() -> None:
    from h200.serving_summary import iteration_times

    found = iteration_times([("decode", n / 10, float(n + 1)) for n in range(100)] + [("prefill", 11.0, 50.0)])
    assert found["decode"] == {"n": 100, "mean_ms": 50.5, "p50_ms": 50.0, "p99_ms": 99.0, "max_ms": 100.0}
    assert found["prefill"]["n"] == 1


def test_watts_of_the_gaps_leave_out_the_steps_that_hold_a_burst() -> None:
    from h200.serving_summary import gaps, power, watts_within

    iterations = [("decode", 0.0, 500.0), ("decode", 1.0, 500.0)]
    assert gaps(iterations) == [(0.5, 1.0)]
    energy_j = [0.0, 60.0, 120.0, 180.0, 240.0, 300.0, 350.0, 363.0, 376.0, 389.0, 402.0, 460.0]
    readings = [reading(n / 10, joules) for n, joules in enumerate(energy_j)]
    assert power(readings)[0] == pytest.approx((0.1, 0.2, 600.0))
    assert watts_within(power(readings), gaps(iterations)) == pytest.approx(130.0)
    assert watts_within(power(readings), [(0.5, 0.6)]) is None


def test_the_clock_is_that_of_what_runs() -> None:
    from h200.serving_summary import clocks

    iterations = [("prefill", 0.0, 50.0), ("decode", 0.05, 10.0)]
    readings = [reading(-1.0, 0.0, 1.0), reading(0.01, 0, 1500.0), reading(0.055, 0, 1900.0), reading(0.5, 0, 1980.0)]
    assert clocks(iterations, readings) == {"prefill": 1500.0, "decode": 1900.0, "gap": 1980.0}


def test_every_row_has_a_key_of_its_own_and_a_line_for_the_worker() -> None:
    from h200.serving_parts import PARTS, planned

    rows = planned(list(PARTS))
    assert len({row.key() for row in rows}) == len(rows)
    for row in rows:
        assert row.cycle is not None or row.beside
        if row.cycle:
            assert all(set(entry) & {"tokens", "all_reduce"} for entry in json.loads(row.cycle.text())["cycle"])


def test_the_published_rows_are_those_that_are_planned() -> None:
    from h200.serving_parts import PARTS, planned

    published = json.loads(RESULT.read_text(encoding="utf-8"))["rows"]
    expected = {row.key() for row in planned([part for part in PARTS if part != "smoke"])}
    found = {(row["part"], row["name"], row["beside"], row["threads"]) for row in published if row["part"] != "quiet"}
    assert found == expected
    assert not any("error" in row for row in published)
