"""What watts buy an instance of a service: the load that it carries within its promise, cap by cap.

`Capacity` says what each clock carries and under which cap boards hold it. So an instance has a cap that it needs for
the load that comes and that is foretold: a watt below it is worth very much, for a late token is no work; one above it
next to nothing. Who divides a budget by such curves is `power.budget`; what is kept from control to control is in
`service_needs`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from goodwatt.policies.job_budget import STEP_W, Ask
from goodwatt.policies.service_capacity import Capacity
from goodwatt.policies.service_forecast import forecast
from goodwatt.policies.service_guests import carried_with_guests, guests_w
from goodwatt.policies.service_memory import MINUTE_S, Seen
from goodwatt.policies.service_scaling import EATEN, Moment, strain, too_long
from goodwatt.policies.service_sizing import active
from goodwatt.policies.service_trust import believe, doubt, trust
from goodwatt.power.budgets.goodput_curve import GoodputCurve, goodput_curve
from goodwatt.simulator.services.service import Role

MARGIN = 0.25
"""Latencies stay this share below what is promised."""
MORE = 0.2
"""Load beyond what is expected for which there are watts as long as no job is stopped for them."""
AHEAD_S = 60.0
"""Load is foretold for so much later."""
SURE = 2.0
"""Standard deviations by which requests of one control have to be more than expected to count at once."""
WORTH, WANTED_WORTH, SPARE_WORTH = 100.0, 10.0, 1e-3
"""What a GPU's whole load is worth, what being at the rated power is while something goes wrong, and what it is else:
in GPUs of jobs at full speed. Assumed; what counts is that the first two are more than any job makes of a watt."""
POINTS = 12
"""Clocks at which capacity is looked at."""


class Need(NamedTuple):
    """Of each GPU of an instance: `firm_w` carries the load within the promise once all that start are there, jobs are
    stopped for it; `wanted_w` a little more, more until they are there, all while something is wrong or unknown; jobs
    come down to their floors for it. `points`: (cap in watts, load that it carries over that of the greatest clock).
    """

    firm_w: float
    wanted_w: float
    points: tuple[tuple[float, float], ...] = ()


def need_of(moment: Moment, role: Role, least_w: float, rated_w: float, hold_s: float) -> Need:
    """Watts that the instances of a role need now, or needed within `hold_s`, jobs beside them included."""
    here = active(moment.instances, role)
    serving = max(1, sum(one.state == "serving" for one in here))
    carried, guests = carried_with_guests(moment, role, MARGIN, serving), guests_w(moment, role)
    if carried is None:
        used = moment.queued or any(one.outstanding for one in here) or moment.seen.rate(MINUTE_S) > 0.0
        return Need(least_w, rated_w if used else least_w)
    expected = moment.seen.most_wanted(f"power {role}", _expected(moment.seen), hold_s)
    rate = expected / trust(moment.seen, _mark(role)) / max(serving, len(here))
    firm_w = min(max(_cap_for(carried, rate, rated_w) + guests, least_w), rated_w)
    now = (1.0 + MORE) * rate * max(1.0, len(here) / serving)
    now_w = min(max(_cap_for(carried, now, rated_w) + guests, firm_w), rated_w)
    eaten = strain(moment.recent, moment.serving.service.promise, role)
    waits = role != "decode" and too_long(moment, serving * carried.full_per_s)
    wrong = moment.at_risk or waits or eaten > 1.0 - EATEN * MARGIN
    _learn(moment, role, wrong=wrong, well=eaten < 1.0 - MARGIN, firm_w=firm_w, rated_w=rated_w)
    return Need(firm_w, rated_w if wrong else now_w, tuple(_points(carried, rate, guests)))


def ask_of_need(need: Need, least_w: float, rated_w: float, *, firm: bool) -> Ask:
    """What one GPU asks for in a division; `firm`: less than it needs is of no use, else what it makes of less."""
    return _ask(need, least_w, rated_w, firm)


@lru_cache(maxsize=1024)
def _ask(need: Need, least_w: float, rated_w: float, firm: bool) -> Ask:
    floor_w = need.firm_w if firm else least_w
    full = max((load for _, load in need.points), default=0.0)
    corners = [(floor_w, _load_at(need, floor_w)), (need.firm_w, full)]
    corners += [(cap_w, load) for cap_w, load in need.points if floor_w < cap_w < need.firm_w]
    points = [(cap_w, WORTH * load) for cap_w, load in corners]
    points.append((need.wanted_w, WORTH * full + WANTED_WORTH * (need.wanted_w - need.firm_w) / rated_w))
    curve = goodput_curve(points)
    if curve.watts[-1] < rated_w:
        more = SPARE_WORTH * (rated_w - curve.watts[-1]) / rated_w
        curve = GoodputCurve((*curve.watts, rated_w), (*curve.goodput, curve.goodput[-1] + more))
    return Ask(floor_w, need.wanted_w, rated_w, curve)


def _load_at(need: Need, cap_w: float) -> float:
    """What a cap carries, of what comes."""
    return max((load for at_w, load in need.points if at_w <= cap_w), default=0.0)


def _expected(seen: Seen) -> float:
    """Requests a second that there are to be watts for."""
    return max(seen.load, _sure(seen), forecast(seen, AHEAD_S))


def _sure(seen: Seen) -> float:
    """Of the requests a second since the last control, those that are no chance."""
    if len(seen.rates) < 2:
        return 0.0
    (before_s, _), (now_s, rate) = seen.rates[-2], seen.rates[-1]
    arrived, span_s = rate * (now_s - before_s), now_s - before_s
    return max(0.0, arrived - SURE * math.sqrt(arrived)) / span_s


def _cap_for(carried: Capacity, rate_per_s: float, rated_w: float) -> float:
    """The least cap with which an instance carries a load, in whole steps; the rated power where none does."""
    place = int(carried.rate_per_s.searchsorted(rate_per_s))
    if not carried.rate_per_s[min(place, len(carried.rate_per_s) - 1)]:  # a lone request needs a clock too
        place = int(carried.rate_per_s.searchsorted(0.0, side="right"))
    if place >= len(carried.cap_w):
        return rated_w
    return math.ceil(float(carried.cap_w[place]) / STEP_W) * STEP_W


def _points(carried: Capacity, rate_per_s: float, guests: float) -> Iterator[tuple[float, float]]:
    """(cap, load carried over the greatest), of the load that comes; `guests`: watts that jobs beside it may draw."""
    last, full = len(carried.cap_w) - 1, carried.full_per_s
    for place in sorted({round(last * i / (POINTS - 1)) for i in range(POINTS)}):
        load = float(min(carried.rate_per_s[place], rate_per_s))
        if load > 0.0 and full > 0.0:
            yield float(carried.cap_w[place]) + guests, min(1.0, load / full)


def _learn(moment: Moment, role: Role, *, wrong: bool, well: bool, firm_w: float, rated_w: float) -> None:
    """Only where boards have what they were said to need, but not all; once for each time that it goes wrong."""
    mark, seen = _mark(role), moment.seen
    caps = [rated_w if one.run.cap_w is None else one.run.cap_w for one in active(moment.instances, role)]
    had = bool(caps) and firm_w <= min(caps) < rated_w
    if wrong and had and not seen.marks.get(f"wrong {mark}"):
        doubt(seen, mark)
    elif well and had and not wrong:
        believe(seen, mark)
    seen.marks[f"wrong {mark}"] = float(wrong)


def _mark(role: Role) -> str:
    return f"watts {role}"
