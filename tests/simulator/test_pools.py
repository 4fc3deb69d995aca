"""A pool's running jobs by size are those of `running`, in the same order, whatever happens."""

from __future__ import annotations

import pytest

from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import Place, Resize
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import Pool
from tests.made_runs import ROUGH, busy_trace
from tests.scenario import EVERY_EVENT, Nodes, Scripted, cluster, job


def sizes_agree(pool: Pool) -> bool:
    sizes = {run.spec.num_gpus for run in pool.running.values()}
    return all(
        list(pool.running_on(size).values()) == [run for run in pool.running.values() if run.spec.num_gpus == size]
        for size in {*sizes, 1, 99}
    )


@pytest.mark.parametrize("policy", ["fifo", "tiresias:threshold_gpu_s=300"])
def test_jobs_come_stop_and_go(policy: str) -> None:
    on = cluster(Nodes(2, cpu_milli=64_000, domain=4), Nodes(1, gpus=4, kind="large"))
    sim = Simulation(busy_trace(3, count=40), on, make_policy(policy), ROUGH)
    seen = 0
    while (view := sim.advance()) is not None:
        assert all(sizes_agree(pool) for pool in (*view.pools, *sim.fork().view.pools))
        seen += sum(len(pool.running) for pool in view.pools)
        sim.apply(sim.policy.decide(view))
    assert seen > 50
    assert not any(pool.running or pool.running_on(1) for pool in sim.view.pools)


def test_a_resized_job_keeps_its_place() -> None:
    jobs = [job("a", 8, 0.0, 500.0, min_gpus=2), job("b", 4, 1.0, 500.0)]
    shrink = Resize("a", ((0, 4),))
    script = Scripted({0: [Place("a", ((0, 8),))], 1: [shrink, Place("b", ((0, 4),))]})
    sim = Simulation(jobs, cluster(Nodes(1)), script, EVERY_EVENT)
    (pool,) = sim.view.pools
    while (view := sim.advance()) is not None:
        pool.running_on(8)
        sim.apply(sim.policy.decide(view))
        assert sizes_agree(pool)
        if len(pool.running) == 2:
            assert list(pool.running_on(4)) == ["a", "b"]
