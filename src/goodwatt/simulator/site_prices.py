"""Prices, carbon intensity and temperature of a run: from numbers or files to series over the seconds of its trace."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from goodwatt.errors import InputError
from goodwatt.power.energy_price import EnergyPrice, StepSeries, constant
from goodwatt.simulator.objective import PriceSource, SitePrices

HOUR_S = 3600.0
_START = datetime(1970, 1, 1, tzinfo=UTC)


def site_prices(source: PriceSource | None, first_s: float) -> SitePrices:
    """The series; a file without `epoch` begins at `first_s`, the trace's first submission.

    What the file of the price says of carbon and temperature counts too, unless `carbon` says otherwise. Raises
    InputError for files that cannot be read or lack what they are named for.
    """
    if source is None:
        return SitePrices()
    price, price_outside = _read(source.price, source, first_s, "price")
    carbon, carbon_outside = _read(source.carbon, source, first_s, "carbon")
    both = EnergyPrice(price.per_kwh, carbon.gco2_per_kwh or price.gco2_per_kwh, source.currency or price.currency)
    return SitePrices(both, price_outside or carbon_outside, _epoch_s(source))


def _read(
    said: float | str | None, source: PriceSource, first_s: float, what: str
) -> tuple[EnergyPrice, StepSeries | None]:
    if said is None:
        return EnergyPrice(), None
    if not isinstance(said, str):
        always = constant(said)
        return EnergyPrice(always) if what == "price" else EnergyPrice(None, always), None
    from goodwatt.power.energy_price_file import read_site_series  # csv and zones, needed for files only

    known = source.epoch is not None
    epoch = datetime.fromisoformat(source.epoch) if source.epoch is not None else _START
    period_s = None if source.repeats_h is None else source.repeats_h * HOUR_S
    found = read_site_series(Path(said), epoch, source.time_zone or (None if known else "UTC"), period_s)
    per_kwh, carbon = found.price.per_kwh, found.price.gco2_per_kwh
    wanted = per_kwh if what == "price" else carbon
    if wanted is None:
        column = "a price, such as eur_per_mwh" if what == "price" else "gco2_per_kwh"
        raise InputError(f"{said}, line 1: expected a column with {column}")
    shift_s = 0.0 if known else first_s - wanted.starts_s[0]
    price = EnergyPrice(_moved(per_kwh, shift_s), _moved(carbon, shift_s), found.price.currency)
    return price, _moved(found.outside_c, shift_s)


def _moved(series: StepSeries | None, by_s: float) -> StepSeries | None:
    if series is None or not by_s:
        return series
    return replace(series, starts_s=tuple(start + by_s for start in series.starts_s))


def _epoch_s(source: PriceSource) -> float | None:
    return None if source.epoch is None else (datetime.fromisoformat(source.epoch) - _START).total_seconds()
