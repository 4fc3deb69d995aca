"""How many requests come per second over time, as steps: a load without the requests themselves.

A profile may be relative: its source tells the shape of demand and not how much it is, and whoever uses it says the
mean or the peak. Reading one is for `reading`; requests at these rates are made by `request_source.ProfileSource`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from goodwatt.errors import BadRow, InputError
from goodwatt.traces.requests.request_trace import Floats
from goodwatt.traces.trace import Dropped

RAMP_STEP_S = 10.0
"""Steps in which a ramp is cut."""


@dataclass(frozen=True, slots=True, eq=False)
class RateProfile:
    """Steps of constant rate: `rate_per_s[i]` holds from `t_s[i]` to `t_s[i + 1]`, the last one to `end_s`.

    `t_s` begins at 0 and rises; rates are 0 or more and not all 0. `relative`: only the shape means anything, see
    `scaled`. `day_s` is the time of day at 0 s where the source tells it. Raises InputError where it is not so.
    """

    name: str
    t_s: Floats
    rate_per_s: Floats
    end_s: float
    relative: bool = False
    day_s: float | None = None
    format: str = "memory"
    path: Path | None = None
    sha256: str = ""
    dropped: tuple[Dropped, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    notes: tuple[str, ...] = ()
    _until: Floats = field(init=False, repr=False)
    """Requests expected before each step, and before the end."""

    def __post_init__(self) -> None:
        for column in ("t_s", "rate_per_s"):
            object.__setattr__(self, column, np.array(getattr(self, column), np.float64))
        self._check()
        masses = self.rate_per_s * np.diff(self.t_s, append=self.end_s)
        if not masses.any():
            raise self._wrong("at least one rate above 0", "only 0")
        object.__setattr__(self, "_until", np.concatenate([[0.0], np.cumsum(masses)]))
        for values in (self.t_s, self.rate_per_s, self._until):
            values.setflags(write=False)

    @property
    def mean_per_s(self) -> float:
        """Requests per second over the whole profile."""
        return float(self._until[-1]) / self.end_s

    @property
    def peak_per_s(self) -> float:
        """The highest rate of any step."""
        return float(self.rate_per_s.max())

    def scaled(self, *, mean_per_s: float | None = None, peak_per_s: float | None = None) -> RateProfile:
        """The same shape with this mean or this peak, one of the two; raises InputError."""
        if (mean_per_s is None) == (peak_per_s is None):
            raise InputError("expected either a mean or a peak rate (requests per second) for a profile")
        wanted = peak_per_s if mean_per_s is None else mean_per_s
        if wanted is None or not 0.0 < wanted < math.inf:
            raise InputError(f"expected a rate above 0 requests per second, got {wanted}")
        factor = wanted / (self.peak_per_s if mean_per_s is None else self.mean_per_s)
        return replace(self, rate_per_s=self.rate_per_s * factor, relative=False)

    def expected_before(self, times_s: Floats, *, repeat: bool = False) -> Floats:
        """Requests expected from 0 s to each of `times_s` (0 or more); beyond the end none, or the profile again."""
        if not repeat:
            return np.interp(times_s, np.append(self.t_s, self.end_s), self._until)
        rounds, rest = np.divmod(times_s, self.end_s)
        before: Floats = rounds * self._until[-1] + np.interp(rest, np.append(self.t_s, self.end_s), self._until)
        return before

    def _check(self) -> None:
        t_s, rates = self.t_s, self.rate_per_s
        if t_s.ndim != 1 or not len(t_s) or t_s.shape != rates.shape:
            raise self._wrong("as many times as rates, at least one", f"shapes {t_s.shape} and {rates.shape}")
        if t_s[0] != 0.0:
            raise self._wrong("a first step at 0 s", f"{t_s[0]:g} s")
        if not (np.isfinite(t_s).all() and (np.diff(t_s) > 0.0).all() and t_s[-1] < self.end_s < math.inf):
            raise self._wrong("times that rise from step to step and end", f"{_brief(np.append(t_s, self.end_s))}")
        wrong = ~np.isfinite(rates) | (rates < 0.0)
        if wrong.any():
            place = int(wrong.argmax())
            raise self._wrong("rates of 0 or more", f"{rates[place]:g} at {t_s[place]:g} s")

    def _wrong(self, expected: str, got: str) -> InputError:
        return InputError(f"rate profile {self.name!r}: expected {expected}, got {got}")


def constant(rate_per_s: float, span_s: float = 86400.0, name: str = "constant") -> RateProfile:
    """The same rate for `span_s` seconds."""
    return RateProfile(name, np.zeros(1), np.array([rate_per_s]), span_s)


def ramps(name: str, points: Sequence[tuple[float, float]], step_s: float = RAMP_STEP_S) -> RateProfile:
    """Rates that go evenly from one of `points`, (second, requests per second), to the next; the last is the end.

    The first stands at 0 s, seconds rise. Steps are at most `step_s` long and hold the mean rate of their time, so that
    as many requests are expected as under the ramps. Raises InputError.
    """
    t_s, rates = np.array(points, np.float64).reshape(-1, 2).T
    if len(t_s) < 2 or t_s[0] != 0.0 or not (np.diff(t_s) > 0.0).all():
        wanted = "at least two points, the first at 0 s, whose seconds rise"
        raise InputError(f"rates {name!r}: expected {wanted}, got {_brief(t_s) or 'none'}")
    begins = np.union1d(np.arange(0.0, t_s[-1], step_s), t_s[:-1])
    middles = (begins + np.append(begins[1:], t_s[-1])) / 2.0
    return RateProfile(name, begins, np.interp(middles, t_s, rates), float(t_s[-1]))


def _brief(values: Any) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:5])
    return shown + (", ..." if len(values) > 5 else "")
