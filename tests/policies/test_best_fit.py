"""Best fit: the node with the fewest free GPUs that suffice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.policies.best_fit import BestFit
from tests.made_runs import clusters, jobs
from tests.policies.placing import assert_places_well, drawn, node_of, put
from tests.scenario import job

# Why, nodes, GPUs wanted, the node that the job gets.
WHOLE: list[tuple[str, list[str], int, int | None]] = [
    ("the fullest node that fits", ["....", "##..", "###."], 1, 2),
    ("not a node with too few", ["....", "##..", "###."], 2, 1),
    ("the lowest of equals", ["....", "##..", "##.."], 2, 1),
    ("GPUs in use by shares do not count", ["....", "#5.."], 3, 0),
    ("none has so many free", ["#...", "##.."], 4, None),
]


@pytest.mark.parametrize(("why", "nodes", "gpus", "node"), WHOLE, ids=[row[0] for row in WHOLE])
def test_whole_gpus(why: str, nodes: list[str], gpus: int, node: int | None) -> None:
    assert node_of(put(BestFit(), job(gpus=gpus), *nodes)) == node, why


# Why, nodes, thousandths wanted, the node that the share gets.
SHARES: list[tuple[str, list[str], int, int | None]] = [
    ("a GPU that is shared already", ["#.", "5..."], 500, 1),
    ("no shared one has the room: the fullest node", ["6...", "6#.#"], 500, 1),
    ("no room anywhere", ["#6", "69"], 500, None),
]


@pytest.mark.parametrize(("why", "nodes", "milli", "node"), SHARES, ids=[row[0] for row in SHARES])
def test_shares(why: str, nodes: list[str], milli: int, node: int | None) -> None:
    assert node_of(put(BestFit(), job(gpu_milli=milli), *nodes)) == node, why


def test_a_node_without_enough_cpu_is_passed_over() -> None:
    nodes = drawn("##..", cpu=7_000, cpu_milli=8_000), drawn("....", cpu_milli=8_000)
    assert node_of(put(BestFit(), job(gpus=2, cpu_milli=2_000), *nodes)) == 1


def test_a_gang_takes_whole_nodes() -> None:
    place = put(BestFit(), job(gpus=6), "#...", "....", "....")
    assert place is not None
    assert place.nodes == ((1, 4), (2, 2))


@given(clusters, jobs, st.sampled_from(["kubelet", "policy"]))
def test_places_well(on: Cluster, made: tuple[Job, ...], gpu_choice: str) -> None:
    assert_places_well(BestFit(), on, made, gpu_choice)
