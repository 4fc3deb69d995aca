"""The clock of a service's instances: the slowest that carries their load within the promise, held to what is measured.

All instances of a role have one clock. Routing shares out requests evenly, so with clocks of their own the slower ones
would have more under way than the faster for the same load, and because the watts of an instance rise faster than its
clock, unequal clocks draw more for the same work. Beside a job an instance needs a higher one for its load: as high as
for a job of which nobody knows anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from goodwatt.policies.service_guests import carried_with_guests
from goodwatt.policies.service_memory import Seen
from goodwatt.policies.service_scaling import EATEN, Moment, strain, too_long
from goodwatt.policies.service_sizing import active
from goodwatt.policies.service_trust import believe, doubt, trust
from goodwatt.simulator.decisions import SetClock
from goodwatt.simulator.services.service import Role


def clock_changes(moment: Moment, role: Role, margin: float, spare: float, hold_s: float) -> Iterator[SetClock]:
    """What brings the instances of a role to their clock.

    `spare`: share of the load for which there is room beyond it; `hold_s`: how long a clock stays once it was needed.
    """
    model = moment.serving.model
    clock_mhz = _steady(moment, role, margin, spare, hold_s)
    place = model.index_of(clock_mhz)
    full = place == len(model.clocks_mhz) - 1
    for one in moment.instances:
        mark = f"{role} {one.job_id} {one.run.started_s}"
        if one.state == "idle" or one.role != role or moment.seen.marks.get(mark, model.top_mhz) == clock_mhz:
            continue
        _forget(moment.seen, f"{role} {one.job_id} ")
        moment.seen.marks[mark] = clock_mhz
        yield SetClock(one.job_id, None if full else clock_mhz, "the slowest clock that keeps the promise")


def _steady(moment: Moment, role: Role, margin: float, spare: float, hold_s: float) -> float:
    """The greatest clock that was wanted within `hold_s`."""
    return moment.seen.most_wanted(f"clock {role}", _wanted(moment, role, margin, spare), hold_s)


def _wanted(moment: Moment, role: Role, margin: float, spare: float) -> float:
    """The full clock as long as something is wrong or unknown."""
    top_mhz = moment.serving.model.top_mhz
    serving = sum(one.state == "serving" for one in active(moment.instances, role))
    carried = carried_with_guests(moment, role, margin, serving)
    if carried is None or not serving:
        return top_mhz
    rate = moment.seen.load * (1.0 + spare) / serving
    clock_mhz = carried.clock_for(rate / trust(moment.seen, role))
    waits = role != "decode" and too_long(moment, serving * carried.full_per_s)
    eaten = strain(moment.recent, moment.serving.service.promise, role)
    wrong = eaten > 1.0 - EATEN * margin or waits or moment.at_risk
    slow = moment.seen.last_wanted(f"clock {role}", top_mhz) < top_mhz
    _learn(moment.seen, role, slow=slow, wrong=wrong, well=eaten < 1.0 - margin)
    return top_mhz if wrong or clock_mhz is None else clock_mhz


def _learn(seen: Seen, role: Role, *, slow: bool, wrong: bool, well: bool) -> None:
    """Once for each time that it goes wrong, and only if clocks were slow: at the greatest no clock is to blame."""
    if wrong and slow and not seen.marks.get(f"wrong {role}"):
        doubt(seen, role)
    elif well and not wrong:
        believe(seen, role)
    seen.marks[f"wrong {role}"] = float(wrong)


def _forget(seen: Seen, begins: str) -> None:
    for mark in [mark for mark in seen.marks if mark.startswith(begins)]:
        del seen.marks[mark]
