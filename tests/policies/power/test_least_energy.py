"""Clocks that spend slack: all of `stretch` without a deadline, what the deadline leaves with one."""

from __future__ import annotations

import pytest

from goodwatt.errors import InputError
from goodwatt.policies.power_registry import make_power
from goodwatt.simulator.decisions import SetClock
from tests.policies.power.powered_runs import CLOCKS, decisions_of, powered
from tests.scenario import job

SLOW = "resnet50_imagenet"


def clocks(power: str, deadline_s: float | None = None) -> list[float | None]:
    """What was set for a job of an hour, whose user's jobs have taken an hour before."""
    earlier = job("before", user="ann", name="train", workload=SLOW, duration_s=3600.0)
    wanted = job(
        "now", user="ann", name="train", workload=SLOW, duration_s=3600.0, submit_s=10_000.0, deadline_s=deadline_s
    )
    sim = powered([earlier, wanted], power)
    made = decisions_of(sim)
    return [d.clock_mhz for t, d in made if isinstance(d, SetClock) and d.job_id == "now"] or [
        getattr(d, "clock_mhz", None) for t, d in made if getattr(d, "job_id", "") == "now"
    ]


def test_more_stretch_lower_clocks() -> None:
    little, much = (min(c or CLOCKS[-1] for c in clocks(f"least-energy:stretch={s}")) for s in (1.05, 1.5))
    assert much < little < CLOCKS[-1]


def test_a_tight_deadline_leaves_the_board_alone() -> None:
    assert set(clocks("least-energy:stretch=1.5", deadline_s=10_000.0 + 3600.0)) == {None}


def test_a_wide_deadline_is_spent() -> None:
    assert min(c or CLOCKS[-1] for c in clocks("least-energy:stretch=1", deadline_s=30_000.0)) < CLOCKS[-1]


def test_a_job_with_a_deadline_is_in_time() -> None:
    earlier = job("before", user="ann", name="train", workload=SLOW, duration_s=3600.0)
    wanted = job(
        "now", user="ann", name="train", workload=SLOW, duration_s=3600.0, submit_s=10_000.0, deadline_s=14_500
    )
    sim = powered([earlier, wanted], "least-energy")
    sim.run()
    assert sim.recorder.totals.ended == 2
    assert sim.now_s <= 14_500


@pytest.mark.parametrize("spec", ["stretch=0.9", "margin=1", "review_s=0"])
def test_settings_that_make_no_sense(spec: str) -> None:
    with pytest.raises(InputError, match="expected stretch"):
        make_power(f"least-energy:{spec}")
