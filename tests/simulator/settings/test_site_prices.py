"""Prices of a site over the seconds of a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from goodwatt.errors import InputError
from goodwatt.power.facility.energy_price import StepSeries
from goodwatt.simulator.settings.objective import PriceSource, SitePrices
from goodwatt.simulator.settings.site_prices import site_prices, site_prices_and_files

DAY = "time,eur_per_mwh,gco2_per_kwh,outside_c\n2024-01-01T00:00,100,400,5\n2024-01-01T12:00,50,200,9\n"


def file(tmp_path: Path, text: str = DAY, name: str = "day.csv") -> str:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / name)


def per_kwh(prices: SitePrices) -> StepSeries:
    assert prices.price is not None
    assert prices.price.per_kwh is not None
    return prices.price.per_kwh


def carbon(prices: SitePrices) -> StepSeries:
    assert prices.price is not None
    assert prices.price.gco2_per_kwh is not None
    return prices.price.gco2_per_kwh


def test_nobody_says_anything() -> None:
    assert site_prices(None, 0.0) == SitePrices()


def test_numbers_hold_for_ever() -> None:
    got = site_prices(PriceSource(price=0.2, carbon=300.0, currency="EUR"), 5.0)
    assert (per_kwh(got).value_at(-1e9), carbon(got).value_at(1e9)) == (0.2, 300.0)
    assert got.price is not None
    assert got.price.currency == "EUR"


def test_a_file_begins_with_the_trace_and_brings_what_else_it_holds(tmp_path: Path) -> None:
    got = site_prices(PriceSource(price=file(tmp_path)), 1000.0)
    assert [per_kwh(got).value_at(t) for t in (1000.0, 44_199.0, 44_200.0, 1e9)] == [0.1, 0.1, 0.05, 0.05]
    assert carbon(got).value_at(1000.0) == 400.0
    assert got.outside_c is not None
    assert got.outside_c.value_at(50_000.0) == 9.0
    assert got.price is not None
    assert (got.price.currency, got.epoch_s) == ("EUR", None)


def test_a_day_may_repeat(tmp_path: Path) -> None:
    got = site_prices(PriceSource(price=file(tmp_path), repeats_h=24.0), 0.0)
    assert [per_kwh(got).value_at(86_400.0 * day + hour * 3600.0) for day in (0, 9) for hour in (1, 13)] == [
        0.1, 0.05, 0.1, 0.05,
    ]  # fmt: skip


def test_with_an_epoch_times_are_times(tmp_path: Path) -> None:
    source = PriceSource(price=file(tmp_path), time_zone="UTC", epoch="2024-01-01T11:00+00:00")
    got = site_prices(source, 1e6)
    assert [per_kwh(got).value_at(t) for t in (0.0, 3600.0)] == [0.1, 0.05]
    assert got.epoch_s == 1_704_106_800.0


def test_carbon_of_its_own_wins_over_that_in_the_file_of_the_price(tmp_path: Path) -> None:
    assert carbon(site_prices(PriceSource(price=file(tmp_path), carbon=7.0), 0.0)).value_at(0.0) == 7.0
    only = site_prices(PriceSource(carbon=file(tmp_path)), 0.0)
    assert carbon(only).value_at(0.0) == 400.0
    assert only.price is not None
    assert only.price.per_kwh is None, "nobody asked for money"


CARRIED = [  # begin and end of the run in hours of 1 January, what is said of 24 h of rows
    (0, 24, None),
    (0, 36, "for 12.0 of the run's 36.0 h the price is carried on from the last (line 3);"),
    (-6, 24, "for 6.0 of the run's 30.0 h the price is carried on from the first (line 2);"),
    (-6, 36, "for 18.0 of the run's 42.0 h the price is carried on from the first (line 2) and the last (line 3);"),
]


@pytest.mark.parametrize(("from_h", "to_h", "said"), CARRIED)
def test_a_run_that_lasts_longer_than_its_file_is_told_for_how_long(
    tmp_path: Path, from_h: int, to_h: int, said: str | None
) -> None:
    source = PriceSource(price=file(tmp_path), time_zone="UTC", epoch="2024-01-01T00:00+00:00")
    _, (read,) = site_prices_and_files(source, 0.0)
    got = read.carried([(from_h * 3600.0, to_h * 3600.0)])
    assert (got is None) == (said is None)
    assert said is None or said in (got or "")
    assert (
        site_prices_and_files(PriceSource(price=file(tmp_path), repeats_h=24.0), 0.0)[1][0].carried([(0, 1e9)]) is None
    )


def test_odd_rows_are_told_of_each_file(tmp_path: Path) -> None:
    gap = "time,gco2_per_kwh\n0,1\n3600,1\n7200,1\n36000,1\n"
    source = PriceSource(price=file(tmp_path), carbon=file(tmp_path, gap, "co2.csv"))
    price, carbon = site_prices_and_files(source, 0.0)[1]
    assert (price.notes, price.what, carbon.what) == ((), "price", "carbon intensity")
    assert carbon.notes[0].startswith(f"{carbon.path}, line 4: this row holds for 8 h")


@pytest.mark.parametrize(
    ("what", "text", "message"),
    [
        ("price", "time,gco2_per_kwh\n0,5\n", "line 1: expected a column with a price"),
        ("carbon", "time,eur_per_mwh\n0,5\n", "line 1: expected a column with gco2_per_kwh"),
        ("price", "time,eur_per_mwh\n0,much\n", "line 2, column 'eur_per_mwh': expected a number, got 'much'"),
    ],
)
def test_files_that_lack_what_they_are_named_for(tmp_path: Path, what: str, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        site_prices(PriceSource(**{what: file(tmp_path, text)}), 0.0)  # type: ignore[arg-type]
    assert message in str(error.value)
