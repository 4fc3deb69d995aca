"""The rhythm of day and week: how the rate of requests rises and falls with the hour.

The logarithm of the rate is a cosine of the hour, so that peak over trough is exactly what was asked for, and the days
of the weekend have a part of the rate. Faster changes are for `bursts`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from goodwatt.errors import InputError
from goodwatt.traces.requests.rate_profile import RateProfile

DAY_S, HOUR_S = 86400.0, 3600.0
STEP_S = 300.0
MOST_DAYS = 3660.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """`peak_to_trough` is the rate at `peak_hour` (0 to 24) over that twelve hours later; 1 is no rhythm of day.

    `weekend` is the rate on Saturday and Sunday over that of other days. Raises InputError.
    """

    peak_to_trough: float = 1.0
    peak_hour: float = 14.0
    weekend: float = 1.0

    def __post_init__(self) -> None:
        if not 1.0 <= self.peak_to_trough < math.inf:
            raise InputError(f"expected a peak of at least the trough (1 or more), got {self.peak_to_trough:g}")
        if not 0.0 <= self.peak_hour <= 24.0:
            raise InputError(f"expected an hour of the day, 0 to 24, got {self.peak_hour:g}")
        if not 0.0 < self.weekend < math.inf:
            raise InputError(f"expected a weekend of more than 0 times the week's rate, got {self.weekend:g}")

    def profile(self, name: str, days: float, mean_per_s: float) -> RateProfile:
        """The rates of so many days from a Monday's midnight on, in steps of five minutes, with this mean."""
        if not 0.0 < days <= MOST_DAYS:
            raise InputError(f"expected a number of days above 0 and up to {MOST_DAYS:g}, got {days:g}")
        end_s = days * DAY_S
        t_s = np.arange(0.0, end_s, STEP_S)
        hour = (t_s + STEP_S / 2) / HOUR_S
        swing = math.log(self.peak_to_trough) / 2.0
        rates = np.exp(swing * np.cos(2.0 * np.pi * (hour - self.peak_hour) / 24.0))
        rates[hour % 168.0 >= 120.0] *= self.weekend
        return RateProfile(name, t_s, rates, end_s, relative=True, day_s=0.0).scaled(mean_per_s=mean_per_s)
