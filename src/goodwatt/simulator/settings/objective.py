"""What a site wants of its cluster: the goal, the limits around it, and what energy costs there.

Files of users are read by `objective_file`; a run takes from here the options that the command line leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from goodwatt.power.facility.energy_price import EnergyPrice, StepSeries
from goodwatt.simulator.settings.guardrails import NO_GUARDRAILS, Guardrails

Goal = Literal["goodput_per_watt", "goodput", "energy", "cost", "carbon"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFloor:
    """Matched service against a reference: at most so many times its figures, else a gain elsewhere does not count.

    `unfinished`: unfinished jobs may be so many more than the reference's, as a share of all.
    """

    mean_jct: float = 1.05
    p95_jct: float = 1.10
    stretch: float = 1.10
    p99_queueing: float = 1.10
    unfinished: float = 0.005


FLOOR = ServiceFloor()
STRICT = ServiceFloor(mean_jct=1.02, p95_jct=1.02, stretch=1.02, p99_queueing=1.02)
RELAXED = ServiceFloor(mean_jct=1.25, p95_jct=1.25, stretch=1.25, p99_queueing=1.25)


@dataclass(frozen=True, slots=True)
class SitePrices:
    """What energy costs and how warm it is outside, over the seconds of the trace; None: nobody says.

    `epoch_s`: seconds after 1970 of the trace's second 0, where it is known.
    """

    price: EnergyPrice | None = None
    outside_c: StepSeries | None = None
    epoch_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """`policy` and `power` are specifications; None: left to the command line."""

    goal: Goal = "goodput_per_watt"
    power_budget_w: float | None = None
    guardrails: Guardrails = NO_GUARDRAILS
    floor: ServiceFloor = FLOOR
    policy: str | None = None
    power: str | None = None
    prices: PriceSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSource:
    """Where prices come from: numbers that always hold, or files (`energy_price_file` says which columns).

    `price` is money per kWh, `carbon` grams of CO2 per kWh. Times of files without a zone are of `time_zone`. `epoch`
    is the time, ISO with a zone, of the trace's second 0; without it a file begins when the run does. `repeats_h`: a
    file is a typical stretch of so many hours, repeated for ever.
    """

    price: float | str | None = None
    carbon: float | str | None = None
    currency: str = ""
    time_zone: str | None = None
    epoch: str | None = None
    repeats_h: float | None = None


NO_OBJECTIVE = Objective()
