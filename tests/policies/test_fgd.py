"""Fragmentation by hand, in thousandths of a GPU, and the placement where it increases least."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import WHOLE_GPU_MILLI, Job, JobRequest
from goodwatt.cluster.state import ClusterState, host_share
from goodwatt.policies.fgd import Fgd
from goodwatt.policies.packing.fragmentation import fragmentation, fragmented_gpus, steepest
from goodwatt.policies.packing.typical import QUEUE_HEAD, Demand, JobsInSight, Typical, in_percent, typical_of
from goodwatt.policies.placement import feasible_nodes, room_on_gpus, single_node_job
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View
from tests.made_runs import clusters, jobs
from tests.policies.placing import Drawn, assert_places_well, drawn, gpu_of, node_of, put, state_of, view_of
from tests.scenario import Nodes, cluster, job


@dataclass(frozen=True, slots=True)
class For(Fgd):
    """FGD for a workload that is given."""

    classes: Typical = ()

    def workload(self, view: View) -> Typical:
        return self.classes


def workload(*wanted: JobRequest) -> Typical:
    """Each of these jobs is as common as the others."""
    return typical_of(wanted, 1.0)


HALF, WHOLE = job(gpu_milli=500), job()
HALVES_AND_WHOLES = workload(HALF, WHOLE)

# Why, nodes, the workload, fragmentation of all nodes in thousandths: the mean over the workload.
AMOUNTS: list[tuple[str, list[Drawn | str], Typical, float]] = [
    ("nobody lacks anything", ["..", "."], HALVES_AND_WHOLES, 0),
    ("half a GPU is of no use to who wants a whole one", ["5"], HALVES_AND_WHOLES, 500 / 2),
    ("200 and 500 left: halves lose the 200, wholes all 700", ["85"], HALVES_AND_WHOLES, (200 + 700) / 2),
    ("the whole GPU beside them is of use", ["85."], HALVES_AND_WHOLES, (200 + 700) / 2),
    ("two wanted, one free", ["#."], workload(job(gpus=2)), 1000),
    ("two wanted, three free: the third is not lost", ["#..."], workload(job(gpus=2)), 0),
    ("a job without GPUs can use none", ["..", "5"], workload(job(gpus=0)), 2500),
    ("no CPU is left", [drawn("..", cpu=7_000, cpu_milli=8_000)], workload(job(cpu_milli=2_000)), 2000),
    ("no memory is left", [drawn("..", memory=70, memory_mib=80)], workload(job(memory_mib=20)), 2000),
    ("the wrong kind", [drawn(".", kind="small"), drawn("..", kind="large")], workload(job(gpu_kind=("small",))), 2000),
    (
        "the wrong partition",
        [drawn(".", partition="east"), drawn("..", partition="west")],
        workload(job(partition="east")),
        2000,
    ),
    ("a gang can use empty nodes only", ["....", "#...", "...."], workload(job(gpus=8)), 3000),
    (
        "a gang's part on a node has its part of the CPU",
        [drawn("..", cpu_milli=3_000)] * 2,
        workload(job(gpus=4, cpu_milli=8_000)),
        4000,
    ),
    ("nothing free, nothing lost", ["##", "#"], HALVES_AND_WHOLES, 0),
]


@pytest.mark.parametrize(("why", "nodes", "classes", "milli"), AMOUNTS, ids=[row[0] for row in AMOUNTS])
def test_fragmentation(why: str, nodes: list[Drawn | str], classes: Typical, milli: float) -> None:
    assert fragmented_gpus(state_of(*nodes), classes) * 1000 == pytest.approx(milli), why


LARGE_ONLY = workload(job(gpu_kind=("large",)))
FOUR_CPUS = workload(job(cpu_milli=4_000))

NEEDY = job(cpu_milli=4_000)
CPU_4, CPU_8 = (drawn("..", cpu_milli=milli) for milli in (4_000, 8_000))
FREE, IN_USE = (drawn(picture, cpu_milli=4_000) for picture in ".#")

# Why (increase of fragmentation on each node), nodes, the workload, the job, the node that it gets.
NODES: list[tuple[str, list[Drawn | str], Typical, JobRequest, int | None]] = [
    ("+250 opening a GPU, -250 filling one", [".", "5"], HALVES_AND_WHOLES, HALF, 1),
    ("+1000 for a GPU left without CPU, 0", [CPU_4, CPU_8], FOUR_CPUS, NEEDY, 1),
    ("+1000 taking the CPU beside a free GPU, 0", [FREE, IN_USE], FOUR_CPUS, job(gpus=0, cpu_milli=1_000), 1),
    ("0 on the kind that others want, -1000", [drawn("..", kind="large"), drawn("..")], LARGE_ONLY, WHOLE, 1),
    ("+7000 opening a node that gangs want, -1000", ["." * 8, "#" + "." * 7], workload(job(gpus=16)), WHOLE, 1),
    ("0 everywhere: the lowest", ["..", "..", ".."], workload(WHOLE), WHOLE, 0),
    ("it fits nowhere", ["#", "#"], HALVES_AND_WHOLES, WHOLE, None),
]


@pytest.mark.parametrize(("why", "nodes", "classes", "wanted", "node"), NODES, ids=[row[0] for row in NODES])
def test_nodes(why: str, nodes: list[Drawn | str], classes: Typical, wanted: JobRequest, node: int | None) -> None:
    assert node_of(put(For(classes=classes), wanted, *nodes)) == node, why


SIXES_AND_NINES = workload(*[job(gpu_milli=600)] * 4, job(gpu_milli=900))
FIVES_AND_SEVENS = workload(HALF, job(gpu_milli=700))

# Why (times the number of jobs in the workload), the node, the workload, thousandths wanted, the GPU.
GPUS: list[tuple[str, str, Typical, int, int]] = [
    ("700 left and 500 left: +400, -500", "35", FIVES_AND_SEVENS, 500, 1),
    ("600 left, tight, spoils it for 4 jobs of 5: +900; 900 left becomes 600: +600", "41", SIXES_AND_NINES, 300, 1),
    ("as much left on both: the lowest", "44", SIXES_AND_NINES, 300, 0),
]


@pytest.mark.parametrize(("why", "node", "classes", "milli", "gpu"), GPUS, ids=[row[0] for row in GPUS])
def test_gpus(why: str, node: str, classes: Typical, milli: int, gpu: int) -> None:
    assert gpu_of(put(For(classes=classes), job(gpu_milli=milli), node)) == (0, gpu), why


def test_where_the_node_chooses_the_gpu_its_choice_is_what_counts() -> None:
    """A node would take the GPU with 600 left, +900; the policy would take the one with 900 left, +600."""
    policy, wanted = For(exact=True, classes=SIXES_AND_NINES), job(gpu_milli=300)
    other = "6"  # 400 left become 100: of no use before and after, -5 x 300
    assert gpu_of(put(policy, wanted, "41")) == (0, 1)
    place = put(policy, wanted, "41", other, gpu_choice="kubelet")
    assert place is not None
    assert (place.nodes, place.gpus) == (((1, 1),), None)


def test_scores_are_whole_numbers() -> None:
    """0 on the first node and -10 thousandths on the second are both score 50, compared exactly they differ."""
    classes, wanted = workload(job(gpu_milli=990)), job(gpu_milli=10)
    state = ClusterState(cluster(Nodes(2, gpus=1)))
    state.allocate(job("most", gpu_milli=980), ((1, 1),))
    chosen = [For(exact=exact, classes=classes).place(wanted, state, view_of(state)) for exact in (False, True)]
    assert [node_of(place) for place in chosen] == [0, 1]


def test_a_gang_takes_whole_nodes() -> None:
    place = put(Fgd(), job(gpus=6), "#...", "....", "....")
    assert place is not None
    assert place.nodes == ((1, 4), (2, 2))


# the workload ----------------------------------------------------------------------------------------------------


def test_typical_classes_are_the_most_common() -> None:
    seen = [HALF] * 6 + [WHOLE] * 3 + [job(gpus=8)]
    assert typical_of(seen, 0.9) == ((Demand.of(HALF), 6), (Demand.of(WHOLE), 3))
    assert len(typical_of(seen, 0.91)) == 3
    assert typical_of([], 0.9) == ()


def test_classes_differ_by_what_is_wanted_only() -> None:
    assert Demand.of(job("a", user="ann", submit_s=3.0)) == Demand.of(job("b", duration_s=7.0))
    assert Demand.of(job(partition="east")) != Demand.of(job())
    wanted = job(gpus=2, cpu_milli=3, memory_mib=4, gpu_memory_mib=5, gpu_kind=("small",), partition="east")
    assert Demand.of(Demand.of(wanted).request()) == Demand.of(wanted)


def test_the_workload_in_sight_is_what_runs_and_what_is_next() -> None:
    state, sight = state_of("."), JobsInSight()
    view = view_of(state, running=[job("a"), job("b"), job("c", gpu_milli=500)])
    pool = view.pools[0]
    for number in range(QUEUE_HEAD + 5):
        pool.queue.add((number, number, JobRun(job(f"q{number}", gpus=2 if number < QUEUE_HEAD else 8), number)))
    assert dict(sight.typical(view, 1.0)) == {
        Demand.of(job(gpus=2)): 97, Demand.of(WHOLE): 2, Demand.of(HALF): 1
    }  # fmt: skip
    pool.queue.clear()
    del pool.running["a"]
    assert sight.typical(view, 1.0) == JobsInSight().typical(view, 1.0)
    assert dict(sight.typical(view, 1.0)) == {Demand.of(WHOLE): 50, Demand.of(HALF): 50}


def test_nothing_rare_becomes_nothing_at_all() -> None:
    assert [count for _, count in in_percent(((Demand.of(HALF), 999), (Demand.of(WHOLE), 1)))] == [100, 1]


# the definition, written out -------------------------------------------------------------------------------------


def fragmentation_of(state: ClusterState, classes: Typical, node: int) -> int:
    """F of a node times the number of jobs in the workload, word for word."""
    room = list(room_on_gpus(state, node).values())
    total = 0
    for demand, count in classes:
        wanted = demand.request()
        gang = not single_node_job(wanted, state)
        gpus = min(wanted.num_gpus, state.capacity[node]) if gang else wanted.num_gpus
        cpu, memory = host_share(wanted, gpus) if gpus else (0, 0)
        usable = [left for left in room if left >= wanted.gpu_milli]
        runs = (
            gpus > 0
            and state.eligible(wanted).nodes >> node & 1
            and len(usable) >= gpus
            and state.free_cpu_milli[node] >= cpu
            and state.free_memory_mib[node] >= memory
        )
        total += count * (sum(room) - sum(usable) if runs else sum(room))
    return total


def increase_of(state: ClusterState, classes: Typical, wanted: JobRequest, node: int, gpu: int | None) -> int:
    """By how much F of a node increases with the job there."""
    before = fragmentation_of(state, classes, node)
    with state.what_if():
        state.allocate(wanted, ((node, wanted.num_gpus),), None if gpu is None else (1 << gpu,))
        return fragmentation_of(state, classes, node) - before


def options_of(state: ClusterState, wanted: JobRequest, any_gpu: bool) -> Sequence[tuple[int, int | None]]:
    """All nodes and GPUs that could be chosen."""
    nodes = [n for n in range(len(state.capacity)) if state.shortage(wanted, ((n, wanted.num_gpus),)) is None]
    if wanted.gpu_milli == WHOLE_GPU_MILLI or not any_gpu:
        return [(node, None) for node in nodes]
    return [(n, gpu) for n in nodes for gpu, left in room_on_gpus(state, n).items() if left >= wanted.gpu_milli]


@given(clusters, jobs, jobs, st.booleans())
def test_against_the_definition(on: Cluster, made: tuple[Job, ...], others: tuple[Job, ...], any_gpu: bool) -> None:
    state = ClusterState(on)
    classes = workload(*(other for other in others if other.partition in {None, *on.partitions}))
    weight = max(1, sum(count for _, count in classes))
    policy, view = For(exact=True, classes=classes), view_of(state, "policy" if any_gpu else "kubelet")
    for wanted in made:
        total = sum(fragmentation_of(state, classes, node) for node in range(len(state.capacity)))
        assert math.isclose(fragmented_gpus(state, classes), total / weight / WHOLE_GPU_MILLI)
        if not single_node_job(wanted, state) or not classes:
            continue
        options = options_of(state, wanted, any_gpu)
        least = min((increase_of(state, classes, wanted, *option) for option in options), default=None)
        place = policy.place(wanted, state, view)
        assert (place is None) == (least is None)
        if place is not None:
            gpu = place.gpus[0].bit_length() - 1 if place.gpus else None
            assert increase_of(state, classes, wanted, place.nodes[0][0], gpu) == least
            state.allocate(wanted, place.nodes, place.gpus)


@given(clusters, jobs, st.sampled_from(["kubelet", "policy"]), st.booleans())
def test_places_well(on: Cluster, made: tuple[Job, ...], gpu_choice: str, exact: bool) -> None:
    assert_places_well(Fgd(exact=exact), on, made, gpu_choice)


def test_steps_are_scores() -> None:
    """Thresholds of whole numbers and the authors' formula, a sigmoid in floating point, order nodes alike."""
    state = state_of(*["."] * 3)
    classes = workload(WHOLE)
    gradient = fragmentation(state).gradient(classes, state)
    increases = range(-5_003, 5_000, 7)
    scores = [int(100 / (1 + math.exp(increase / 1000))) for increase in increases]
    assert gradient.steps_down(np.array(increases)).tolist() == [99 - score for score in scores]
    assert steepest(WHOLE, feasible_nodes(WHOLE, state), classes, state, any_gpu=False, exact=False) == (0, 0)
