"""Jobs that can wait run in cheap hours, are in time, and are in nobody's way meanwhile."""

from __future__ import annotations

import pytest

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.errors import InputError
from goodwatt.policies.power_registry import make_power
from goodwatt.power.facility.energy_price import EnergyPrice, StepSeries
from goodwatt.simulator.run import result
from tests.policies.power.powered_runs import V100, powered
from tests.scenario import Nodes, cluster, job

NIGHT = EnergyPrice(
    per_kwh=StepSeries((0.0, 20_000.0, 50_000.0), (0.30, 0.10, 0.30)),
    gco2_per_kwh=StepSeries((0.0, 40_000.0, 60_000.0), (400.0, 100.0, 400.0)),
)
SMALL = cluster(Nodes(1, gpus=1, kind="V100"))


def starts(
    jobs: list[Job], power: str, price: EnergyPrice | None = NIGHT, on: Cluster = V100, policy: str = "fifo"
) -> dict[str, float | None]:
    """When each job started."""
    sim = powered(jobs, power, on, policy, price=price)
    sim.run()
    assert sim.executor.refusals == []
    columns = result(sim).jobs
    return dict(zip(columns.job_id, columns.start_s, strict=True))


@pytest.mark.parametrize(
    ("power", "deadline_s", "start_s"),
    [
        ("shift", None, 0.0),  # nobody said that it can wait
        ("shift:max_delay_s=90000", None, 20_000.0),
        ("shift:max_delay_s=10000", None, 0.0),  # the night is too far
        ("shift", 90_000.0, 20_000.0),
        ("shift", 10_000.0, 0.0),
        ("shift:by=carbon", 90_000.0, 40_000.0),
        ("shift:max_delay_s=90000,saving=0.9", None, 0.0),  # not cheap enough
    ],
)
def test_when_a_job_starts(power: str, deadline_s: float | None, start_s: float) -> None:
    assert starts([job(duration_s=3600.0, deadline_s=deadline_s)], power)["a"] == start_s


def test_without_a_price_nothing_waits() -> None:
    assert starts([job(deadline_s=90_000.0)], "shift:max_delay_s=90000", price=None)["a"] == 0.0


@pytest.mark.parametrize("policy", ["fifo", "easy-backfill", "tiresias", "conservative-backfill"])
def test_a_job_that_waits_for_the_night_blocks_nobody(policy: str) -> None:
    jobs = [job("waits", deadline_s=90_000.0), job("urgent", submit_s=1.0)]
    found = starts(jobs, "shift", on=SMALL, policy=policy)
    assert found == {"waits": 20_000.0, "urgent": 1.0}


def test_the_record_says_for_what_a_job_waited() -> None:
    sim = powered([job(deadline_s=90_000.0), job("b")], "shift", price=NIGHT)
    sim.run()
    assert result(sim).jobs.waited_for == ["cheaper energy from 20,000 s on", ""]


@pytest.mark.parametrize("spec", ["max_delay_s=-1", "margin=0.5", "saving=1"])
def test_settings_that_make_no_sense(spec: str) -> None:
    with pytest.raises(InputError, match="expected max_delay_s"):
        make_power(f"shift:{spec}")
