"""The contract that every registered order and placement keeps."""

from __future__ import annotations

import pytest

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.errors import RunError
from goodwatt.policies.registry import make_policy, names, role_of
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.engine import Engine
from tests.made_runs import ROUGH, Made, assert_adds_up, assert_occupancy_fits, busy_trace, snapshot
from tests.scenario import DRAWN, EVERY_EVENT, Nodes, cluster, engine
from tests.state_content import assert_sound

ORDERS = [name for name, part in names().items() if role_of(part) == "order"]
PLACEMENTS = [name for name, part in names().items() if role_of(part) == "placement"]
SPECS = [*ORDERS, *PLACEMENTS, *(f"tiresias:threshold_gpu_s=100+{name}" for name in PLACEMENTS)]

HETEROGENEOUS = cluster(
    Nodes(2, gpus=8, domain=2, cpu_milli=64_000, memory_mib=400_000, clique="x"),
    Nodes(2, gpus=4, kind="large", cpu_milli=16_000, clique="x"),
    Nodes(1, gpus=2, kind="secret"),
)
PARTITIONED = cluster(Nodes(1, partition="east"), Nodes(2, gpus=4, partition="west"), Nodes(1))


def mixed_trace(seed: int, partitions: bool) -> tuple[Job, ...]:
    """The busy trace with shares of GPUs, CPU-only jobs, kinds or partitions."""
    jobs = []
    for i, job in enumerate(busy_trace(seed, count=45)):
        batch = i % 13 == 5
        share = job.num_gpus == 1 and i % 2 and not batch
        jobs.append(
            Job(
                job_id=job.job_id,
                name=job.name,
                submit_s=job.submit_s,
                duration_s=job.duration_s,
                num_gpus=0 if batch else job.num_gpus,
                gpu_milli=(300 if i % 3 else 550) if share else 1000,
                cpu_milli=1000 * job.num_gpus,
                memory_mib=5000 if i % 4 == 0 else 0,
                gpu_kind=("large", "small") if i % 5 == 0 and not partitions else (),
                partition=("east", "west", None)[i % 3] if partitions else None,
                user=job.user,
                preemptible=job.preemptible,
                requested_s=job.requested_s,
            )
        )
    return tuple(jobs)


CASES: dict[str, tuple[Cluster, tuple[Job, ...], Engine]] = {
    "gangs, maintenance": (cluster(Nodes(2)), busy_trace(2), ROUGH),
    "kinds, shares, CPUs": (HETEROGENEOUS, mixed_trace(3, partitions=False), EVERY_EVENT),
    "the policy chooses GPUs": (HETEROGENEOUS, mixed_trace(4, partitions=False), engine(gpu_choice="policy")),
    "partitions": (PARTITIONED, mixed_trace(5, partitions=True), engine(decision_interval_s=10)),
}

ENOUGH = 3000
"""Decisions after which a run that has not ended never will."""


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("spec", SPECS)
def test_contract(spec: str, case: str) -> None:
    on, jobs, settings = CASES[case]
    of = Made(on, jobs, settings, spec, DRAWN)
    sim, specs = of.simulation(), {job.job_id: job for job in jobs}
    for number in range(ENOUGH):
        if (view := sim.advance()) is None:
            break
        twin = sim.fork() if number % 10 == 0 else None
        before = snapshot(sim) if twin is not None else {}
        decisions = list(sim.policy.decide(view))
        if twin is not None:
            assert {**snapshot(sim), "random": 0, "memory": 0} == {**before, "random": 0, "memory": 0}
            assert list(twin.policy.decide(twin.view)) == decisions, "the same view, another decision"
            assert_sound(sim.state, specs)
        sim.apply(decisions)
    assert not sim.live, f"{len(sim.live)} jobs never ended"
    assert sim.executor.refusals == []
    outcome = result(sim)
    assert_occupancy_fits(outcome, of, sim.jobs)
    assert_adds_up(outcome, of, sim)


@pytest.mark.parametrize("spec", ORDERS)
def test_only_an_oracle_may_ask_for_the_truth(spec: str) -> None:
    sim = Made(cluster(Nodes(1)), busy_trace(2), EVERY_EVENT, spec).simulation()
    view = sim.advance()
    assert view is not None
    run = next(iter(sim.live.values()))
    if make_policy(spec).oracle:
        assert view.true_remaining_s(run) == run._truth.job.duration_s
    else:
        with pytest.raises(RunError, match="oracle"):
            view.true_remaining_s(run)


@pytest.mark.parametrize("spec", ORDERS)
def test_memories_restore_themselves(spec: str) -> None:
    sim = Made(cluster(Nodes(2)), busy_trace(2), ROUGH, spec).simulation()
    sim.run()
    plain = sim.view.memory.to_plain()
    again = sim.policy.new_memory()
    again.load_plain(plain)
    assert again.to_plain() == plain
    assert sim.view.memory.copy().to_plain() == plain
