"""From IT power to facility power: a number, or a line in IT load and outside temperature.

    facility = IT * (1 + proportional + hot) + fixed * design IT
    hot      = min(most, per_degree * max(0, outside - free cooling limit))

The fixed part makes PUE worse at part load, which a number hides. Facts and defaults are in `cluster.host_power`:
1.07 at full load in free cooling, as measured at Prineville (Open Compute Project, 2011: 1.06 to 1.10 over half a
year); the rest, what a chiller adds per degree, is assumed. Temperature is a `StepSeries`, see `energy_price_file`.
"""

from __future__ import annotations

from goodwatt.cluster.host_power import Cooling, HostPower

MILD_C = 15.0
"""The outside temperature where nobody gives one."""


def facility_w(it_w: float, power: HostPower, outside_c: float = MILD_C) -> float:
    """What the whole site draws while its IT draws `it_w`."""
    if power.cooling is None:
        return it_w * power.pue
    return it_w * (1.0 + power.cooling.proportional + hot_share(power.cooling, outside_c)) + fixed_w(power.cooling)


def pue(it_w: float, power: HostPower, outside_c: float = MILD_C) -> float:
    """Facility power over IT power; for less than a hundredth of the design, where it grows without end, that of it."""
    if power.cooling is None:
        return power.pue
    load = max(it_w, power.cooling.design_it_w / 100.0)
    return facility_w(load, power, outside_c) / load


def hot_share(cooling: Cooling, outside_c: float) -> float:
    """What compressors add at this temperature, as a share of the IT load."""
    return min(cooling.most, cooling.per_degree * max(0.0, outside_c - cooling.free_below_c))


def fixed_w(cooling: Cooling) -> float:
    """What is drawn whatever the load."""
    return cooling.fixed * cooling.design_it_w
