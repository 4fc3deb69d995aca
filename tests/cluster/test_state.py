"""What of a cluster is in use: taking, giving back, what fits, and undoing all of it exactly."""

from __future__ import annotations

from typing import Any

import pytest

from goodwatt.cluster.state import ClusterState, DoesNotFitError, host_share
from goodwatt.errors import RunError
from tests.scenario import Nodes, cluster, job
from tests.state_content import assert_sound, content

MIXED = cluster(
    Nodes(2, gpus=8, domain=2, cpu_milli=32_000, memory_mib=64_000, partition="east"),
    Nodes(1, gpus=4, kind="large", cpu_milli=16_000, partition="east", clique="x"),
    Nodes(2, gpus=4, kind="large", memory_mib=30_000, partition="west", clique="x"),
    Nodes(1, gpus=1, partition="west"),
    Nodes(1, gpus=0, cpu_milli=8_000),
)


# taking and giving back -----------------------------------------------------------------------------------------------


def test_whole_gpus_are_taken_and_given_back() -> None:
    state = ClusterState(cluster(Nodes(2)))
    empty = content(state)
    wide = job("wide", gpus=12)
    placement = state.allocate(wide, ((0, 8), (1, 4)))
    assert dict(placement) == {0: 0b11111111, 1: 0b1111}
    assert (state.free_gpus, state.whole_node_gpus) == (4, 0)
    assert state.by_free[0] == 0b01
    assert state.by_free[4] == 0b10
    assert state.used_milli == [12_000]
    assert state.release(wide) == placement
    assert content(state) == empty


def test_shares_fill_one_gpu_before_the_next() -> None:
    state = ClusterState(cluster(Nodes(1, gpus=2)))
    for job_id, milli, gpu in [("a", 600, 0b01), ("b", 300, 0b01), ("c", 200, 0b10), ("d", 100, 0b01)]:
        assert state.allocate(job(job_id, gpu_milli=milli), ((0, 1),)) == ((0, gpu),)
    assert state.shares[0] == ((0, 1000), (1, 200))
    assert state.free_gpus == 0
    assert state.used_milli == [1200]
    state.release(job("c", gpu_milli=200))
    assert dict(state.shares[0]) == {0: 1000}
    assert state.free_mask[0] == 0b10


def test_cpu_and_memory_are_spread_by_gpus_and_rounded_up() -> None:
    gang = job(gpus=3, cpu_milli=1000, memory_mib=100)
    assert host_share(gang, 1) == (334, 34)
    assert host_share(gang, 2) == (667, 67)
    assert host_share(gang, 3) == (1000, 100)
    assert host_share(job(gpus=0, cpu_milli=500), 0) == (500, 0)
    state = ClusterState(cluster(Nodes(2, gpus=2, cpu_milli=1000, memory_mib=100)))
    state.allocate(gang, ((0, 2), (1, 1)))
    assert state.free_cpu_milli == [333, 666]
    assert state.free_memory_mib == [33, 66]


def test_a_job_without_gpus_takes_cpu_only() -> None:
    state = ClusterState(cluster(Nodes(1, gpus=2, cpu_milli=1000), Nodes(1, gpus=0, cpu_milli=4000)))
    batch = job(gpus=0, cpu_milli=2000)
    assert list(state.single_node(batch)) == [(0, 0b10)]
    assert state.allocate(batch, ((1, 0),)) == ((1, 0),)
    assert state.free_cpu_milli == [1000, 2000]
    assert (state.free_gpus, state.used_milli) == (2, [0, 0])


REFUSED: list[tuple[str, dict[str, Any], Any, Any, str]] = [
    ("too few GPUs named", {"gpus": 4}, ((0, 3),), None, "4 GPUs wanted"),
    ("too many GPUs named", {"gpus": 4}, ((0, 5),), None, "4 GPUs wanted"),
    ("a node twice", {"gpus": 4}, ((0, 2), (0, 2)), None, "4 GPUs wanted"),
    ("no node at all", {"gpus": 4}, (), None, "4 GPUs wanted"),
    ("no node for a job without GPUs", {"gpus": 0}, (), None, "0 GPUs wanted"),
    ("a job without GPUs on two nodes", {"gpus": 0}, ((0, 0), (1, 0)), None, "0 GPUs wanted"),
    ("a negative count beside one too large", {"gpus": 4}, ((0, 5), (1, -1)), None, "4 GPUs wanted"),
    ("a negative count for a job without GPUs", {"gpus": 0, "cpu_milli": 9}, ((0, -1), (1, 1)), None, "0 GPUs wanted"),
    ("a node that gives nothing", {"gpus": 4}, ((0, 4), (1, 0)), None, "4 GPUs wanted"),
    ("a node before the first", {"gpus": 4}, ((-1, 4),), None, "node -1"),
    ("a node after the last", {"gpus": 4}, ((9, 4),), None, "node 9"),
    ("a node of another partition", {"gpus": 1, "partition": "east"}, ((5, 1),), None, "partition"),
    ("a node of another kind", {"gpus": 1, "gpu_kind": ("large",)}, ((0, 1),), None, "GPU kind"),
    ("more GPUs than the node has", {"gpus": 9}, ((0, 9),), None, "9 GPUs wanted, 8 free"),
    ("too little CPU", {"gpus": 1, "cpu_milli": 32_001}, ((0, 1),), None, "32001 CPU"),
    ("too little memory", {"gpus": 1, "memory_mib": 64_001}, ((0, 1),), None, "64001 MiB"),
    ("GPUs that do not exist", {"gpus": 1}, ((0, 1),), (1 << 8,), "is not 1 free GPUs"),
    ("a negative mask", {"gpus": 1}, ((0, 1),), (-1,), "is not 1 free GPUs"),
    ("an empty mask", {"gpus": 1}, ((0, 1),), (0,), "is not 1 free GPUs"),
    ("a mask of too many GPUs", {"gpus": 1}, ((0, 1),), (0b11,), "is not 1 free GPUs"),
    ("too few masks", {"gpus": 8}, ((0, 4), (1, 4)), (0b1111,), "1 GPU masks for 2 nodes"),
    ("no masks", {"gpus": 1}, ((0, 1),), (), "0 GPU masks for 1 nodes"),
    ("a share on two GPUs", {"gpu_milli": 500}, ((0, 1),), (0b11,), "no room for 500"),
    ("a share on no GPU", {"gpu_milli": 500}, ((0, 1),), (0,), "no room for 500"),
    ("a share on a GPU that does not exist", {"gpu_milli": 500}, ((0, 1),), (1 << 8,), "no room for 500"),
    ("a share with a negative mask", {"gpu_milli": 500}, ((0, 1),), (-1,), "no room for 500"),
]


@pytest.mark.parametrize(("why", "wishes", "nodes", "gpus", "reason"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_placement_that_cannot_be_is_refused_and_changes_nothing(
    why: str, wishes: dict[str, Any], nodes: Any, gpus: Any, reason: str
) -> None:
    state = ClusterState(MIXED)
    before = content(state)
    with pytest.raises(DoesNotFitError, match=reason):
        state.allocate(job(**wishes), nodes, gpus)
    assert content(state) == before, why


def test_a_job_holds_one_placement() -> None:
    state = ClusterState(MIXED)
    state.allocate(job(), ((0, 1),))
    with pytest.raises(DoesNotFitError, match="placed already"):
        state.allocate(job(), ((1, 1),))
    with pytest.raises(KeyError):
        state.release(job("nobody"))


def test_gpus_in_use_are_not_given_again() -> None:
    state = ClusterState(cluster(Nodes(1, gpus=4)))
    state.allocate(job("a", gpus=2), ((0, 2),), (0b0110,))
    with pytest.raises(DoesNotFitError, match="is not 2 free GPUs"):
        state.allocate(job("b", gpus=2), ((0, 2),), (0b1100,))
    state.allocate(job("half", gpu_milli=500), ((0, 1),), (0b0001,))
    with pytest.raises(DoesNotFitError, match="no room for 501"):
        state.allocate(job("more", gpu_milli=501), ((0, 1),), (0b0001,))
    with pytest.raises(DoesNotFitError, match="no room for 500"):
        state.allocate(job("on a whole one", gpu_milli=500), ((0, 1),), (0b0010,))
    with pytest.raises(DoesNotFitError, match="is not 1 free GPUs"):
        state.allocate(job("whole on a shared one"), ((0, 1),), (0b0001,))
    with pytest.raises(DoesNotFitError, match="2 GPUs wanted, 1 free"):
        state.allocate(job("c", gpus=2), ((0, 2),))


# what fits ------------------------------------------------------------------------------------------------------------


def test_single_node_lists_nodes_by_free_gpus() -> None:
    state = ClusterState(cluster(Nodes(4, gpus=4)))
    state.allocate(job("a", gpus=2), ((1, 2),))
    state.allocate(job("b", gpus=3), ((2, 3),))
    assert list(state.single_node(job("c", gpus=2))) == [(2, 0b0010), (4, 0b1001)]
    assert list(state.single_node(job("c", gpus=5))) == []


def test_single_node_lists_started_gpus_first_for_a_share() -> None:
    state = ClusterState(cluster(Nodes(3, gpus=2)))
    state.allocate(job("a", gpu_milli=700), ((1, 1),))
    assert list(state.single_node(job("b", gpu_milli=300))) == [(0, 0b010), (2, 0b101)]
    assert list(state.single_node(job("b", gpu_milli=301))) == [(0, 0), (1, 0b010), (2, 0b101)]


def test_a_node_that_is_down_holds_nothing() -> None:
    state = ClusterState(cluster(Nodes(2, cpu_milli=1000)))
    full = content(state)
    state.set_up(0, False)
    assert list(state.single_node(job(gpus=1))) == [(8, 0b10)]
    assert list(state.single_node(job(gpus=0))) == [(0, 0b10)]
    assert (state.free_gpus, state.whole_node_gpus, state.up_nodes) == (8, 8, [1])
    with pytest.raises(DoesNotFitError, match="down"):
        state.allocate(job(), ((0, 1),))
    state.set_up(0, False)
    state.set_up(0, True)
    state.set_up(0, True)
    assert content(state) == full


def test_a_node_in_use_cannot_go_down() -> None:
    state = ClusterState(cluster(Nodes(1)))
    state.allocate(job(gpu_milli=1), ((0, 1),))
    with pytest.raises(RunError, match="in use"):
        state.set_up(0, False)


def test_nodes_stay_as_they_are_during_a_what_if() -> None:
    state = ClusterState(cluster(Nodes(1)))
    with state.what_if(), pytest.raises(RunError, match="checkpoint is open"):
        state.set_up(0, False)


def test_a_cluster_without_nodes() -> None:
    state = ClusterState(cluster())
    assert list(state.single_node(job())) == []
    assert (state.free_gpus, state.max_gpus) == (0, 0)


# what if --------------------------------------------------------------------------------------------------------------


def test_what_if_is_undone() -> None:
    state = ClusterState(MIXED)
    stays = job("stays", gpus=3, cpu_milli=3000, partition="east")
    state.allocate(stays, ((0, 3),))
    before = content(state)
    with state.what_if() as trial:
        assert trial is state
        trial.release(stays)
        trial.allocate(job("gang", gpus=12), ((0, 8), (2, 4)))
        trial.allocate(job("share", gpu_milli=10), ((1, 1),))
    assert content(state) == before


def test_what_if_is_undone_after_an_exception() -> None:
    state = ClusterState(MIXED)
    before = content(state)

    def overfill() -> None:
        with state.what_if():
            state.allocate(job("a", gpus=8), ((0, 8),))
            state.allocate(job("b", gpus=8), ((0, 8),))

    with pytest.raises(DoesNotFitError):
        overfill()
    assert content(state) == before
    with state.what_if():  # and the next one works
        state.allocate(job("a", gpus=8), ((0, 8),))
    assert content(state) == before


def test_what_if_inside_what_if() -> None:
    state = ClusterState(MIXED)
    before = content(state)
    with state.what_if():
        state.allocate(job("outer", gpus=4), ((0, 4),))
        between = content(state)
        with state.what_if():
            state.allocate(job("inner", gpus=4), ((0, 4),))
            state.release(job("outer", gpus=4))
        assert {**content(state), "_log": None} == {**between, "_log": None}
    assert content(state) == before


def test_what_if_leaves_placements_in_their_order() -> None:
    state = ClusterState(MIXED)
    jobs = [job(name, gpus=2) for name in ("first", "second", "third")]
    for one in jobs:
        state.allocate(one, ((0, 2),))
    with state.what_if():
        state.release(jobs[1])
        mark = state.checkpoint()
        state.release(jobs[0])
        state.rollback(mark)
    with state.what_if():
        mark = state.checkpoint()
        state.release(jobs[0])
        state.rollback(mark)
        state.release(jobs[0])
    assert list(state.placements) == ["first", "second", "third"]


def test_rollback_to_a_checkpoint() -> None:
    state = ClusterState(MIXED)
    with state.what_if():
        state.allocate(job("first", gpus=4), ((0, 4),))
        mark, between = state.checkpoint(), content(state)
        state.allocate(job("second", gpus=4), ((0, 4),))
        state.rollback(mark)
        assert content(state) == between
    with pytest.raises(RunError, match="outside"):
        state.checkpoint()


def test_a_copy_is_independent() -> None:
    state = ClusterState(MIXED)
    state.allocate(job("both", gpus=4), ((0, 4),))
    twin = state.copy()
    assert content(twin) == content(state)
    before = content(state)
    twin.release(job("both", gpus=4))
    twin.allocate(job("share", gpu_milli=10, cpu_milli=10, memory_mib=10), ((1, 1),))
    twin.set_up(3, False)
    assert content(state) == before
    assert_sound(twin, {"share": job("share", gpu_milli=10, cpu_milli=10, memory_mib=10)})
