"""No job is taken away from its work before it has run for a while."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import Decision, Migrate, Place, Preempt, Resize
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import busy_trace
from tests.scenario import EVERY_EVENT, Nodes, Scripted, cluster, job, simulate
from tests.simulator.acting.guardrails_runs import guarded, reasons, until

ON = cluster(Nodes(2, 4))
ELASTIC = job("a", 2, duration_s=1_000.0, min_gpus=1, max_gpus=4)
STEPS: list[Decision] = [Preempt("a"), Migrate("a", ((1, 2),)), Resize("a", ((0, 1),)), Resize("a", ((0, 4),))]


def run(step: Decision, time_s: float) -> Simulation:
    script: dict[float, Sequence[Decision]] = {0.0: [Place("a", ((0, 2),))], time_s: [step], time_s + 1.0: []}
    return simulate([ELASTIC], ON, Scripted(script), options=guarded(min_run_s=60.0))


@pytest.mark.parametrize("step", STEPS)
def test_not_before_and_then(step: Decision) -> None:
    assert [len(reasons(until(run(step, time_s), time_s + 0.5))) for time_s in (5.0, 59.0, 60.0, 61.0)] == [1, 1, 0, 0]


def test_it_counts_from_the_last_time() -> None:
    """A gang that is resized every few seconds would never do anything but pause."""
    sizes = {float(time_s): [Resize("a", ((0, 1 + time_s // 10 % 2),))] for time_s in range(10, 200, 10)}
    script: dict[float, Sequence[Decision]] = {0.0: [Place("a", ((0, 2),))], **sizes}
    sim = until(simulate([ELASTIC], ON, Scripted(script), options=guarded(min_run_s=60.0)), 199.0)
    refused = [refusal.time_s for refusal in sim.executor.refusals]
    done = [time_s for time_s in sizes if time_s not in refused]
    assert done == [60.0, 120.0, 180.0]


@pytest.mark.parametrize("policy", ["las", "srtf", "tiresias:threshold_gpu_s=200"])
def test_orders_that_stop_jobs_wait_for_it(policy: str) -> None:
    stops = []
    for min_run_s in (0.0, 100.0):
        sim = Simulation(busy_trace(7), ON, make_policy(policy), EVERY_EVENT, guarded(min_run_s=min_run_s))
        sim.run()
        assert reasons(sim) == []
        outcome = result(sim)
        stops.append(outcome.summary["preemptions"])
        for stay in outcome.occupancy:
            assert stay.ended == "finished" or stay.end_s - stay.start_s >= min_run_s
    assert stops[0] > stops[1]


def test_who_waits_is_served_the_moment_that_it_may_be() -> None:
    """Nothing else happens then that anybody would be asked about."""
    jobs = [job("long", 8, 0.0, 10_000.0), job("short", 8, 10.0, 5.0)]
    sim = Simulation(jobs, ON, make_policy("srtf"), EVERY_EVENT, guarded(min_run_s=300.0))
    sim.run()
    assert result(sim).jobs.start_s[1] == 300.0


def test_a_time_below_nothing_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="expected min_run_s of at least 0, got -1"):
        Guardrails(min_run_s=-1.0)
