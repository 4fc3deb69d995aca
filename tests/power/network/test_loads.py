"""Links that gangs share: who meets whom, how much slower it makes them, and that removing leaves nothing behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.power.network.layout import layout_of
from goodwatt.power.network.loads import NetworkLoads
from tests.power.network.wired import whole, wired

HGX = wired("H100-SXM", 8, nodes_per_rack=4)
TIGHT = wired("H100-SXM", 8, nodes_per_rack=4, network={"oversubscription": 4})
NVL72 = wired("GB200", 36, 4, nodes_per_rack=18)


def test_gangs_inside_one_machine_share_nothing() -> None:
    for cluster, placement in ((HGX, whole(1)), (NVL72, whole(18, 4))):
        loads = NetworkLoads(cluster)
        assert loads.add("a", placement, layout_of(cluster, placement)) == ()
        assert loads.load("a") == 1.0


def test_two_gangs_on_the_same_cards_halve_each_other() -> None:
    loads, half = NetworkLoads(HGX), [(0, 15), (1, 15)]
    layout = layout_of(HGX, half)
    assert loads.add("a", half, layout) == ()
    assert loads.load("a") == 1.0
    other = [(1, 240), (2, 15)]
    assert loads.add("other", other, layout_of(HGX, other)) == ("a",)
    assert loads.load("a") == loads.load("other") == pytest.approx(1.0), "each uses the cards of its own four GPUs"
    assert loads.remove("other") == ("a",)
    full = whole(2, first=1)
    assert loads.add("b", full, layout_of(HGX, full)) == ("a",)
    assert loads.load("a") == loads.load("b") == pytest.approx(1.5)
    assert loads.remove("a") == ("b",)
    assert loads.load("b") == 1.0


def test_gangs_that_mostly_compute_disturb_less() -> None:
    loads, layout = NetworkLoads(HGX), layout_of(HGX, whole(2))
    loads.add("a", whole(2), layout, busy=0.2)
    loads.add("b", whole(2), layout, busy=0.5)
    assert loads.load("a") == pytest.approx(1.5)
    assert loads.load("b") == pytest.approx(1.2)


def test_uplinks_of_racks_are_shared_by_gangs_on_different_nodes() -> None:
    for cluster, load in ((HGX, 1.0), (TIGHT, 2.0)):
        loads = NetworkLoads(cluster)
        one, other = [(0, 255), (4, 255)], [(1, 255), (5, 255)]
        assert loads.add("a", one, layout_of(cluster, one)) == ()
        assert loads.add("b", other, layout_of(cluster, other)) == ("a",)
        assert loads.load("a") == pytest.approx(load)


def test_the_nodes_of_an_nvlink_domain_carry_the_ring_together() -> None:
    loads = NetworkLoads(NVL72)
    both, few = whole(36, 4), [(17, 15), (18, 15)]
    loads.add("both", both, layout_of(NVL72, both))
    assert loads.load("both") == pytest.approx(1.0), "a gang that is alone has all that it could use"
    loads.add("few", few, layout_of(NVL72, few))
    assert loads.load("both") == loads.load("few") == pytest.approx(2.0), "on the cards of two nodes they meet"
    uneven = NetworkLoads(NVL72)
    placement = [*whole(18, 4), (18, 3)]
    uneven.add("one", placement, layout_of(NVL72, placement))
    assert uneven.load("one") == pytest.approx(1.0), "half the cards of a single node are the narrowest"


def test_a_gang_is_added_once() -> None:
    loads = NetworkLoads(HGX)
    loads.add("a", whole(2), layout_of(HGX, whole(2)))
    with pytest.raises(ValueError, match="not on the network yet, got 'a'"):
        loads.add("a", whole(2), layout_of(HGX, whole(2)))
    assert loads.remove("nobody") == ()


GANGS = st.lists(
    st.tuples(st.lists(st.integers(0, 7), min_size=1, max_size=8, unique=True), st.floats(0.0, 1.0)), max_size=12
)


@given(GANGS, st.randoms())
def test_copies_are_independent_and_removal_restores(gangs, random) -> None:  # type: ignore[no-untyped-def]
    loads = NetworkLoads(TIGHT)
    for name, (nodes, busy) in enumerate(gangs):
        placement = [(node, 255) for node in nodes]
        loads.add(str(name), placement, layout_of(TIGHT, placement), busy)
    before = [loads.load(str(name)) for name in range(len(gangs))]
    assert all(load >= 1.0 for load in before)
    twin, extra = loads.copy(), whole(8)
    twin.add("extra", extra, layout_of(TIGHT, extra))
    assert [loads.load(str(name)) for name in range(len(gangs))] == before
    for name in random.sample(range(len(gangs)), len(gangs)):
        twin.remove(str(name))
    assert twin.load("extra") == 1.0
    assert twin.remove("extra") == ()
