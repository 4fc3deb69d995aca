"""What placements look like to a collective: shapes as a table, the well-placed gang, and equality of layouts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.power.network.layout import Layout, best_layout, best_placement, layout_of
from tests.power.network.wired import whole, wired

HGX = wired("H100-SXM", 8, nodes_per_rack=4)
PAIRS = wired("A100-PCIE-80GB", 4, 4)
NVL72 = wired("GB200", 36, 4, nodes_per_rack=18)
ALONE = wired("T4", 4, 4)


def shape(layout: Layout) -> list[tuple[int, ...]]:
    """NVLink domains of every machine."""
    return [machine.islands for machine, count in layout.machines for _ in range(count)]


SHAPES = [
    (HGX, [(0, 0b1)], [(1,)], 1, 1),
    (HGX, [(0, 0b11111111)], [(8,)], 1, 1),
    (HGX, [(0, 0b1111), (1, 0b1)], [(4,), (1,)], 2, 1),
    (HGX, [(0, 0b11), (4, 0b11)], [(2,), (2,)], 2, 2),
    (PAIRS, [(0, 0b0011)], [(2,)], 1, 1),
    (PAIRS, [(0, 0b0101)], [(1, 1)], 1, 1),
    (PAIRS, [(0, 0b0111), (1, 0b1111)], [(2, 2), (2, 1)], 2, 1),
    (ALONE, [(0, 0b0111)], [(1, 1, 1)], 1, 1),
    (NVL72, [(0, 0b1111), (1, 0b11)], [(6,)], 2, 1),
    (NVL72, [(0, 0b1111), (18, 0b1111)], [(4,), (4,)], 2, 2),
]


@pytest.mark.parametrize(("cluster", "placement", "islands", "nodes", "racks"), SHAPES)
def test_shape(cluster, placement, islands, nodes, racks) -> None:  # type: ignore[no-untyped-def]
    layout = layout_of(cluster, placement)
    assert shape(layout) == islands
    assert (layout.num_nodes, layout.num_racks) == (nodes, racks)
    assert layout.gpus == sum(mask.bit_count() for _, mask in placement)


BEST = [
    (HGX, 2, [(2,)], 1),
    (HGX, 8, [(8,)], 1),
    (HGX, 12, [(8,), (4,)], 1),
    (HGX, 32, [(8,)] * 4, 1),
    (HGX, 40, [(8,)] * 5, 2),
    (PAIRS, 3, [(2, 1)], 1),
    (NVL72, 4, [(4,)], 1),
    (NVL72, 72, [(72,)], 1),
    (NVL72, 100, [(72,), (28,)], 2),
]


@pytest.mark.parametrize(("cluster", "gpus", "islands", "racks"), BEST)
def test_well_placed(cluster, gpus, islands, racks) -> None:  # type: ignore[no-untyped-def]
    layout = best_layout(cluster, gpus)
    assert (shape(layout), layout.num_racks) == (islands, racks)


def test_well_placed_takes_the_smallest_node_that_holds_the_gang_and_looks_at_kind_and_partition() -> None:
    groups = [
        {"gpu": "H100-SXM", "gpus": 8, "count": 2, "partition": "a"},
        {"gpu": "H100-SXM", "gpus": 4, "count": 2, "partition": "a"},
        {"gpu": "A100-SXM4-80GB", "gpus": 8, "count": 1, "partition": "b"},
    ]
    mixed = build_cluster({"nodes": groups})
    assert best_placement(mixed, 3, None, None) == [(2, 0b111)]
    assert best_placement(mixed, 3, None, "b") == [(4, 0b111)]
    assert best_placement(mixed, 16, "H100-SXM", None) == [(0, 255), (1, 255)]
    with pytest.raises(ValueError, match="expected at most the GPUs that the cluster has of A100-SXM4-80GB, got 9"):
        best_layout(mixed, 9, "A100-SXM4-80GB")


def test_gang_over_several_kinds_is_wired_as_its_worst() -> None:
    mixed = build_cluster({"nodes": [{"gpu": "H100-SXM", "gpus": 8}, {"gpu": "T4", "gpus": 4}]})
    assert layout_of(mixed, [(0, 1), (1, 1)]).board.kind == "T4"


@given(st.lists(st.integers(1, 255), min_size=1, max_size=8), st.randoms())
def test_equal_shapes_are_one_object_in_any_order(masks: list[int], random) -> None:  # type: ignore[no-untyped-def]
    placement = list(enumerate(masks))
    shuffled = random.sample(placement, len(placement))
    assert layout_of(HGX, placement) is layout_of(HGX, shuffled)


def test_nodes_of_other_numbers_but_the_same_shape_share_a_layout() -> None:
    assert layout_of(HGX, whole(2)) is layout_of(HGX, whole(2, first=4))
    assert layout_of(HGX, whole(2)) is not layout_of(HGX, whole(2, first=3))


def test_nodes_without_told_domains_have_no_nvlink() -> None:
    bare = build_cluster({"nodes": [{"gpu": "T4", "gpus": 2}]})
    assert shape(layout_of(bare, [(0, 0b11)])) == [(1, 1)]
