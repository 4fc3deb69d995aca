"""Prices, carbon intensity and temperature of a run: from numbers or files to series over the seconds of its trace.

What of the files looks odd, and how much of a run they do not speak of, is for whoever talks to people (`PriceFile`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import overload

from goodwatt.errors import InputError
from goodwatt.power.facility.energy_price import EnergyPrice, StepSeries, constant
from goodwatt.simulator.settings.objective import PriceSource, SitePrices

HOUR_S = 3600.0
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PriceFile:
    """A file that a run takes its prices or its carbon intensity (`what`) from, in seconds of the trace.

    `lines`: its first and its last row; `notes`: sentences about rows that look odd.
    """

    path: str
    what: str
    series: StepSeries
    lines: tuple[int, int]
    notes: tuple[str, ...]

    def carried(self, spans: Sequence[tuple[float, float]]) -> str | None:
        """What to say of runs over these spans of the trace that last longer than the file; None if they do not."""
        carried_s = sum(self.series.carried_s(*span) for span in spans)
        if carried_s < 1.0:  # less comes of rounding times
            return None
        whole_s = sum(end - start for start, end in spans)
        first_s, end_s = self.series.covered
        early, late = min(start for start, _ in spans) < first_s, max(end for _, end in spans) > end_s
        which = " and ".join(
            f"the {word} (line {line})"
            for word, line, used in zip(("first", "last"), self.lines, (early, late), strict=True)
            if used
        )
        return (
            f"{self.path}: its rows speak of {(end_s - first_s) / HOUR_S:,.1f} h; for {carried_s / HOUR_S:,.1f} of the "
            f"run's {whole_s / HOUR_S:,.1f} h the {self.what} is carried on from {which}; an objective file can say "
            f"repeats_h"
        )


def site_prices(source: PriceSource | None, first_s: float) -> SitePrices:
    """The series; a file without `epoch` begins at `first_s`, the trace's first submission.

    What the file of the price says of carbon and temperature counts too, unless `carbon` says otherwise. Raises
    InputError for files that cannot be read or lack what they are named for.
    """
    return site_prices_and_files(source, first_s)[0]


def site_prices_and_files(source: PriceSource | None, first_s: float) -> tuple[SitePrices, tuple[PriceFile, ...]]:
    """The same with the files that were read."""
    if source is None:
        return SitePrices(), ()
    price, carbon = _read(source.price, source, first_s, "price"), _read(source.carbon, source, first_s, "carbon")
    grams = carbon.price.gco2_per_kwh or price.price.gco2_per_kwh
    both = EnergyPrice(price.price.per_kwh, grams, source.currency or price.price.currency)
    files = tuple(found.file for found in (price, carbon) if found.file is not None)
    return SitePrices(both, price.outside_c or carbon.outside_c, _epoch_s(source)), files


@dataclass(frozen=True, slots=True)
class _Read:
    """What one of the two options says."""

    price: EnergyPrice
    outside_c: StepSeries | None = None
    file: PriceFile | None = None


def _read(said: float | str | None, source: PriceSource, first_s: float, what: str) -> _Read:
    if said is None:
        return _Read(EnergyPrice())
    if not isinstance(said, str):
        always = constant(said)
        return _Read(EnergyPrice(always) if what == "price" else EnergyPrice(None, always))
    from goodwatt.power.facility.energy_price_file import read_site_series  # csv and zones, needed for files only

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
    words = "price" if what == "price" else "carbon intensity"
    file = PriceFile(said, words, _moved(wanted, shift_s), found.lines, found.notes)
    return _Read(price, _moved(found.outside_c, shift_s), file)


@overload
def _moved(series: StepSeries, by_s: float) -> StepSeries: ...
@overload
def _moved(series: StepSeries | None, by_s: float) -> StepSeries | None: ...
def _moved(series: StepSeries | None, by_s: float) -> StepSeries | None:
    if series is None or not by_s:
        return series
    return replace(series, starts_s=tuple(start + by_s for start in series.starts_s))


def _epoch_s(source: PriceSource) -> float | None:
    return None if source.epoch is None else (datetime.fromisoformat(source.epoch) - _START).total_seconds()
