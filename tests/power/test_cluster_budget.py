"""The budget tree of a cluster: whatever is granted to GPUs, the feed's limits hold."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.host_power import NODE_TYPES, PSU_CURVES, NodePower
from goodwatt.cluster.presets import load_cluster
from goodwatt.errors import InputError
from goodwatt.power.cluster_budget import chord, cluster_budget
from goodwatt.power.division import Want, divide
from goodwatt.power.supply import node_facts, node_wall_w


def hall(rack_w: float, row_w: float, site_w: float) -> Cluster:
    """Two racks of two nodes in a row, one rack of its own, one node without a rack."""
    node = {"gpu": "H100-SXM", "gpus": 8}
    return build_cluster(
        {
            "nodes": [{**node, "count": 4, "nodes_per_rack": 2}, {**node, "rack": "alone"}, node],
            "racks": [{"name": "rack-*", "power_limit_w": rack_w, "row": "a"}],
            "rows": [{"name": "a", "power_limit_w": row_w}],
            "power": {"node": "dgx-h100", "site_limit_w": site_w},
        }
    )


def wall_w(cluster: Cluster, gpu_w: dict[int, float]) -> dict[int, float]:
    """What each node draws with its host fully loaded."""
    facts = node_facts(cluster.power)
    return {i: node_wall_w(gpu_w.get(i, 0.0), 1.0, facts) for i in range(len(cluster.nodes))}


@given(st.floats(6e3, 2e4), st.floats(1e4, 4e4), st.floats(2e4, 6e4), st.data())
def test_limits_at_the_feed_hold(rack_w: float, row_w: float, site_w: float, data: st.DataObject) -> None:
    cluster = hall(rack_w, row_w, site_w)
    budget = cluster_budget(cluster)
    asks = data.draw(st.lists(st.floats(0, 700), min_size=48, max_size=48))
    grants = divide(budget.tree, [Want(most_w=w) for w in asks], "demand").grant_w
    of_node: dict[int, float] = defaultdict(float)
    for (node, _), watts in zip(budget.gpus, grants, strict=True):
        of_node[node] += watts
    drawn = wall_w(cluster, of_node)
    racks = [[0, 1], [2, 3]]
    assert all(
        sum(drawn[i] for i in nodes) <= max(rack_w, sum(wall_w(cluster, {})[i] for i in nodes)) + 1e-6
        for nodes in racks
    )
    assert sum(drawn[i] for i in range(4)) <= max(row_w, 4 * wall_w(cluster, {})[0]) + 1e-6
    assert sum(drawn.values()) <= max(site_w, 6 * wall_w(cluster, {})[0]) + 1e-6


def test_every_gpu_is_a_leaf() -> None:
    cluster = hall(1e5, 1e5, 1e6)
    budget = cluster_budget(cluster)
    assert sorted(budget.gpus) == [(node, gpu) for node in range(6) for gpu in range(8)]
    assert set(budget.levels) == {"site", "a", "rack-001", "rack-002", "alone"}


def test_little_is_given_away_by_the_straight_line() -> None:
    """A rack at its limit draws it within 5%."""
    cluster = hall(13_000, 1e5, 1e6)
    budget = cluster_budget(cluster)
    grants = divide(budget.tree, [Want(most_w=700)] * 48, "demand").grant_w
    one = sum(w for (node, _), w in zip(budget.gpus, grants, strict=True) if node == 0)
    assert 0.95 * 6500 <= wall_w(cluster, {0: one})[0] <= 6500


def test_a_lost_feed_of_an_nvl72_rack() -> None:
    cluster = load_cluster("nvl72-4")
    budget = cluster_budget(cluster)
    lost = budget.with_limits({"rack-001": 60_000.0})
    grants = divide(lost, [Want(floor_w=200, most_w=1200)] * 288, "demand").grant_w
    watts: dict[int, float] = defaultdict(float)
    for (node, _), w in zip(budget.gpus, grants, strict=True):
        watts[node] += w
    drawn = wall_w(cluster, watts)
    assert 57_000 <= sum(drawn[i] for i in range(18)) <= 60_000
    assert sum(drawn[i] for i in range(18, 36)) == pytest.approx(118_000, rel=0.02)


def test_a_budget_for_the_site_replaces_its_own() -> None:
    cluster = hall(1e5, 1e5, 1e6)
    small = cluster_budget(cluster, 20_000.0).tree.limit_mw[0]
    assert small < cluster_budget(cluster).tree.limit_mw[0]


def test_a_rack_named_like_its_row_is_refused() -> None:
    nodes = [{"gpu": "H100-SXM", "gpus": 8, "rack": "a"}]
    cluster = build_cluster({"nodes": nodes, "racks": [{"name": "a", "row": "a"}]})
    with pytest.raises(InputError, match="expected different names"):
        cluster_budget(cluster)


facts = st.builds(
    lambda idle, more, fans, full, psu, rated, rest: NodePower(
        host_idle_w=idle, host_max_w=idle + more, fan_max_w=fans, fan_full_w=full, psu=psu, psu_rated_w=rated,
        distribution_efficiency=rest,
    ),
    st.floats(0, 2000), st.floats(0, 2000), st.floats(0, 1500), st.floats(1, 9000), st.sampled_from(sorted(PSU_CURVES)),
    st.floats(0, 20000), st.floats(0.8, 1),
)  # fmt: skip


@given(
    st.one_of(facts, st.sampled_from(list(NODE_TYPES.values()))), st.floats(1, 12000), st.floats(0, 1), st.floats(0, 1)
)
def test_the_line_lies_above_the_curve(node: NodePower, most_w: float, share: float, host_load: float) -> None:
    line = chord(node, most_w)
    gpu_w = share * most_w
    assert node_wall_w(gpu_w, host_load, node) <= (line.fixed_w + line.slope * gpu_w) * (1 + 1e-9)
