"""Kinds of circuit breakers: how much they hold and how fast they trip. The model they enter is
`power.facility.breaker`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goodwatt.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class TripCurve:
    """When a kind of breaker trips.

    `hold`: multiple of the rating that it carries for ever as far as heat goes; `tau_s`: time constant of its thermal
    element; `instant`: multiple of the rating at which its magnetic release opens without delay.
    """

    name: str
    hold: float
    tau_s: float
    instant: float
    source: str


TRIP_CURVES: Mapping[str, TripCurve] = {
    curve.name: curve
    for curve in (
        TripCurve(
            "early",
            1.0,
            200.0,
            5.0,
            "assumed, to err early: at 80% load before, it carries 40% over its rating for a minute, about what Wu et "
            "al. (Dynamo, ISCA 2016) give for rack breakers, and 100% over for 23 s",
        ),
        TripCurve(
            "ul489",
            1.0,
            1251.0,
            10.0,
            "UL 489, the latest that a breaker of 51-100 A may trip: 200% within 6 min, cold; then 135% within 17 min "
            "(limit 2 h), 100% held",
        ),
        TripCurve(
            "iec60898",
            1.13,
            274.0,
            10.0,
            "IEC 60898-1, type C to 32 A, the latest it may trip: 255% within 60 s, cold; 145% then within 5 min "
            "(limit 1 h), 113% held",
        ),
    )
}
"""`early` is what a plan should stand; the two others are the last moment that the standards allow."""

DEFAULT_CURVE = "early"


def trip_curve(name: str) -> TripCurve:
    """The curve of that name. Raises UnknownNameError with the nearest."""
    if name not in TRIP_CURVES:
        raise UnknownNameError("trip curve", name, TRIP_CURVES)
    return TRIP_CURVES[name]
