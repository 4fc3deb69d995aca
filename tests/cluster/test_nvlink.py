"""NVLink domains that span nodes: how many of their GPUs are free."""

from __future__ import annotations

from goodwatt.cluster.bitset import bitset
from goodwatt.cluster.nvlink import CliqueIndex
from goodwatt.cluster.state import ClusterState
from tests.scenario import Nodes, cluster, job

RACKS = cluster(Nodes(2, gpus=4, clique="x"), Nodes(1, gpus=4), Nodes(3, gpus=4, clique="y"))


def test_cliques_and_their_nodes() -> None:
    cliques = CliqueIndex(RACKS)
    assert cliques.names == ("x", "y")
    assert len(cliques) == 2
    assert cliques.nodes == (bitset([0, 1]), bitset([3, 4, 5]))
    assert [(free, cliques.by_free[free]) for free in (8, 12)] == [(8, 0b01), (12, 0b10)]


def test_free_gpus_follow_the_state() -> None:
    state = ClusterState(RACKS)
    state.allocate(job("gang", gpus=6), ((3, 4), (4, 2)))
    state.allocate(job("beside", gpus=1), ((2, 1),))  # in no clique
    assert state.cliques.by_free[6] == 0b10
    assert state.cliques.by_free[8] == 0b01
    state.set_up(0, False)
    assert state.cliques.by_free[4] == 0b01
    state.set_up(0, True)
    state.release(job("gang", gpus=6))
    assert state.cliques.by_free[8] == 0b01
    assert state.cliques.by_free[12] == 0b10


def test_a_copy_is_independent() -> None:
    state = ClusterState(RACKS)
    twin = state.copy()
    twin.allocate(job(gpus=4), ((0, 4),))
    assert state.cliques.by_free[8] == 0b01
    assert twin.cliques.by_free[4] == 0b01


def test_a_cluster_without_cliques() -> None:
    state = ClusterState(cluster(Nodes(2)))
    state.allocate(job(gpus=4), ((0, 4),))
    state.set_up(1, False)
    assert len(state.cliques) == 0
