"""Options of power: what wins over what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from goodwatt.cli.power_options import Physics, PowerSettings, Prices, Truth, number_or_file
from goodwatt.errors import InputError
from goodwatt.simulator.settings.run_options import RunOptions
from tests.scenario import job


def settings(**more: Any) -> PowerSettings:
    return PowerSettings(physics=Physics.FULL, truth=Truth.RESIDUAL, **more)


@pytest.mark.parametrize(("text", "value"), [("0.2", 0.2), ("0", 0.0), ("prices.csv", "prices.csv"), ("1e-1", 0.1)])
def test_a_number_or_a_file(text: str, value: float | str) -> None:
    assert number_or_file(text) == value


@pytest.mark.parametrize("text", ["-1", "nan", "inf"])
def test_numbers_that_are_no_price(text: str) -> None:
    with pytest.raises(InputError, match="at least 0 per kWh"):
        number_or_file(text)


def test_options_win_over_the_objective(tmp_path: Path) -> None:
    file = tmp_path / "goal.yaml"
    file.write_text("power_budget_w: 900\nprice: 0.5\ncarbon: 100\ncurrency: EUR\n", encoding="utf-8")
    said = settings(objective=file, budget_w=800.0, price="0.25").read_objective()
    assert said.power_budget_w == 800.0
    assert said.prices is not None
    assert (said.prices.price, said.prices.carbon, said.prices.currency) == (0.25, 100.0, "EUR")
    assert settings(objective=file).read_objective().power_budget_w == 900.0
    assert settings().read_objective().prices is None


def test_the_options_of_a_run() -> None:
    asked = PowerSettings(physics=Physics.IDEAL, truth=Truth.MODEL, price="0.25")
    prices = Prices.read(asked.read_objective(), 0.0)
    options = asked.apply(RunOptions(seed=5), asked.read_objective(), prices.series)
    assert (options.seed, options.physics, options.truth) == (5, "ideal", "model")
    assert options.price is not None
    assert options.price.per_kwh is not None
    assert options.price.per_kwh.value_at(1e9) == 0.25


def test_files_are_named_for_the_manifest(tmp_path: Path) -> None:
    file = tmp_path / "goal.yaml"
    file.write_text("carbon: grid.csv\n", encoding="utf-8")
    assert settings(objective=file, price="0.1").files() == {"objective": file, "carbon": tmp_path / "grid.csv"}


def test_without_a_file_jobs_keep_their_classes() -> None:
    jobs = [job("a")]
    assert settings().classed(jobs) is jobs
