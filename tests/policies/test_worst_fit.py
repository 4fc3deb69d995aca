"""Worst fit: the node with the most free GPUs, the GPU with the most room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.policies.worst_fit import WorstFit
from tests.made_runs import clusters, jobs
from tests.policies.placing import assert_places_well, gpu_of, node_of, put
from tests.scenario import job

# Why, nodes, GPUs wanted, the node that the job gets.
WHOLE: list[tuple[str, list[str], int, int | None]] = [
    ("the emptiest node", ["###.", "....", "##.."], 1, 1),
    ("the lowest of equals", ["##..", "#...", "#..."], 2, 1),
    ("a large node before an empty small one", ["..", "####...."], 2, 1),
    ("none has so many free", ["#...", "##.."], 4, None),
]


@pytest.mark.parametrize(("why", "nodes", "gpus", "node"), WHOLE, ids=[row[0] for row in WHOLE])
def test_whole_gpus(why: str, nodes: list[str], gpus: int, node: int | None) -> None:
    assert node_of(put(WorstFit(), job(gpus=gpus), *nodes)) == node, why


# Why, nodes, thousandths wanted, the node and the GPU that the share gets.
SHARES: list[tuple[str, list[str], int, tuple[int, int] | None]] = [
    ("a free GPU of the emptiest node", ["2.", "2#.."], 300, (1, 2)),
    ("no GPU is free: the most room", ["37", "25"], 300, (1, 0)),
    ("the lowest node of equals", ["73", "37"], 300, (0, 1)),
    ("no room anywhere", ["89", "98"], 300, None),
]


@pytest.mark.parametrize(("why", "nodes", "milli", "gpu"), SHARES, ids=[row[0] for row in SHARES])
def test_shares(why: str, nodes: list[str], milli: int, gpu: tuple[int, int] | None) -> None:
    assert gpu_of(put(WorstFit(), job(gpu_milli=milli), *nodes)) == gpu, why


def test_the_node_chooses_the_gpu_where_the_engine_says_so() -> None:
    place = put(WorstFit(), job(gpu_milli=300), "2.", gpu_choice="kubelet")
    assert place is not None
    assert place.gpus is None


def test_a_gang_takes_whole_nodes() -> None:
    place = put(WorstFit(), job(gpus=6), "#...", "....", "....")
    assert place is not None
    assert place.nodes == ((1, 4), (2, 2))


@given(clusters, jobs, st.sampled_from(["kubelet", "policy"]))
def test_places_well(on: Cluster, made: tuple[Job, ...], gpu_choice: str) -> None:
    assert_places_well(WorstFit(), on, made, gpu_choice)
