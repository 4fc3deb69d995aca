"""Jobs wider than a node, and jobs that can never run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.bitset import bitset
from goodwatt.cluster.gang import gang_nodes, never_fits
from goodwatt.cluster.state import ClusterState
from tests.scenario import Nodes, cluster, job

# Nodes by size, GPUs in use on each, GPUs wanted, and the nodes that the gang gets.
GANGS: list[tuple[str, list[int], list[int], int, Any]] = [
    ("two empty nodes", [8, 8], [0, 0], 16, ((0, 8), (1, 8))),
    ("the lowest empty nodes", [8, 8, 8], [1, 0, 0], 16, ((1, 8), (2, 8))),
    ("the rest on the emptiest node left", [8, 8, 8, 8], [3, 0, 2, 1], 12, ((1, 8), (3, 4))),
    ("the rest on an empty node before a used one", [8, 8, 8], [2, 0, 0], 12, ((1, 8), (2, 4))),
    ("no whole node is empty", [8, 8], [1, 1], 12, None),
    ("the rest finds no room", [8, 8], [0, 5], 12, None),
    ("the largest nodes first", [4, 8, 4], [0, 0, 0], 12, ((1, 8), (0, 4))),
    ("smaller whole nodes when the large are taken", [4, 8, 4], [0, 1, 0], 8, ((0, 4), (2, 4))),
    ("the rest whole on one node before smaller ones", [8, 8, 4], [0, 0, 0], 13, ((0, 8), (1, 5))),
    ("the rest on smaller nodes if no single one has room", [8, 2, 2], [0, 0, 0], 11, ((0, 8), (1, 2), (2, 1))),
    ("a small node whole, the rest on a large one in use", [8, 2], [1, 0], 5, ((1, 2), (0, 3))),
    ("one too many", [8, 8], [0, 0], 17, None),
]


def used_cluster(sizes: list[int], in_use: list[int]) -> ClusterState:
    state = ClusterState(cluster(*(Nodes(1, gpus=gpus) for gpus in sizes)))
    for node, gpus in enumerate(in_use):
        if gpus:
            state.allocate(job(f"on {node}", gpus=gpus), ((node, gpus),))
    return state


@pytest.mark.parametrize(("why", "sizes", "in_use", "wanted", "nodes"), GANGS, ids=[row[0] for row in GANGS])
def test_gang_nodes(why: str, sizes: list[int], in_use: list[int], wanted: int, nodes: Any) -> None:
    assert gang_nodes(job(gpus=wanted), used_cluster(sizes, in_use)) == nodes, why


def test_a_gang_among_some_nodes_only() -> None:
    state = ClusterState(cluster(Nodes(4)))
    assert gang_nodes(job(gpus=16), state, among=bitset([1, 3])) == ((1, 8), (3, 8))
    assert gang_nodes(job(gpus=17), state, among=bitset([1, 3])) is None


def test_a_gang_avoids_nodes_that_are_down_and_nodes_of_others() -> None:
    state = ClusterState(cluster(Nodes(2, partition="east"), Nodes(2, partition="west")))
    assert gang_nodes(job(gpus=16, partition="west"), state) == ((2, 8), (3, 8))
    state.set_up(3, False)
    assert gang_nodes(job(gpus=16, partition="west"), state) is None


def test_a_gang_needs_its_share_of_cpu_and_memory_on_each_node() -> None:
    state = ClusterState(cluster(Nodes(1, cpu_milli=7_000), Nodes(2, cpu_milli=8_000)))
    assert gang_nodes(job(gpus=16, cpu_milli=16_000), state) == ((1, 8), (2, 8))
    assert gang_nodes(job(gpus=16, cpu_milli=16_001), state) is None  # rounded up to 8,001 each


@given(
    st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8)), min_size=1, max_size=6),
    st.integers(1, 48),
)
def test_what_gang_nodes_says_can_be_allocated(nodes: list[tuple[int, int]], wanted: int) -> None:
    state = used_cluster([size for size, _ in nodes], [min(pair) for pair in nodes])
    found = gang_nodes(job("gang", gpus=wanted), state)
    if found is not None:
        assert sum(gpus for _, gpus in found) == wanted
        assert state.shortage(job("gang", gpus=wanted), found) is None


@given(st.lists(st.integers(1, 8), min_size=1, max_size=6), st.integers(1, 48))
def test_an_empty_cluster_holds_any_gang_up_to_its_size(sizes: list[int], wanted: int) -> None:
    fits = gang_nodes(job(gpus=wanted), used_cluster(sizes, [])) is not None
    assert fits == (wanted <= sum(sizes))


SMALL = cluster(
    Nodes(2, gpus=8, cpu_milli=64_000, memory_mib=500_000, partition="east"),
    Nodes(1, gpus=4, kind="large", cpu_milli=16_000, memory_mib=100_000, partition="west"),
)

NEVER: list[tuple[str, dict[str, Any], str | None]] = [
    ("all of a node", {"gpus": 8}, None),
    ("the whole cluster", {"gpus": 20}, None),
    ("more than the cluster", {"gpus": 21}, "21 GPUs at once and the nodes it may use have 20"),
    ("a gang within a partition", {"gpus": 16, "partition": "east"}, None),
    ("more than the partition", {"gpus": 5, "partition": "west"}, "5 GPUs at once and the nodes it may use have 4"),
    ("no such partition", {"partition": "north"}, "no node has its partition"),
    ("no such kind", {"gpu_kind": ("huge",)}, "no node has its partition, GPU kind"),
    ("a MIG profile where no GPU has MIG", {"gpus": 1, "mig_profile": "3g.40gb"}, "no GPU of the cluster has MIG"),
    ("too much memory per GPU", {"gpu_memory_mib": 90_000}, "GPU memory"),
    ("too many CPUs for a node", {"gpus": 1, "cpu_milli": 64_001}, "no node has so many GPUs, CPUs"),
    ("enough GPUs here, enough CPUs there", {"gpus": 8, "gpu_kind": ("large",), "cpu_milli": 1}, "wants 8 GPUs"),
    ("a share of a GPU", {"gpu_milli": 300}, None),
    ("a share with too much memory", {"gpu_milli": 300, "memory_mib": 600_000}, "so much memory"),
    ("no GPU at all", {"gpus": 0, "cpu_milli": 64_000}, None),
    ("no GPU and too many CPUs", {"gpus": 0, "cpu_milli": 64_001}, "CPUs"),
]


@pytest.mark.parametrize(("why", "wishes", "reason"), NEVER, ids=[row[0] for row in NEVER])
def test_never_fits(why: str, wishes: dict[str, Any], reason: str | None) -> None:
    said = never_fits(job(**wishes), ClusterState(SMALL))
    assert said is None if reason is None else said is not None and reason in said, (why, said)


def test_a_misspelt_mig_profile_is_told_with_its_nearest() -> None:
    state = ClusterState(cluster(Nodes(1, kind="H200")))
    assert never_fits(job(gpus=1, mig_profile="3g.71gb"), state) is None
    said = never_fits(job(gpus=1, mig_profile="3g.17gb"), state)
    assert said is not None
    assert said.startswith("unknown MIG profile '3g.17gb': did you mean '3g.71gb'")
