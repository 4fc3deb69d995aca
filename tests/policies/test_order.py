"""What orders share: which queues are served, what a quota holds back, what could fit at all."""

from __future__ import annotations

import pytest

from goodwatt.cluster.cluster import Quotas
from goodwatt.policies.best_fit import BestFit
from goodwatt.policies.fifo import Fifo
from goodwatt.policies.order import HeldByQuota, changed_pools, could_fit
from goodwatt.simulator.decisions import Place
from tests.scenario import Nodes, cluster, job, simulate

PARTITIONS = cluster(Nodes(1, gpus=4, partition="east"), Nodes(1, gpus=4, partition="west"))


@pytest.mark.parametrize(
    ("gpus", "milli", "free", "fits"),
    [(1, 1000, 1, True), (2, 1000, 1, False), (0, 1000, 0, True), (1, 500, 0, True), (1, 1000, 0, False)],
)
def test_what_could_fit(gpus: int, milli: int, free: int, fits: bool) -> None:
    assert could_fit(job(gpus=gpus, gpu_milli=milli), free) == fits


def test_only_queues_in_which_something_happened_are_served() -> None:
    jobs = [job("e", gpus=4, partition="east"), job("w", gpus=4, partition="west"), job("free", gpus=1, submit_s=9)]
    sim = simulate(jobs, PARTITIONS)
    view = sim.advance()
    assert view is not None
    assert [pool.partition for pool in changed_pools(view)] == ["east", "west"]
    decisions = Fifo().decide(view, BestFit())
    assert decisions == [Place("e", ((0, 4),)), Place("w", ((1, 4),))]
    sim.apply(decisions)
    assert changed_pools(view) == []
    assert Fifo().decide(view, BestFit()) == []


def test_what_this_round_has_placed_counts_in_quotas() -> None:
    on = cluster(Nodes(1), quotas=Quotas(users={"ann": 2.0, "*": 3.0}))
    view = simulate([], on).view
    held = HeldByQuota(view)
    ann, bob = job("a", gpus=2, user="ann"), job("b", gpus=2, user="bob")
    assert not held(ann)
    held.add(ann)
    assert held(ann)
    assert not held(bob)
    held.add(ann, -1)
    assert not held(ann)
    assert not held(job("nobody", gpus=8))
    assert view.quotas is not None
    assert view.quotas.excess(ann) is None


def test_without_quotas_nobody_is_held() -> None:
    held = HeldByQuota(simulate([], cluster(Nodes(1))).view)
    held.add(job(gpus=1000))
    assert not held(job(gpus=1000))
