"""GPUs in MIG mode: who gets which instance, what is made and goes with its job, cutting a GPU otherwise."""

from __future__ import annotations

import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.job import Job
from goodwatt.cluster.mig_state import SlicedGpu, Slot, repartition, share_milli, sliced_request
from goodwatt.cluster.state import ClusterState, DoesNotFitError
from goodwatt.errors import FieldError, RunError, UnknownNameError
from tests.scenario import Nodes, cluster, job
from tests.state_content import assert_sound, content

H200 = gpu_kind("H200-SXM")


def asks(job_id: str, profile: str) -> Job:
    return sliced_request(job(job_id), profile)


def held(state: ClusterState, node: int = 0) -> list[tuple[int, str, int, str]]:
    return [
        (one.gpu, slot.profile, slot.start, slot.holder) for one in state.slices.of_node[node] for slot in one.slots
    ]


@pytest.mark.parametrize(
    ("profile", "milli"), [("1g.18gb", 142), ("2g.35gb", 285), ("3g.71gb", 428), ("4g.71gb", 571), ("7g.141gb", 999)]
)
def test_an_instance_counts_as_its_compute_slices(profile: str, milli: int) -> None:
    assert share_milli(profile) == milli
    assert sliced_request(job(), profile).gpu_milli == milli


def test_instances_are_made_for_jobs_and_go_with_them() -> None:
    state = ClusterState(cluster(Nodes(1, gpus=2, kind="H200")))
    empty = content(state)
    a, b, c = asks("a", "3g.71gb"), asks("b", "4g.71gb"), asks("c", "1g.18gb")
    for wish in (a, b, c):
        state.allocate(wish, ((0, 1),))
    assert [(gpu, name, who) for gpu, name, _, who in held(state)] == [
        (0, "4g.71gb", "b"),
        (0, "3g.71gb", "a"),
        (1, "1g.18gb", "c"),
    ]
    assert (state.free_gpus, state.used_milli) == (0, [428 + 571 + 142])
    assert not list(state.single_node(job(gpus=1)))
    for wish in (a, b, c):
        state.release(wish)
    assert content(state) == empty


def test_a_free_instance_is_taken_before_one_is_made() -> None:
    state = ClusterState(cluster(Nodes(1, gpus=3, kind="H200")))
    state.set_slices(0, 2, SlicedGpu(2, True, (Slot("1g.18gb", 3, kept=True),)))
    small = asks("a", "1g.18gb")
    assert state.allocate(small, ((0, 1),)) == ((0, 0b100),)
    state.release(small)
    assert held(state) == [(2, "1g.18gb", 3, "")]


def test_static_jobs_take_what_there_is() -> None:
    state = ClusterState(cluster(Nodes(1, gpus=2, kind="H200", mig=("3g.71gb", "3g.71gb"))))
    state.slices.settle(creates=False)
    for name in ("a", "b", "c", "d"):
        state.allocate(asks(name, "3g.71gb"), ((0, 1),))
    for wish in (asks("e", "3g.71gb"), asks("f", "1g.18gb")):
        with pytest.raises(DoesNotFitError, match="no GPU with room for a MIG instance"):
            state.allocate(wish, ((0, 1),))
        assert not any(nodes for _, nodes in state.single_node(wish))


def test_no_instance_is_used_while_its_gpu_is_changed() -> None:
    state = ClusterState(cluster(Nodes(1, gpus=1, kind="H200")))
    state.set_slices(0, 0, SlicedGpu(0, False, (Slot("1g.18gb", 0, kept=True),)))
    with pytest.raises(DoesNotFitError):
        state.allocate(asks("a", "1g.18gb"), ((0, 1),))


def test_a_gpu_may_be_named() -> None:
    state = ClusterState(cluster(Nodes(1, gpus=3, kind="H200")))
    assert state.allocate(asks("a", "3g.71gb"), ((0, 1),), (0b100,)) == ((0, 0b100),)
    state.allocate(job("whole"), ((0, 1),), (0b001,))
    with pytest.raises(DoesNotFitError, match="no room for a MIG instance"):
        state.allocate(asks("b", "3g.71gb"), ((0, 1),), (0b001,))


def test_a_kind_without_mig_has_no_node_for_an_instance() -> None:
    state = ClusterState(cluster(Nodes(1, gpus=2)))
    with pytest.raises(DoesNotFitError):
        state.allocate(asks("a", "3g.71gb"), ((0, 1),))


def test_an_instance_needs_memory_for_what_is_asked() -> None:
    state = ClusterState(cluster(Nodes(1, gpus=2, kind="H200")))
    greedy = sliced_request(job("a", gpu_memory_mib=20_000), "1g.18gb")
    assert state.eligible(greedy).nodes == 0


# cutting -------------------------------------------------------------------------------------------------------------


def test_cutting_keeps_what_stays_with_its_job() -> None:
    slots = (Slot("1g.18gb", 0), Slot("1g.18gb", 1, "a"), Slot("3g.71gb", 4, "b"))
    new = repartition(H200, slots, ("1g.18gb", "2g.35gb", "3g.71gb"))
    assert [(slot.profile, slot.start, slot.holder) for slot in new.slots] == [
        ("1g.18gb", 1, "a"),
        ("2g.35gb", 2, ""),
        ("3g.71gb", 4, "b"),
    ]
    assert (new.destroyed, new.created) == (1, 1)
    assert all(slot.kept for slot in new.slots)


def test_idle_instances_move_if_they_are_in_the_way() -> None:
    new = repartition(H200, (Slot("1g.18gb", 4),), ("1g.18gb", "4g.71gb", "2g.35gb"))
    assert {slot.profile for slot in new.slots} == {"1g.18gb", "2g.35gb", "4g.71gb"}


@pytest.mark.parametrize(
    ("slots", "profiles", "reason"),
    [
        ((Slot("3g.71gb", 4, "a"),), (), "a process runs in it"),
        ((Slot("1g.18gb", 0, "a"), Slot("1g.18gb", 1, "b")), ("1g.18gb",), "a process runs in it"),
        ((), ("4g.71gb", "4g.71gb"), "no legal places"),
        ((Slot("1g.18gb", 0, "a"),), ("1g.18gb", "4g.71gb"), "no legal places for all of them, running: 1g.18gb@0"),
    ],
)
def test_what_the_hardware_refuses(slots: tuple[Slot, ...], profiles: tuple[str, ...], reason: str) -> None:
    with pytest.raises(RunError, match=reason):
        repartition(H200, slots, profiles)


def test_a_profile_of_another_kind_is_unknown() -> None:
    with pytest.raises(UnknownNameError, match="3g"):
        repartition(H200, (), ("3g.40gb",))


# cluster files -------------------------------------------------------------------------------------------------------


def test_a_cluster_file_says_how_gpus_are_cut() -> None:
    of = build_cluster({"nodes": [{"gpu": "H200-SXM", "gpus": 2, "mig": ["3g.71gb", "4g.71gb"]}]})
    state = ClusterState(of)
    assert held(state) == [(gpu, *slot) for gpu in (0, 1) for slot in (("4g.71gb", 0, ""), ("3g.71gb", 4, ""))]
    assert (state.free_gpus, state.whole_node_gpus, state.used_milli) == (0, 0, [0])
    assert not state.in_use(0)
    assert_sound(state, {})
    state.set_up(0, False)
    state.set_up(0, True)
    assert_sound(state, {})


@pytest.mark.parametrize(
    ("gpu", "profiles", "problem"),
    [
        ("H200-SXM", ["3g.40gb"], "3g.40gb"),
        ("V100-SXM2", ["3g.40gb"], "3g.40gb"),
        ("H200-SXM", ["4g.71gb", "4g.71gb"], "fit on one GPU together"),
    ],
)
def test_what_does_not_fit_is_named(gpu: str, profiles: list[str], problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        build_cluster({"nodes": [{"gpu": gpu, "gpus": 2, "mig": profiles}]})
