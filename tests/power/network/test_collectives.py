"""Collectives: closed forms on one link, orders that must hold between layouts, and monotonicity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.network import Network
from goodwatt.power.network.board import NETWORK_EFFICIENCY, node_gbps
from goodwatt.power.network.collectives import (
    ALGORITHMS,
    all_reduce_s,
    ring_network_gbps,
)
from goodwatt.power.network.layout import Layout, layout_of
from tests.power.network.wired import whole, wired

MB, GB = 1e6, 1e9
HGX = wired("H100-SXM", 16, nodes_per_rack=4)
PAIRS = wired("A100-PCIE-80GB", 2, 4)
DGX1 = wired("V100-SXM2", 2)
NVL72 = wired("GB200", 36, 4, nodes_per_rack=18)
NET = HGX.network


def hgx(*masks: int) -> Layout:
    return layout_of(HGX, list(enumerate(masks)))


def test_one_gpu_and_no_bytes_take_no_time() -> None:
    assert all_reduce_s(hgx(1), NET, GB) == 0.0
    assert all_reduce_s(hgx(255), NET, 0.0) == 0.0


def test_large_buffers_move_at_the_bandwidth_of_the_link() -> None:
    size = 1e12
    nvlink = hgx(255).board.nvlink
    assert nvlink is not None
    volume_gb = 2 * 7 / 8 * size / GB
    assert all_reduce_s(hgx(255), NET, size) == pytest.approx(volume_gb / nvlink.gbps, rel=0.01)


def test_small_buffers_take_the_launch() -> None:
    assert 20e-6 < all_reduce_s(hgx(255), NET, 8.0) < 40e-6


SLOWER = [
    ("pair within and across NVLink", PAIRS, [(0, 0b0011)], [(0, 0b0101)]),
    ("four GPUs: pairs fall back to PCIe", PAIRS, [(0, 0b0011)], [(0, 0b1111)]),
    ("eight GPUs in a node and over two", HGX, whole(1), [(0, 15), (1, 15)]),
    ("even and uneven over two nodes", HGX, [(0, 15), (1, 15)], [(0, 127), (1, 1)]),
    ("one NVLink domain of trays and two", NVL72, whole(4, 4), [*whole(2, 4), *whole(2, 4, 18)]),
]


@pytest.mark.parametrize(("what", "cluster", "better", "worse"), SLOWER)
def test_placement_decides(what, cluster, better, worse) -> None:  # type: ignore[no-untyped-def]
    fast, slow = (all_reduce_s(layout_of(cluster, p), cluster.network, GB) for p in (better, worse))
    assert slow > 1.2 * fast, what


def test_nvl72_reduces_over_trays_as_within_one_node() -> None:
    trays, net = layout_of(NVL72, whole(2, 4)), NVL72.network
    assert all_reduce_s(trays, net, GB) < 2 * all_reduce_s(layout_of(NVL72, whole(1, 4)), net, GB)


def test_twin_links_join_the_two_quads_of_a_hybrid_cube_mesh() -> None:
    quad, both = layout_of(DGX1, [(0, 15)]), layout_of(DGX1, [(0, 255)])
    one, two = all_reduce_s(quad, DGX1.network, GB), all_reduce_s(both, DGX1.network, GB)
    assert one < two < 3 * one


def test_network_cards_belong_to_their_gpus() -> None:
    board, net = hgx(1).board, Network()
    assert node_gbps(board, net, 8, 1) == pytest.approx(50 * NETWORK_EFFICIENCY)
    assert node_gbps(board, net, 8, 8) == pytest.approx(400 * NETWORK_EFFICIENCY)
    assert node_gbps(board, Network(node_gbps=100.0, nics=4), 8, 2) == pytest.approx(25 * NETWORK_EFFICIENCY)
    assert node_gbps(board, Network(node_gbps=100.0, nics=1), 8, 1) == pytest.approx(100 * NETWORK_EFFICIENCY)


def test_oversubscribed_uplinks_bind_only_between_racks() -> None:
    net = Network(oversubscription=8.0)
    inside, across = layout_of(HGX, whole(2)), layout_of(HGX, [(0, 255), (4, 255)])
    assert ring_network_gbps(inside, net) == ring_network_gbps(inside, Network())
    assert ring_network_gbps(across, net) == pytest.approx(ring_network_gbps(across, Network()) / 2)


def test_host_memory_is_shared_by_all_crossings() -> None:
    cards = wired("T4", 1, 4)
    four = layout_of(cards, [(0, 15)])
    slow = all_reduce_s(four, Network(host_gbps=8.0), GB)
    assert slow == pytest.approx(1.5 / 2.0, rel=0.01)  # 1.5 GB at a quarter of 8 GB/s


def test_algorithms_by_name() -> None:
    sixteen = layout_of(HGX, whole(16))
    times = {name: all_reduce_s(sixteen, NET, 4 * MB, algorithm=name) for name in ("ring", "tree", "hierarchical")}
    assert times["tree"] < times["ring"], "few hops win where buffers are small"
    assert all_reduce_s(sixteen, NET, 4 * MB) == min(times["ring"], times["tree"])
    with pytest.raises(ValueError, match="expected a layout inside one NVSwitch domain"):
        all_reduce_s(sixteen, NET, GB, algorithm="nvls")
    with pytest.raises(KeyError):
        all_reduce_s(sixteen, NET, GB, algorithm="butterfly")


def test_switches_that_add_up_are_faster_only_where_the_network_says_so() -> None:
    plain, nvls = all_reduce_s(hgx(255), Network(), GB), all_reduce_s(hgx(255), Network(nvls=True), GB)
    assert nvls < plain
    assert all_reduce_s(layout_of(PAIRS, [(0, 3)]), Network(nvls=True), GB) == all_reduce_s(
        layout_of(PAIRS, [(0, 3)]), Network(), GB
    )


masks = st.lists(st.integers(1, 255), min_size=1, max_size=8)
sizes = st.floats(1.0, 1e11)


@given(masks, sizes, st.floats(1.0, 20.0))
def test_more_bytes_and_more_load_never_take_less(masks: list[int], size: float, load: float) -> None:
    layout = hgx(*masks)
    time_s = all_reduce_s(layout, NET, size)
    assert time_s >= 0.0
    assert all_reduce_s(layout, NET, 2 * size) >= time_s
    assert all_reduce_s(layout, NET, size, load) >= time_s


@given(masks, sizes)
def test_what_is_chosen_is_one_of_the_algorithms_and_none_beats_it_but_the_optional(
    masks: list[int], size: float
) -> None:
    layout = hgx(*masks)
    if layout.gpus > 1:
        chosen = all_reduce_s(layout, NET, size)
        assert chosen <= all_reduce_s(layout, NET, size, algorithm="ring")
        assert set(ALGORITHMS) == {"ring", "tree", "nvls", "hierarchical"}
