"""Slow GPUs: as many, as slow and as often as the rates say, and the same whoever asks."""

from __future__ import annotations

import math
import statistics

from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster, Node
from goodwatt.simulator.failures.stragglers import Stragglers
from goodwatt.simulator.settings.failure_rates import PUBLISHED, StragglerRates

CLUSTER = Cluster("test", tuple(Node(f"n{i}", "H200-SXM", 8) for i in range(500)), {})
RATES = StragglerRates(share=0.1, slowdown=0.1, spell_s=1_000.0, duty=0.5)
ALL = Stragglers(CLUSTER, RATES, 1)


def slow_one(stragglers: Stragglers) -> tuple[tuple[int, int], ...]:
    node, mask = next(iter(stragglers.nodes.items()))
    return ((node, mask & -mask),)


def test_without_a_share_nobody_is_slow() -> None:
    none = Stragglers(CLUSTER, StragglerRates(), 1)
    assert none.nodes == {}
    assert none.slowdown(((0, 0xFF),), 5.0) == 1.0
    assert none.next_change_s(((0, 0xFF),), 5.0) == math.inf


def test_the_share_of_gpus() -> None:
    found = sum(mask.bit_count() for mask in ALL.nodes.values())
    assert abs(found - 400) < 5 * math.sqrt(400)


def test_half_a_percent_of_published_nodes_have_one() -> None:
    many = Cluster("many", tuple(Node(f"n{i}", "H200-SXM", 8) for i in range(20_000)), {})
    nodes = len(Stragglers(many, PUBLISHED.stragglers, 1).nodes)
    assert abs(nodes - 100) < 5 * 10


def test_mean_slowdown_and_duty() -> None:
    depths, slow = [], 0
    ticks = [500.0 + 1_000.0 * n for n in range(40)]
    for node, mask in ALL.nodes.items():
        for gpu in (g for g in range(8) if mask >> g & 1):
            values = [ALL.slowdown(((node, 1 << gpu),), t) for t in ticks]
            slow += sum(value > 1.0 for value in values)
            depths.append(max(values) - 1.0)
    assert abs(slow / (len(depths) * len(ticks)) - 0.5) < 0.02
    assert abs(statistics.fmean(depths) - 0.1) < 0.02


def test_a_gang_runs_at_its_slowest_gpu() -> None:
    gang = tuple((node, 0xFF) for node in range(100))
    alone = [ALL.slowdown(((node, 1 << gpu),), 0.0) for node in range(100) for gpu in range(8)]
    assert ALL.slowdown(gang, 0.0) == max(alone) > 1.0


def test_gpus_that_are_not_held_do_not_count() -> None:
    node, mask = next(iter(ALL.nodes.items()))
    assert all(ALL.slowdown(((node, 0xFF & ~mask),), t) == 1.0 for t in range(0, 20_000, 500))


@given(st.floats(0.0, 1e8))
def test_nothing_changes_before_the_next_change(now_s: float) -> None:
    placement = slow_one(ALL)
    change_s = ALL.next_change_s(placement, now_s)
    assert now_s < change_s <= now_s + RATES.spell_s + 1e-6
    here = ALL.slowdown(placement, now_s)
    assert ALL.slowdown(placement, max(now_s, change_s - 1e-6)) == here
    after_s = ALL.next_change_s(placement, change_s)
    assert math.isclose(after_s - change_s, RATES.spell_s, rel_tol=1e-6)


def test_seeds_differ_and_neighbours_do_not_matter() -> None:
    fewer = Cluster("fewer", CLUSTER.nodes[:100], {})
    assert Stragglers(fewer, RATES, 1).nodes == {n: m for n, m in ALL.nodes.items() if n < 100}
    assert Stragglers(CLUSTER, RATES, 2).nodes != ALL.nodes
