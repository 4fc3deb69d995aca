"""Dot product of what a job wants and what a node has free, in parts of the largest node."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.policies.dot_product import DotProduct
from tests.made_runs import clusters, jobs
from tests.policies.placing import Drawn, assert_places_well, drawn, node_of, put
from tests.scenario import job

WANTED = job(gpus=1, cpu_milli=1_000)
EMPTY = drawn("....", cpu_milli=10_000)
"""Product with WANTED: (1 x 0.1 + 1 x 0.25) / 2 = 0.175, score 82."""
FEW_GPUS = drawn("###.", cpu_milli=10_000)
"""(1 x 0.1 + 0.25 x 0.25) / 2 = 0.081, score 91."""
FEW_CPUS = drawn("....", cpu=9_000, cpu_milli=10_000)
"""(0.1 x 0.1 + 1 x 0.25) / 2 = 0.13, score 87."""
SOME_CPUS = drawn("....", cpu=8_900, cpu_milli=10_000)
"""(0.11 x 0.1 + 1 x 0.25) / 2 = 0.1305, score 86.95."""

PRODUCTS: list[tuple[str, DotProduct, list[Drawn], int]] = [
    ("the smallest product", DotProduct(), [EMPTY, FEW_GPUS, FEW_CPUS], 1),
    ("the largest product, as Tetris", DotProduct(largest=True), [FEW_GPUS, FEW_CPUS, EMPTY], 2),
    ("scores of 87 and 86.95", DotProduct(), [SOME_CPUS, FEW_CPUS], 1),
    ("the same score of 82: the lowest", DotProduct(), [EMPTY, drawn("....", cpu=200, cpu_milli=10_000)], 0),
    ("compared exactly", DotProduct(exact=True), [EMPTY, drawn("....", cpu=200, cpu_milli=10_000)], 1),
]


@pytest.mark.parametrize(("why", "policy", "nodes", "node"), PRODUCTS, ids=[row[0] for row in PRODUCTS])
def test_products(why: str, policy: DotProduct, nodes: list[Drawn], node: int) -> None:
    assert node_of(put(policy, WANTED, *nodes)) == node, why


def test_without_limits_of_cpu_only_gpus_count() -> None:
    assert node_of(put(DotProduct(), WANTED, "....", "#...", "##..")) == 2


def test_shares_count_by_thousandths() -> None:
    assert node_of(put(DotProduct(exact=True), job(gpu_milli=300), "#...", "55..", "96..")) == 2


def test_a_gang_takes_whole_nodes() -> None:
    place = put(DotProduct(), job(gpus=6), "#...", "....", "....")
    assert place is not None
    assert place.nodes == ((1, 4), (2, 2))


@given(clusters, jobs, st.sampled_from(["kubelet", "policy"]), st.booleans(), st.booleans())
def test_places_well(on: Cluster, made: tuple[Job, ...], gpu_choice: str, largest: bool, exact: bool) -> None:
    assert_places_well(DotProduct(largest, exact), on, made, gpu_choice)
