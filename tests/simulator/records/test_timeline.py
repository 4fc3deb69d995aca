"""What is recorded over time, what counts, and what a run refuses."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from goodwatt.errors import InputError, RunError
from goodwatt.policies.composite import Composite
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import Decision, Place, Preempt
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import MOST_ROUNDS, Simulation
from goodwatt.simulator.view import View
from tests.scenario import (
    Nodes,
    cluster,
    engine,
    finished,
    job,
    simulate,
    table,
)

ONE_NODE = cluster(Nodes(1))
TWO_NODES = cluster(Nodes(2))


STEPS = table("job submit gpus time\n a 0 8 10\n b 3 4 10\n c 4 4 10\n d 30 1 10").jobs


def test_the_timeline_has_a_row_for_every_change() -> None:
    timeline = finished(simulate(STEPS, ONE_NODE)).timeline
    rows = list(zip(timeline.t_s, timeline.queued, timeline.running, timeline.busy_gpus, strict=True))
    assert rows == [
        (0, 0, 1, 8),
        (3, 1, 1, 8),
        (4, 2, 1, 8),
        (10, 0, 2, 8),
        (20, 0, 0, 0),
        (30, 0, 1, 1),
        (40, 0, 0, 0),
    ]


def test_many_arrivals_are_no_policy_that_undoes_itself() -> None:
    """More than `MOST_ROUNDS` decisions, each at a moment of its own."""
    jobs = [job(str(i), submit_s=i, duration_s=1e6) for i in range(MOST_ROUNDS + 10)]
    wide = cluster(Nodes(MOST_ROUNDS // 8 + 10))
    simulation = Simulation(jobs, wide, make_policy("fifo"), options=RunOptions(horizon_s=len(jobs)))
    simulation.run()
    assert len(simulation.state.placements) == len(jobs)


def test_a_policy_that_undoes_itself_is_stopped() -> None:
    fifo = make_policy("fifo")

    class Undoing(Composite):
        def decide(self, view: View) -> Sequence[Decision]:
            running = [run.spec.job_id for pool in view.pools for run in pool.running.values()]
            again = [step for job_id in running for step in (Preempt(job_id), Place(job_id, ((0, 1),)))]
            return again or fifo.decide(view)

    assert isinstance(fifo, Composite)
    undoing = Undoing("undoing", fifo.order, fifo.placement)
    with pytest.raises(RunError, match="undoes itself"):
        Simulation([job("a"), job("b", gpus=8, submit_s=1)], ONE_NODE, undoing).run()


def test_the_peak_is_that_of_what_is_counted() -> None:
    jobs = [job("warm", gpus=8, duration_s=50), job("counted", submit_s=100, duration_s=50)]
    summary = finished(simulate(jobs, ONE_NODE, settings=engine(warm_up_s=80))).summary
    assert summary["peak_power_w"] < finished(simulate(jobs, ONE_NODE)).summary["peak_power_w"]


def test_a_job_id_stands_for_one_job() -> None:
    with pytest.raises(InputError, match="'a' twice"):
        simulate([job("a"), job("b"), job("a", submit_s=5)], ONE_NODE)


@pytest.mark.parametrize("submit_s", [4.0, float("nan")])
def test_jobs_come_by_submission(submit_s: float) -> None:
    with pytest.raises(InputError, match="expected jobs by submit_s, got job 'b'"):
        simulate([job("a", submit_s=5), job("b", submit_s=submit_s)], ONE_NODE)
