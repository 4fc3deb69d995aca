"""Series of steps, prices and carbon; files of them, across changes of daylight saving time too."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.errors import InputError
from goodwatt.power.facility.energy_price import EnergyPrice, StepSeries, cheapest_start_s, constant
from goodwatt.power.facility.energy_price_file import SiteSeries, read_site_series, site_series

DAY = StepSeries((0.0, 25200.0, 72000.0), (0.10, 0.30, 0.10), period_s=86400.0)
ONCE = StepSeries((0.0, 10.0, 30.0), (1.0, 5.0, 2.0))

AT = [  # time, value, next change
    (-5.0, 1.0, 0.0),
    (0.0, 1.0, 10.0),
    (9.9, 1.0, 10.0),
    (10.0, 5.0, 30.0),
    (99.0, 2.0, math.inf),
]


@pytest.mark.parametrize(("time_s", "value", "change_s"), AT)
def test_steps_of_a_series(time_s: float, value: float, change_s: float) -> None:
    assert (ONCE.value_at(time_s), ONCE.next_change_s(time_s)) == (value, change_s)


AREAS = [(0, 10, 10), (5, 15, 30), (0, 40, 130), (-10, 0, 10), (30, 40, 20), (12, 13, 5), (40, 0, -130), (7, 7, 0)]


@pytest.mark.parametrize(("from_s", "to_s", "area"), AREAS)
def test_areas_of_a_series(from_s: float, to_s: float, area: float) -> None:
    assert ONCE.integral(from_s, to_s) == area


def test_a_day_repeats_forwards_and_backwards() -> None:
    at = [DAY.value_at(t) for t in (0, 30000, 86400, 86400 * 9 + 30000, -1, -86400 + 30000)]
    assert at == [0.10, 0.30, 0.10, 0.30, 0.10, 0.30]
    assert [DAY.next_change_s(t) for t in (0, 30000, 80000, 86400 * 2, -1)] == [25200, 72000, 86400, 198000, 0]
    assert DAY.integral(-86400, 3 * 86400) == pytest.approx(4 * DAY.integral(0, 86400))


@given(st.sampled_from([DAY, ONCE]), st.floats(-2e5, 2e5), st.floats(-2e5, 2e5), st.floats(-2e5, 2e5))
def test_areas_add_up(series: StepSeries, a: float, b: float, c: float) -> None:
    assert series.integral(a, b) + series.integral(b, c) == pytest.approx(series.integral(a, c), rel=1e-9, abs=1e-6)


@given(st.sampled_from([DAY, ONCE]), st.floats(-2e5, 2e5))
def test_nothing_changes_before_the_next_change(series: StepSeries, time_s: float) -> None:
    change_s = series.next_change_s(time_s)
    assert change_s > time_s
    until = min(change_s, time_s + 1e5)
    assert series.integral(time_s, until) == pytest.approx(
        series.value_at(time_s) * (until - time_s), rel=1e-9, abs=1e-6
    )


SHIFTS = [  # hours of work, from, until, the cheapest start (hours)
    (4, 0, 20, 0),
    (4, 7, 30, 20),
    (2, 8, 12, 8),
    (3, 6, 19, 19),
    (3, 6, 21, 20),
]


@pytest.mark.parametrize(("work", "earliest", "latest", "start"), SHIFTS)
def test_the_cheapest_start_before_a_deadline(work: float, earliest: float, latest: float, start: float) -> None:
    got = cheapest_start_s(DAY, work * 3600.0, earliest * 3600.0, latest * 3600.0)
    assert got == start * 3600.0


BAD_SERIES: list[tuple[tuple[float, ...], tuple[float, ...], float | None, str]] = [
    ((), (), None, "at least one"),
    ((0.0, 0.0), (1.0, 2.0), None, "times that rise"),
    ((0.0, 9.0), (1.0, 2.0), 9.0, "a period longer than 9 s"),
]


@pytest.mark.parametrize(("times", "values", "period_s", "message"), BAD_SERIES)
def test_series_that_are_none(
    times: tuple[float, ...], values: tuple[float, ...], period_s: float | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        StepSeries(times, values, period_s)


# files ---------------------------------------------------------------------------------------------------------------

EPOCH = datetime(2024, 3, 31, tzinfo=UTC)


def load(text: str, zone: str | None = None, epoch: datetime = EPOCH) -> SiteSeries:
    return site_series(dedent(text).strip(), "p.csv", epoch, zone)


def test_a_file_with_zones(tmp_path: Path) -> None:
    path = tmp_path / "site.csv"
    path.write_text(
        "time,EUR_per_MWh,gCO2_per_kWh,outside_c\n2024-03-31T01:00+01:00,80,310,4\n2024-03-31T03:00Z,120,290,11\n"
    )
    series = read_site_series(path, EPOCH)
    assert series.price.currency == "EUR"
    assert series.price.per_kwh == StepSeries((0.0, 10800.0), (0.08, 0.12))
    assert series.price.gco2_per_kwh == StepSeries((0.0, 10800.0), (310, 290))
    assert series.outside_c == StepSeries((0.0, 10800.0), (4, 11))


def test_seconds_since_1970_and_a_price_without_currency() -> None:
    series = load("time,price_per_kwh\n1711843200,0.1\n\n1711846800,0.2")
    assert series.price == EnergyPrice(StepSeries((0.0, 3600.0), (0.1, 0.2)))
    assert series.outside_c is None


def test_spring_and_autumn_in_berlin() -> None:
    spring = load("time,outside_c\n2024-03-31 01:00,1\n2024-03-31 03:00,2\n2024-03-31 04:00,3", "Europe/Berlin")
    assert spring.outside_c is not None
    assert spring.outside_c.starts_s == (0.0, 3600.0, 7200.0)
    hours = "\n".join(f"2024-10-27 {hour}:00,{i}" for i, hour in enumerate(["01", "02", "02", "03"]))
    autumn = load(f"time,outside_c\n{hours}", "Europe/Berlin", datetime(2024, 10, 26, 23, tzinfo=UTC))
    assert autumn.outside_c is not None
    assert autumn.outside_c.starts_s == (0.0, 3600.0, 7200.0, 10800.0)


def hours(*numbers: int) -> str:
    return "time,outside_c\n" + "\n".join(f"{number * 3600},{number}" for number in numbers)


GAPS = [  # rows, repeats, notes
    (hours(0, 1, 2, 3, 4), None, []),
    (hours(0, 1, 2, 4, 5), None, []),
    (hours(0, 1, 2, 5, 6, 7), None, ["p.csv, line 4: this row holds for 3 h, where a row usually holds for 1 h"]),
    (hours(0, 1, 2, 3), 24.0, ["p.csv, line 5: this row holds for 21 h, where a row usually holds for 1 h"]),
    (hours(*range(24)), 24.0, []),
    (hours(0, 7, 22), 24.0, []),
    (hours(0, 7, 22, 31, 46, 103), None, []),
    (hours(0, 1, 2, 9, 10, 11, 12, 13, 20, 21, 22, 29, 30, 31, 32, 39, 40, 41, 42, 43, 50, 51), None,
     ["line 4: ", "line 9: ", "line 12: ", "p.csv: 2 more gaps like that"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "repeats_h", "notes"), GAPS)
def test_rows_that_are_missing_are_named(text: str, repeats_h: float | None, notes: list[str]) -> None:
    period_s = None if repeats_h is None else repeats_h * 3600.0
    got = site_series(text, "p.csv", EPOCH, None, period_s).notes
    assert len(got) == len(notes)
    assert all(note in said for note, said in zip(notes, got, strict=True))


AUTUMN = [  # wall-clock times of the last Sunday of October, zone, note
    (["01:00", "02:00", "02:00", "03:00"], "Europe/Berlin", None),
    (["02:00", "02:30", "02:00", "02:30", "03:00"], "Europe/Berlin", None),
    (["01:00", "02:00", "03:00"], "Europe/Berlin", "p.csv, line 3: 2024-10-27T02:00 came twice in Europe/Berlin"),
    (["01:00", "02:00+02:00", "02:00+01:00", "03:00"], "Europe/Berlin", None),
    (["01:00", "02:00", "03:00"], "UTC", None),
]


@pytest.mark.parametrize(("times", "zone", "note"), AUTUMN)
def test_an_hour_that_came_twice_stands_there_twice(times: list[str], zone: str, note: str | None) -> None:
    rows = "\n".join(f"2024-10-27T{time},1" for time in times)
    got = load(f"time,outside_c\n{rows}", zone).notes
    assert len(got) == (note is not None)
    assert note is None or got[0].startswith(note)


CARRIED = [  # from, to, seconds outside 0 to 7200 (rows at 0 and 3600)
    (0.0, 7200.0, 0.0),
    (-50.0, 7300.0, 150.0),
    (9000.0, 9010.0, 10.0),
    (-90.0, -40.0, 50.0),
    (100.0, 100.0, 0.0),
]


@pytest.mark.parametrize(("from_s", "to_s", "carried_s"), CARRIED)
def test_how_long_a_series_does_not_speak(from_s: float, to_s: float, carried_s: float) -> None:
    assert StepSeries((0.0, 3600.0), (1.0, 2.0)).carried_s(from_s, to_s) == carried_s
    assert StepSeries((0.0, 3600.0), (1.0, 2.0), period_s=7200.0).carried_s(from_s, to_s) == 0.0
    assert constant(1.0).carried_s(from_s, to_s) == 0.0


BAD_FILES = [
    ("", None, r"p.csv, line 1: expected the columns time, .* got none"),
    ("time\n1", None, "line 1: expected the columns"),
    ("time,eur_per_mhw\n1,2", None, "line 1: unknown column 'eur_per_mhw': did you mean 'eur_per_mwh'"),
    ("time,eur_per_mwh,usd_per_kwh\n1,2,3", None, "line 1: expected the columns"),
    ("time,outside_c", None, "p.csv: expected rows below the first line, got none"),
    ("time,outside_c\n1,2,3", None, "p.csv, line 2: expected 2 cells, as the first line has, got 3"),
    ("time,outside_c\n1,warm", None, "p.csv, line 2, column 'outside_c': expected a number, got 'warm'"),
    ("time,outside_c\n1,nan", None, "expected a number, got 'nan'"),
    ("time,outside_c\n5,2\n5,2", None, "line 3, column 'time': expected a time after that of the row before, got '5'"),
    (
        "time,outside_c\n2024-10-27T02:00,2\n2024-10-27T02:00,2",
        "UTC",
        r"line 3, column 'time': .*; in the hour that autumn repeats, write offsets \(\+02:00, then \+01:00\)",
    ),
    ("time,outside_c\nnoon,2", None, "line 2, column 'time': expected a time such as"),
    ("time,outside_c\n2024-01-01,2", None, "or a time zone for the whole file"),
    ("time,outside_c\n2024-03-31 02:30,2", "Europe/Berlin", "expected a time that exists in Europe/Berlin"),
    ("time,outside_c\n1,2", "Europe/Berlln", "unknown time zone 'Europe/Berlln': did you mean 'Europe/Berlin'"),
]


@pytest.mark.parametrize(("text", "zone", "message"), BAD_FILES)
def test_files_that_cannot_be_read(text: str, zone: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(text, zone)


def test_an_epoch_needs_a_zone_and_a_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected an epoch with a time zone"):
        load("time,outside_c\n1,2", epoch=datetime(2024, 1, 1))  # noqa: DTZ001 # the mistake that is tested
    with pytest.raises(InputError, match="cannot be read as text"):
        read_site_series(tmp_path / "none.csv", EPOCH)
