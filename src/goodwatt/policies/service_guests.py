"""What instances carry, and their GPUs draw, with the jobs that are beside them now."""

from __future__ import annotations

from goodwatt.policies.service_beside import UNKNOWN, asked, pair_of
from goodwatt.policies.service_capacity import Capacity
from goodwatt.policies.service_scaling import Moment
from goodwatt.policies.service_sizing import active
from goodwatt.simulator.services.service import Role


def guests_percent(moment: Moment, role: Role) -> float:
    """Per cent of the SMs that a job beside an instance of a role may use, the most of them; 0 without any."""
    return max((moment.threads.get(one.job_id, 0.0) for one in active(moment.instances, role)), default=0.0)


def carried_with_guests(moment: Moment, role: Role, margin: float, serving: int) -> Capacity | None:
    """What an instance carries, beside a job if any has one: all have one clock or cap, so the slowest decides."""
    seen, percent = moment.seen, guests_percent(moment, role)
    alone = seen.capacity(moment.serving, role, margin, serving)
    if not percent or alone is None or seen.typical is None:
        return alone
    wants = asked(moment.serving, seen.typical, role, alone.full_per_s, alone.full_batch)
    beside = pair_of(moment.serving.model, wants, UNKNOWN, percent).beside
    return seen.capacity(moment.serving, role, margin, serving, beside)


def guests_w(moment: Moment, role: Role) -> float:
    """Watts of a GPU that a job beside an instance may draw: its share of the SMs, at most, of what the board draws."""
    model = moment.serving.model
    return guests_percent(moment, role) / 100.0 * (model.default_cap_w - model.context_w)
