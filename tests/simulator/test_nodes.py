"""Nodes that are away for one reason or several, GPUs that are lost, and what the meter is told."""

from __future__ import annotations

from goodwatt.simulator import nodes
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.contract import ASLEEP, FALLING, WAKING
from goodwatt.simulator.simulation import Simulation
from tests.scenario import Nodes, Scripted, cluster, job, simulate, until
from tests.simulator.physics.full_physics_runs import FULL, NET
from tests.state_content import content

ON = cluster(Nodes(2, 4, "V100", partition="east"), Nodes(1, 2, "V100", partition="west"))


def empty() -> Simulation:
    return simulate([], ON, options=FULL)


def test_a_node_is_back_when_the_last_reason_is_gone() -> None:
    sim = empty()
    before = content(sim.state)
    nodes.hold(sim, 0)
    nodes.hold(sim, 0)
    assert (sim.state.up, sim.away) == (0b110, {0: 2})
    nodes.free(sim, 0)
    assert (sim.state.up, sim.away) == (0b110, {0: 1})
    nodes.free(sim, 0)
    assert sim.away == {}
    assert content(sim.state) == before


def test_pools_shrink_and_grow_with_their_nodes() -> None:
    sim = empty()
    nodes.hold(sim, 0)
    assert {pool.partition: pool.gpus for pool in sim.view.pools} == {"east": 4, "west": 2, None: 6}
    assert all(pool.changed for pool in sim.view.pools)
    nodes.free(sim, 0)
    assert {pool.partition: pool.gpus for pool in sim.view.pools} == {"east": 8, "west": 2, None: 10}


def test_a_node_that_is_away_draws_nothing() -> None:
    sim = empty()
    nodes.hold(sim, 0)
    assert sim.physics.power().gpu_w == 6 * 26.0
    nodes.free(sim, 0)
    assert sim.physics.power().gpu_w == 10 * 26.0


def test_what_the_meter_is_told() -> None:
    sim = empty()
    assert nodes.mode(sim, 0) == "on"
    for stage in (FALLING, ASLEEP, WAKING):
        sim.asleep[0], sim.away[0] = stage, 1
        assert nodes.mode(sim, 0) == stage
        sim.away[0] = 2
        assert nodes.mode(sim, 0) == "off", "a node that has failed in its sleep draws nothing"
    del sim.asleep[0]
    assert nodes.mode(sim, 0) == "off"


def test_only_gpus_that_were_there_are_lost() -> None:
    sim = empty()
    assert nodes.lose(sim, 0, 0b0011) == 0b0011
    assert nodes.lose(sim, 0, 0b0110) == 0b0100
    assert (sim.state.lost_mask[0], sim.state.free_mask[0]) == (0b0111, 0b1000)
    nodes.regain(sim, 0, 0b0011)
    assert (sim.state.lost_mask[0], sim.state.free_mask[0]) == (0b0100, 0b1011)


def test_who_is_where() -> None:
    jobs = [job(name, gpus, workload=NET) for name, gpus in (("a", 2), ("b", 2), ("c", 2))]
    script = {
        0.0: [
            Place("a", ((0, 1), (1, 1))),
            Place("b", (), beside="a", sharing="timeslice"),
            Place("c", ((1, 2),)),
        ]
    }
    sim = until(simulate(jobs, ON, Scripted(script), options=FULL), 0.0)

    def names(runs: list[JobRun]) -> list[str]:
        return [run.spec.job_id for run in runs]

    assert names(nodes.jobs_on(sim, 0)) == ["a", "b"]
    assert names(nodes.jobs_on(sim, 1)) == ["a", "b", "c"]
    assert names(nodes.jobs_on(sim, 2)) == []
    assert names(nodes.together(sim, sim.live["a"])) == names(nodes.together(sim, sim.live["b"])) == ["a", "b"]
    assert names(nodes.together(sim, sim.live["c"])) == ["c"]
