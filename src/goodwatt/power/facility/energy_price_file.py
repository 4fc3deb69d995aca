"""Series over wall-clock time from CSV: prices, carbon intensity, outside temperature.

    time,eur_per_mwh,gco2_per_kwh
    2024-03-31T00:00+01:00,71.2,310

A column `time` (ISO, with a zone or in the zone that the caller names; or seconds since 1970) and one or more of:
CURRENCY_per_kwh or CURRENCY_per_mwh (also `price_per_..`), gco2_per_kwh, outside_c. Each row holds until the next. In
the repeated hour of autumn the first of two equal wall-clock times is the earlier; the missing hour of spring is an
error. Second 0 of the series is the `epoch`. What can be used and still looks odd is noted: rows that are missing, and
a repeated hour that stands there once.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from goodwatt.errors import BadRow, InputError, UnknownNameError
from goodwatt.power.facility.energy_price import EnergyPrice, StepSeries
from goodwatt.power.facility.energy_price_gaps import gap_notes
from goodwatt.time_zones import time_zone

TIME = "time"
CARBON = "gco2_per_kwh"
OUTSIDE = "outside_c"
_PRICE = re.compile(r"([a-z]+)_per_(kwh|mwh)")
_KWH = {"kwh": 1.0, "mwh": 1000.0}
_SECOND = timedelta(seconds=1)
_START = datetime(1970, 1, 1, tzinfo=UTC)
_EXPECTED_TIME = "a time such as 2024-03-31T00:00+01:00"
_SAY_WHICH = "write offsets (+02:00, then +01:00) to say which"


@dataclass(frozen=True, slots=True)
class SiteSeries:
    """What a file says: the price of energy, and the outside temperature in degrees Celsius; None: not in it.

    `lines`: its first and its last row; `notes`: sentences about what looks odd, each with the file and the line.
    """

    price: EnergyPrice
    outside_c: StepSeries | None
    lines: tuple[int, int] = field(default=(0, 0), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)


def read_site_series(
    path: Path, epoch: datetime, zone_name: str | None = None, period_s: float | None = None
) -> SiteSeries:
    """All series of a file, in seconds after `epoch` (with a zone). `period_s`: they repeat.

    Raises InputError: BadRow with file, line and column for a cell that cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None
    return site_series(text, str(path), epoch, zone_name, period_s)


def site_series(
    text: str, source: str, epoch: datetime, zone_name: str | None = None, period_s: float | None = None
) -> SiteSeries:
    """The same from text; `source` names it in messages."""
    if epoch.tzinfo is None:
        raise InputError(f"{source}: expected an epoch with a time zone, got {epoch.isoformat()}")
    rows = csv.reader(io.StringIO(text))
    columns = _columns(next(rows, []), source)
    clock = _Clock(source, epoch, None if zone_name is None else time_zone(zone_name))
    times: list[float] = []
    lines: list[int] = []
    values: dict[str, list[float]] = {name: [] for name in columns if name != TIME}
    for line, row in _filled(rows):
        if len(row) != len(columns):
            raise BadRow(source, line, None, f"{len(columns)} cells, as the first line has", str(len(row)))
        cells = dict(zip(columns, (cell.strip() for cell in row), strict=True))
        times.append(clock.seconds(cells[TIME], line))
        lines.append(line)
        for name, numbers in values.items():
            numbers.append(_number(cells[name], source, line, name))
    if not times:
        raise InputError(f"{source}: expected rows below the first line, got none")
    notes = (*gap_notes(times, lines, source, period_s), *clock.notes())
    return replace(_series(times, values, period_s), lines=(lines[0], lines[-1]), notes=notes)


def _series(times: list[float], values: Mapping[str, list[float]], period_s: float | None) -> SiteSeries:
    def series(name: str, divisor: float = 1.0) -> StepSeries:
        return StepSeries(tuple(times), tuple(value / divisor for value in values[name]), period_s)

    price = next((match for name in values if (match := _price(name))), None)
    currency = "" if price is None or price[1] == "price" else price[1].upper()
    per_kwh = None if price is None else series(price[0], _KWH[price[2]])
    carbon = series(CARBON) if CARBON in values else None
    return SiteSeries(EnergyPrice(per_kwh, carbon, currency), series(OUTSIDE) if OUTSIDE in values else None)


def _price(name: str) -> re.Match[str] | None:
    return None if name == CARBON else _PRICE.fullmatch(name)


def _columns(header: list[str], source: str) -> list[str]:
    columns = [name.strip().lower() for name in header]
    known = [TIME, "eur_per_mwh", "price_per_kwh", CARBON, OUTSIDE]
    for name in columns:
        if name not in known and not _price(name):
            raise InputError(f"{source}, line 1: {UnknownNameError('column', name, known)}")
    prices = [name for name in columns if _price(name)]
    if TIME not in columns or len(columns) < 2 or len(set(columns)) < len(columns) or len(prices) > 1:
        wanted = f"{TIME}, and at least one of a price (as eur_per_mwh), {CARBON} and {OUTSIDE}, each once"
        raise InputError(f"{source}, line 1: expected the columns {wanted}, got {', '.join(columns) or 'none'}")
    return columns


def _filled(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of the rows that are not blank."""
    return ((line, row) for line, row in enumerate(rows, 2) if any(cell.strip() for cell in row))


def _number(text: str, source: str, line: int, column: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadRow(source, line, column, "a number", repr(text))
    return number


class _Clock:
    """Reads the times of one file, which must rise."""

    def __init__(self, source: str, epoch: datetime, zone: tzinfo | None) -> None:
        self._source, self._zone = source, zone
        self._epoch_s = (epoch - _START) / _SECOND
        self._last_s = -math.inf
        self._twice: dict[datetime, int] = {}
        """Wall-clock times that come twice and were met once, with their lines."""

    def seconds(self, text: str, line: int) -> float:
        """Seconds after the epoch."""

        def bad(expected: str) -> BadRow:
            return BadRow(self._source, line, TIME, expected, repr(text))

        since_1970 = self._since_1970(text, line, bad)
        if since_1970 <= self._last_s:
            local = "" if _says_when(text) else f"; in the hour that autumn repeats, {_SAY_WHICH}"
            raise bad(f"a time after that of the row before{local}")
        self._last_s = since_1970
        return since_1970 - self._epoch_s

    def notes(self) -> tuple[str, ...]:
        """What to say of an hour that is there once and happened twice."""
        if not self._twice:
            return ()
        time, line = next(iter(self._twice.items()))
        said = f"{time:%Y-%m-%dT%H:%M} came twice in {self._zone} and stands here once"
        return (f"{self._source}, line {line}: {said}: taken for the first time and carried on; {_SAY_WHICH}",)

    def _since_1970(self, text: str, line: int, bad: Callable[[str], BadRow]) -> float:
        if text.isdecimal():
            return float(text)
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            raise bad(_EXPECTED_TIME) from None
        if time.tzinfo is not None:
            return (time - _START) / _SECOND
        if self._zone is None:
            raise bad(f"{_EXPECTED_TIME}, or a time zone for the whole file")
        return self._local(time.replace(tzinfo=self._zone), line, bad)

    def _local(self, time: datetime, line: int, bad: Callable[[str], BadRow]) -> float:
        """Of two moments with the same wall-clock time the first that comes after the row before."""
        utc = time.astimezone(UTC)
        if utc.astimezone(time.tzinfo).replace(tzinfo=None) != time.replace(tzinfo=None):
            raise bad(f"a time that exists in {time.tzinfo}")
        first, second = ((time.replace(fold=i).astimezone(UTC) - _START) / _SECOND for i in (0, 1))
        if first > self._last_s:
            if first < second:
                self._twice[time.replace(tzinfo=None)] = line
            return first
        self._twice.pop(time.replace(tzinfo=None), None)
        return second


def _says_when(text: str) -> bool:
    """Whether a time that can be read says by itself which moment it is."""
    return text.isdecimal() or datetime.fromisoformat(text).tzinfo is not None
