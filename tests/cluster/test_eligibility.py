"""Which nodes a job may use: partition, GPU kind, memory of a GPU."""

from __future__ import annotations

from typing import Any

import pytest

from goodwatt.cluster.bitset import members
from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.cluster import Cluster, Node
from goodwatt.cluster.eligibility import EligibilityIndex, names_kind
from tests.scenario import Nodes, cluster, job

MIXED = cluster(
    Nodes(1, gpus=8, kind="small", partition="east"),
    Nodes(1, gpus=4, kind="large", partition="east"),
    Nodes(1, gpus=16, kind="large", partition="west"),
    Nodes(1, gpus=2, kind="small"),
)

ELIGIBLE: list[tuple[str, dict[str, Any], list[int], int]] = [
    ("any node", {}, [0, 1, 2, 3], 16),
    ("its partition's nodes", {"partition": "east"}, [0, 1], 8),
    ("one kind", {"gpu_kind": ("large",)}, [1, 2], 16),
    ("one of several kinds", {"gpu_kind": ("small", "large")}, [0, 1, 2, 3], 16),
    ("a kind by its beginning, in any case", {"gpu_kind": ("LAR",)}, [1, 2], 16),
    ("kind and partition", {"gpu_kind": ("large",), "partition": "east"}, [1], 4),
    ("enough memory per GPU", {"gpu_memory_mib": 40_000}, [1, 2], 16),
    ("just enough memory", {"gpu_memory_mib": 16_000}, [0, 1, 2, 3], 16),
    ("nobody has so much memory", {"gpu_memory_mib": 80_001}, [], 0),
    ("an unknown partition", {"partition": "north"}, [], 0),
    ("an unknown kind", {"gpu_kind": ("huge",)}, [], 0),
]


@pytest.mark.parametrize(("why", "wishes", "nodes", "largest"), ELIGIBLE, ids=[row[0] for row in ELIGIBLE])
def test_eligible_nodes(why: str, wishes: dict[str, Any], nodes: list[int], largest: int) -> None:
    found = EligibilityIndex(MIXED)(job(**wishes))
    assert (list(members(found.nodes)), found.largest_node) == (nodes, largest), why


def test_a_partition_means_nothing_where_the_cluster_has_none() -> None:
    assert EligibilityIndex(cluster(Nodes(2)))(job(partition="east")).nodes == 0b11


KINDS = [
    ("A100-SXM4-80GB", "A100-SXM4-80GB", True),
    ("a100-sxm4-80gb", "A100-SXM4-80GB", True),
    ("A100", "A100-SXM4-80GB", True),
    ("A100", "A100-PCIE-80GB", True),
    ("NVIDIA-A100-SXM4-80GB", "A100-SXM4-80GB", True),
    ("V100M32", "V100-SXM2-32GB", True),
    ("V100M16", "V100-SXM2-32GB", False),
    ("H100", "A100-SXM4-80GB", False),
    ("A10", "A10", True),
    # A name of the catalogue means that kind and not all kinds that begin alike.
    ("A10", "A100-SXM4-80GB", False),
    ("V100-SXM2", "V100-SXM2-32GB", False),
]


@pytest.mark.parametrize(("wanted", "kind", "fits"), KINDS)
def test_names_of_kinds(wanted: str, kind: str, fits: bool) -> None:
    assert names_kind(wanted, gpu_kind(kind)) is fits


def test_a_job_for_a10_does_not_land_on_an_a100() -> None:
    kinds = {name: gpu_kind(name) for name in ("A10", "A100-SXM4-80GB")}
    both = Cluster("both", (Node("n0", "A100-SXM4-80GB", 8), Node("n1", "A10", 4)), kinds)
    assert EligibilityIndex(both)(job(gpu_kind=("A10",))).nodes == 0b10
