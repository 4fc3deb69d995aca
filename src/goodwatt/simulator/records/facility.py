"""The meter of the whole site: IT power with cooling and losses on top, what it costs, and the CO2 of it.

Prices, carbon intensity and outside temperature change over time; power is constant between events, so the integrals
are exact without an event for each change.
"""

from __future__ import annotations

from collections.abc import Iterator

from goodwatt.cluster.host_power import HostPower
from goodwatt.power.facility.cooling import MILD_C, facility_w
from goodwatt.power.facility.energy_price import J_PER_KWH, EnergyPrice, StepSeries
from goodwatt.simulator.records.recorder import Totals

NO_PRICE = EnergyPrice()

Stretch = tuple[float, float, float]
"""(from_s, to_s, watts): power that is constant for a while."""


class FacilityMeter:
    """Facts only: it adds to the totals that it is given, so forks share it.

    `outside_c`: outside temperature, which only sites with `cooling` notice.
    """

    def __init__(self, power: HostPower, price: EnergyPrice | None, outside_c: StepSeries | None) -> None:
        self._power, self._price = power, price or NO_PRICE
        self._outside_c = outside_c

    def add(self, totals: Totals, it_w: float, from_s: float, to_s: float) -> None:
        """`it_w` was drawn from one time to another."""
        if self._power.cooling is None:
            self._bill(totals, (from_s, to_s, it_w * self._power.pue))
            return
        for stretch in self._stretches(it_w, from_s, to_s):
            self._bill(totals, stretch)

    def watts(self, it_w: float, time_s: float) -> float:
        """What the site draws while its IT draws `it_w`, at the temperature of the time."""
        outside_c = MILD_C if self._outside_c is None else self._outside_c.value_at(time_s)
        return facility_w(it_w, self._power, outside_c)

    def _bill(self, totals: Totals, stretch: Stretch) -> None:
        start, end, watts = stretch
        totals.facility_j += watts * (end - start)
        price = self._price
        if price.per_kwh is not None:
            totals.cost += watts * price.per_kwh.integral(start, end) / J_PER_KWH
        if price.gco2_per_kwh is not None:
            totals.co2_g += watts * price.gco2_per_kwh.integral(start, end) / J_PER_KWH

    def _stretches(self, it_w: float, from_s: float, to_s: float) -> Iterator[Stretch]:
        """The site's power in stretches in which the temperature is constant."""
        if self._outside_c is not None:
            while (change_s := self._outside_c.next_change_s(from_s)) < to_s:
                yield from_s, change_s, self.watts(it_w, from_s)
                from_s = change_s
        yield from_s, to_s, self.watts(it_w, from_s)
