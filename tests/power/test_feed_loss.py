"""Loss of one feed of an NVL72 rack at full load: with budgets it comes down in time, without them it goes dark."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.presets import load_cluster
from goodwatt.power.cluster_budget import ClusterBudget, cluster_budget
from goodwatt.power.division import WAYS, Want, divide
from goodwatt.power.goodput_curve import goodput_curve
from goodwatt.power.grants import GrantBook, Message
from goodwatt.power.rack_feeds import RackFeeds, rack_feeds
from goodwatt.power.supply import node_facts, node_wall_w

RACK = "rack-001"
NODES = range(18)
ONE_FEED_W = 60_000.0
CURVE = goodput_curve([(w, (w / 1200) ** 0.5) for w in range(200, 1201, 100)])
WANT = Want(floor_w=200.0, most_w=1200.0, capacity_w=1200.0, curve=CURVE)


def rack_w(cluster: Cluster, budget: ClusterBudget, book: GrantBook) -> float:
    """The most that the rack may be drawing now."""
    gpu_w: dict[int, float] = defaultdict(float)
    for leaf, (node, _) in enumerate(budget.gpus):
        gpu_w[node] += book.leaf_mw(leaf) / 1000
    facts = node_facts(cluster.power)
    return sum(node_wall_w(gpu_w[node], 1.0, facts) for node in NODES)


def full_load() -> tuple[Cluster, ClusterBudget, GrantBook, RackFeeds]:
    cluster = load_cluster("nvl72-4")
    budget = cluster_budget(cluster)
    grants = divide(budget.tree, [WANT] * len(budget.gpus))
    book = GrantBook(budget.tree, grants.grant_mw)
    feeds = rack_feeds(cluster.racks[RACK], rack_w(cluster, budget, book))
    assert feeds is not None
    return cluster, budget, book, feeds


def test_without_a_budget_the_rack_goes_dark() -> None:
    cluster, budget, book, feeds = full_load()
    feeds.lose(0)
    trips = feeds.advance(rack_w(cluster, budget, book), 300.0)
    assert [trip.feed for trip in trips] == [1]
    assert 30 < trips[0].after_s < 60
    assert feeds.up == ()


@pytest.mark.parametrize("way", sorted(WAYS))
def test_with_a_budget_it_comes_down_in_time(way: str) -> None:
    """Caps take effect after 0.03 to 0.5 s; one message in ten is lost and repeated after 5 s."""
    cluster, budget, book, feeds = full_load()
    feeds.lose(0)
    chance = random.Random(way)
    tree = budget.with_limits({RACK: ONE_FEED_W})
    book.change_limits(tree)
    book.aim(divide(tree, [WANT] * len(budget.gpus), way).grant_mw)
    answers = sorted((_delay_s(chance), message) for message in book.due())
    assert {message.leaf for _, message in answers} == {i for i, (node, _) in enumerate(budget.gpus) if node in NODES}
    now_s = 0.0
    for at_s, message in answers:
        assert feeds.advance(rack_w(cluster, budget, book), at_s - now_s) == ()
        book.confirm(message.leaf, message.sequence)
        now_s = at_s
    settled_w = rack_w(cluster, budget, book)
    assert 0.95 * ONE_FEED_W <= settled_w <= ONE_FEED_W
    assert book.settled
    assert book.over == ()
    assert feeds.advance(settled_w, 24 * 3600.0) == ()


def _delay_s(chance: random.Random) -> float:
    lost = 0
    while chance.random() < 0.1:
        lost += 1
    return 5.0 * lost + chance.uniform(0.03, 0.5)


def test_when_the_feed_is_back_all_rise_again_though_no_lower_was_confirmed() -> None:
    _, budget, book, _ = full_load()
    lost = budget.with_limits({RACK: ONE_FEED_W})
    book.change_limits(lost)
    book.aim(divide(lost, [WANT] * len(budget.gpus)).grant_mw)
    sent = book.due()
    book.change_limits(budget.tree)
    book.aim(divide(budget.tree, [WANT] * len(budget.gpus)).grant_mw)
    back: tuple[Message, ...] = book.due()
    assert len(back) == len(sent)
    for message in back:
        book.confirm(message.leaf, message.sequence)
    assert book.settled
