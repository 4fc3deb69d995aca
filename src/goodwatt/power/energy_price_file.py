"""Series over wall-clock time from CSV: prices, carbon intensity, outside temperature.

    time,eur_per_mwh,gco2_per_kwh
    2024-03-31T00:00+01:00,71.2,310

A column `time` (ISO, with a zone or in the zone that the caller names; or seconds since 1970) and one or more of:
CURRENCY_per_kwh or CURRENCY_per_mwh (also `price_per_..`), gco2_per_kwh, outside_c. Each row holds until the next. In
the repeated hour of autumn the first of two equal wall-clock times is the earlier; the missing hour of spring is an
error. Second 0 of the series is the `epoch`.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from goodwatt.errors import BadRow, InputError, UnknownNameError
from goodwatt.power.energy_price import EnergyPrice, StepSeries

TIME = "time"
CARBON = "gco2_per_kwh"
OUTSIDE = "outside_c"
_PRICE = re.compile(r"([a-z]+)_per_(kwh|mwh)")
_KWH = {"kwh": 1.0, "mwh": 1000.0}
_SECOND = timedelta(seconds=1)
_START = datetime(1970, 1, 1, tzinfo=UTC)
_EXPECTED_TIME = "a time such as 2024-03-31T00:00+01:00"


@dataclass(frozen=True, slots=True)
class SiteSeries:
    """What a file says: the price of energy, and the outside temperature in degrees Celsius; None: not in it."""

    price: EnergyPrice
    outside_c: StepSeries | None


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
    clock = _Clock(source, epoch, None if zone_name is None else _zone(zone_name))
    times: list[float] = []
    values: dict[str, list[float]] = {name: [] for name in columns if name != TIME}
    for line, row in _filled(rows):
        if len(row) != len(columns):
            raise BadRow(source, line, None, f"{len(columns)} cells, as the first line has", str(len(row)))
        cells = dict(zip(columns, (cell.strip() for cell in row), strict=True))
        times.append(clock.seconds(cells[TIME], line))
        for name, numbers in values.items():
            numbers.append(_number(cells[name], source, line, name))
    if not times:
        raise InputError(f"{source}: expected rows below the first line, got none")
    return _series(times, values, period_s)


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

    def seconds(self, text: str, line: int) -> float:
        """Seconds after the epoch."""
        since_1970 = self._since_1970(text, lambda expected: BadRow(self._source, line, TIME, expected, repr(text)))
        if since_1970 <= self._last_s:
            raise BadRow(self._source, line, TIME, "a time after that of the row before", repr(text))
        self._last_s = since_1970
        return since_1970 - self._epoch_s

    def _since_1970(self, text: str, bad: Callable[[str], BadRow]) -> float:
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
        return self._local(time.replace(tzinfo=self._zone), bad)

    def _local(self, time: datetime, bad: Callable[[str], BadRow]) -> float:
        """Of two moments with the same wall-clock time the first that comes after the row before."""
        utc = time.astimezone(UTC)
        if utc.astimezone(time.tzinfo).replace(tzinfo=None) != time.replace(tzinfo=None):
            raise bad(f"a time that exists in {time.tzinfo}")
        first = (utc - _START) / _SECOND
        return first if first > self._last_s else (time.replace(fold=1).astimezone(UTC) - _START) / _SECOND


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, available_timezones  # costs start-up, and files with zones do without

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
    if not known:
        raise InputError(f"time zone {name!r}: this system has no time zone data; the package tzdata has it")
    raise UnknownNameError("time zone", name, known)
