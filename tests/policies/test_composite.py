"""Every order with every placement on a small trace: it ends, is refused nothing, changes nothing, repeats itself."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from goodwatt.cluster.job import Job
from goodwatt.policies.composite import Composite
from goodwatt.policies.registry import make_policy, names, role_of
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import ROUGH, busy_trace, snapshot
from tests.scenario import Nodes, cluster, finished, simulate
from tests.state_content import content

ORDERS = [name for name, part in names().items() if role_of(part) == "order"]
PLACEMENTS = [name for name, part in names().items() if role_of(part) == "placement"]
PAIRS = [f"{order}+{placement}" for order in ORDERS for placement in PLACEMENTS]
HONEST = [name for name in ORDERS if not make_policy(name).oracle]

ON = cluster(Nodes(2, cpu_milli=64_000, domain=4), Nodes(1, gpus=4, kind="large"))


def small_trace(seed: int) -> tuple[Job, ...]:
    """Twenty jobs, some of them shares."""
    return tuple(
        replace(spec, gpu_milli=400 if spec.num_gpus == 1 and i % 2 else 1000, cpu_milli=2000 * spec.num_gpus)
        for i, spec in enumerate(busy_trace(seed, count=20))
    )


@pytest.mark.parametrize("pair", PAIRS)
def test_every_pair(pair: str) -> None:
    outcomes = []
    for _ in range(2):
        sim = Simulation(small_trace(11), ON, make_policy(pair), ROUGH, RunOptions(seed=5))
        while (view := sim.advance()) is not None:
            before = content(sim.state)
            decisions = sim.policy.decide(view)
            assert content(sim.state) == before
            sim.apply(decisions)
        assert sim.executor.refusals == []
        outcomes.append(result(sim))
    assert set(outcomes[0].jobs.state) == {"finished"}
    assert asdict(outcomes[0]) == asdict(outcomes[1])


@pytest.mark.parametrize("order", ORDERS)
def test_deciding_changes_nothing_but_the_dice(order: str) -> None:
    sim = Simulation(small_trace(12), ON, make_policy(order), ROUGH)
    while (view := sim.advance()) is not None:
        before = snapshot(sim)
        decisions = list(sim.policy.decide(view))
        assert list(sim.policy.decide(view)) == decisions
        assert snapshot(sim) == before
        sim.apply(decisions)


@pytest.mark.parametrize("order", HONEST)
@pytest.mark.parametrize("moment", [200.0, 500.0])
def test_who_is_no_oracle_cannot_know_the_future(order: str, moment: float) -> None:
    """Whatever is still to end after a moment may take any time: all that happened before stays as it was."""
    jobs = busy_trace(21)
    first = finished(simulate(jobs, ON, order)).jobs
    ended = {
        name for name, end_s in zip(first.job_id, first.end_s, strict=True) if end_s is not None and end_s <= moment
    }
    later = tuple(spec if spec.job_id in ended else replace(spec, duration_s=spec.duration_s + 999.0) for spec in jobs)
    second = finished(simulate(later, ON, order)).jobs
    assert 2 < len(ended) < len(jobs) - 5

    def before(starts: list[float | None]) -> list[float | None]:
        return [start if start is not None and start <= moment else None for start in starts]

    assert before(first.start_s) == before(second.start_s)


@pytest.mark.parametrize("order", HONEST)
def test_who_is_no_oracle_never_asks_for_the_truth(order: str) -> None:
    policy = make_policy(order)
    assert not policy.oracle
    finished(simulate(small_trace(13), ON, policy))  # View.true_remaining_s raises for those who are none


def test_a_composite_is_what_its_order_is() -> None:
    for name in ORDERS:
        policy = make_policy(f"{name}+best-fit")
        assert isinstance(policy, Composite)
        assert (policy.oracle, policy.preemptive, policy.head_only) == (
            policy.order.oracle,
            policy.order.preemptive,
            policy.order.head_only,
        )
        assert type(policy.new_memory()) is type(policy.order.new_memory())
