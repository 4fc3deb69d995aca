"""The smallest domain that holds the job, the one with the fewest GPUs left over among those."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.topology_aware import TopologyAware
from tests.made_runs import clusters, jobs
from tests.policies.placing import Drawn, assert_places_well, drawn, node_of, put, view_of
from tests.scenario import Nodes, cluster, job


def pairs(picture: str) -> Drawn:
    """A node whose NVLink domains are pairs of neighbours."""
    return drawn(picture, domain=2)


def quads(picture: str) -> Drawn:
    """A node whose NVLink domains are fours of neighbours."""
    return drawn(picture, domain=4)


def x(picture: str) -> Drawn:
    """A node of NVLink domain x."""
    return drawn(picture, clique="x")


def y(picture: str) -> Drawn:
    """A node of NVLink domain y."""
    return drawn(picture, clique="y")


# Why, nodes, GPUs wanted, the node that the job gets.
ONE_NODE: list[tuple[str, list[Drawn], int, int | None]] = [
    ("a started pair before a whole one", [pairs("##.."), pairs("#...")], 1, 1),
    ("a whole pair before two halves", [pairs("#.#."), pairs("....")], 2, 1),
    ("two halves if no pair is whole", [pairs("#.#."), pairs("##.#")], 2, 0),
    ("the pair that is left before a quad", [quads("...."), pairs("##..")], 2, 1),
    ("a quad that holds three before pairs that do not", [pairs("#..."), quads("....")], 3, 1),
    ("the fuller quad of two", [quads("....##.."), quads("........")], 2, 0),
    ("equal pairs: the fuller node", [pairs("...."), pairs("..##")], 2, 1),
    ("the fullest node", [drawn("...."), drawn("#..."), drawn("##..")], 2, 2),
    ("equal nodes: the fuller domain of nodes", [x("#..."), x("...."), y("#..."), y("###.")], 3, 2),
    ("equal in everything: the lowest", [x("...."), x("...."), y("....")], 1, 2),
    ("none has so many free", [pairs("#..."), x("##..")], 4, None),
]


@pytest.mark.parametrize(("why", "nodes", "gpus", "node"), ONE_NODE, ids=[row[0] for row in ONE_NODE])
def test_one_node(why: str, nodes: list[Drawn], gpus: int, node: int | None) -> None:
    assert node_of(put(TopologyAware(), job(gpus=gpus), *nodes)) == node, why


def test_the_device_manager_then_takes_the_domain_that_was_meant() -> None:
    state = ClusterState(cluster(Nodes(1, gpus=8, domain=4)))
    state.allocate(job("a", gpus=2), ((0, 2),))
    wanted = job("b", gpus=2)
    place = TopologyAware().place(wanted, state, view_of(state))
    assert place is not None
    assert state.allocate(wanted, place.nodes) == ((0, 0b1100),)


def test_a_share_joins_others_on_the_fullest_node() -> None:
    assert node_of(put(TopologyAware(), job(gpu_milli=300), "#...", "5...", "5##.", "8##.")) == 2


# Why, nodes, GPUs wanted, (node, GPUs) that the gang gets.
GANGS: list[tuple[str, list[Drawn], int, list[tuple[int, int]] | None]] = [
    ("in one domain of nodes", [x("...."), x("#..."), y("...."), y("....")], 8, [(2, 4), (3, 4)]),
    (
        "in the domain with the fewest left over",
        [x("...."), x("...."), x("...."), y("...."), y("....")],
        8,
        [(3, 4), (4, 4)],
    ),
    (
        "in a larger domain if the tighter one has no empty nodes",
        [x("#..."), x("...."), x("#..."), y("...."), y("...."), y("....")],
        8,
        [(3, 4), (4, 4)],
    ),
    ("the rest where the fewest are left over", [x("...."), x("...."), x("#...")], 6, [(0, 4), (2, 2)]),
    (
        "wider than a domain: the emptiest domains together",
        [drawn("...."), x("...."), x("####"), y("...."), y("...."), drawn("....")],
        12,
        [(1, 4), (3, 4), (4, 4)],
    ),
    ("wider than all domains: anywhere", [x("...."), drawn("...."), drawn("....")], 12, [(0, 4), (1, 4), (2, 4)]),
    (
        "wider than a domain: both, the rest on a started node",
        [x("...."), x("#..."), y("....")],
        9,
        [(0, 4), (2, 4), (1, 1)],
    ),
    ("no room at all", [x("...."), x("#..."), y("....")], 12, None),
]


@pytest.mark.parametrize(("why", "nodes", "gpus", "gang"), GANGS, ids=[row[0] for row in GANGS])
def test_gangs(why: str, nodes: list[Drawn], gpus: int, gang: list[tuple[int, int]] | None) -> None:
    place = put(TopologyAware(), job(gpus=gpus), *nodes)
    assert (None if place is None else list(place.nodes)) == gang, why


def in_racks(*racks: str) -> ClusterState:
    """Empty nodes of four GPUs, in these racks."""
    made = cluster(Nodes(len(racks), gpus=4))
    nodes = tuple(replace(node, rack=rack) for node, rack in zip(made.nodes, racks, strict=True))
    return ClusterState(replace(made, nodes=nodes))


def test_racks_are_domains_too() -> None:
    state = in_racks("r1", "r2", "r2", "r3", "r3", "r3")
    gang, single = (TopologyAware().place(job(gpus=gpus), state, view_of(state)) for gpus in (8, 1))
    assert gang is not None
    assert gang.nodes == ((1, 4), (2, 4))
    assert node_of(single) == 0, "the smallest rack has the fewest free GPUs"


def test_a_gang_in_one_nvl72_of_two() -> None:
    """18 nodes of 4 GPUs each: 40 GPUs go to the domain that is in use already, 60 to the whole one."""
    state = ClusterState(cluster(Nodes(18, gpus=4, clique="a"), Nodes(18, gpus=4, clique="b")))
    state.allocate(job("used", gpus=4), ((20, 4),))
    wanted = job("gang", gpus=40)
    place = TopologyAware().place(wanted, state, view_of(state))
    assert place is not None
    assert {node for node, _ in place.nodes} <= set(range(18, 36)) - {20}
    state.allocate(wanted, place.nodes)
    large = TopologyAware().place(job("large", gpus=60), state, view_of(state))
    assert large is not None
    assert {node for node, _ in large.nodes} <= set(range(18))


@given(clusters, jobs, st.sampled_from(["kubelet", "policy"]))
def test_places_well(on: Cluster, made: tuple[Job, ...], gpu_choice: str) -> None:
    assert_places_well(TopologyAware(), on, made, gpu_choice)
