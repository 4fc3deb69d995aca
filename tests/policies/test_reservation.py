"""When and where a blocked job will start, and what it leaves to others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.cluster.state import ClusterState, NodeCounts
from goodwatt.policies.best_fit import BestFit
from goodwatt.policies.reservation import Reservation
from goodwatt.simulator.view import View
from tests.scenario import Nodes, cluster, job, simulate
from tests.state_content import content

FIT = BestFit()
Running = tuple[Job, NodeCounts, float]


class Moment:
    """A state in which jobs run, and the reservation that a job gets there."""

    def __init__(self, state: ClusterState, view: View, head: Job, running: tuple[Running, ...]) -> None:
        self.state, self.view = state, view
        self.reservation = Reservation(head, [(end_s, spec) for spec, _, end_s in running], state, view, FIT)

    def beside(self, spec: Job) -> NodeCounts | None:
        """Where a job that goes on past the reservation may start; it then runs."""
        before = content(self.state)
        place = self.reservation.place(spec, self.state, self.view, FIT)
        assert content(self.state) == before
        if place is None:
            return None
        self.state.allocate(spec, place.nodes, place.gpus)
        return place.nodes


@contextmanager
def moment(on: Cluster, head: Job, *running: Running) -> Iterator[Moment]:
    view = simulate([], on).view
    with view.what_if() as state:
        for spec, nodes, _ in running:
            state.allocate(spec, nodes)
        before = content(state)
        made = Moment(state, view, head, running)
        assert content(state) == before
        yield made


def test_the_first_end_that_makes_room_counts() -> None:
    a, b, c = (job(name, gpus=gpus) for name, gpus in [("a", 4), ("b", 2), ("c", 2)])
    running: tuple[Running, ...] = ((a, ((0, 4),), 300.0), (b, ((0, 2),), 100.0), (c, ((0, 2),), 200.0))
    for gpus, start_s in [(1, 100.0), (2, 100.0), (3, 200.0), (4, 200.0), (5, 300.0), (8, 300.0)]:
        with moment(cluster(Nodes(1)), job("head", gpus=gpus), *running) as made:
            assert made.reservation.start_s == start_s


def test_never_if_all_ends_make_no_room() -> None:
    with moment(cluster(Nodes(1)), job("head", gpus=9), (job("a", gpus=8), ((0, 8),), 100.0)) as made:
        assert made.reservation.start_s == math.inf


def test_fragments_do_not_add_up() -> None:
    a, b = job("a", gpus=4), job("b", gpus=4)
    on = cluster(Nodes(2))
    with moment(on, job("head", gpus=8), (a, ((0, 4),), 100.0), (b, ((1, 4),), 300.0)) as made:
        assert made.reservation.start_s == 100.0
        assert made.beside(job("x", gpus=1)) == ((1, 1),)
        assert made.beside(job("y", gpus=4)) is None
        assert made.beside(job("z", gpus=3)) == ((1, 3),)


def test_what_the_head_leaves_of_its_node_may_go() -> None:
    a, b = job("a", gpus=5), job("b", gpus=1)
    with moment(cluster(Nodes(1)), job("head", gpus=6), (a, ((0, 5),), 100.0), (b, ((0, 1),), 900.0)) as made:
        assert made.reservation.start_s == 100.0
        assert made.beside(job("wide", gpus=2)) is None
        assert made.beside(job("x", gpus=1)) == ((0, 1),)
        assert made.beside(job("y", gpus=1)) is None


def test_a_gang_keeps_all_its_nodes() -> None:
    a = job("a", gpus=8)
    with moment(cluster(Nodes(3)), job("head", gpus=16), (a, ((0, 8),), 100.0), (job("b"), ((1, 1),), 50.0)) as made:
        assert made.reservation.start_s == 50.0
        assert made.beside(job("x", gpus=1)) is None
    with moment(cluster(Nodes(3)), job("head", gpus=12), (a, ((0, 8),), 100.0), (job("b"), ((1, 1),), 90.0)) as made:
        assert made.reservation.start_s == 90.0


@pytest.mark.parametrize(
    ("wants", "fits"),
    [
        ({"cpu_milli": 4000}, True),
        ({"cpu_milli": 4001}, False),
        ({"memory_mib": 30}, True),
        ({"memory_mib": 31}, False),
    ],
)
def test_cpu_and_memory_are_kept_too(wants: dict[str, int], fits: bool) -> None:
    on = cluster(Nodes(1, cpu_milli=16_000, memory_mib=100))
    a = job("a", gpus=4, cpu_milli=8000, memory_mib=50)
    head = job("head", gpus=6, cpu_milli=12_000, memory_mib=70)
    with moment(on, head, (a, ((0, 4),), 100.0)) as made:
        assert made.reservation.start_s == 100.0
        assert (made.beside(job("x", gpus=1, **wants)) is not None) == fits
        assert made.beside(job("y", gpus=1, **wants)) is None


def test_cpu_only_jobs_run_beside_as_far_as_cpu_goes() -> None:
    on = cluster(Nodes(1, cpu_milli=16_000))
    with moment(on, job("head", gpus=8, cpu_milli=8000), (job("a", gpus=4), ((0, 4),), 100.0)) as made:
        assert made.beside(job("x", gpus=0, cpu_milli=8001)) is None
        assert made.beside(job("y", gpus=0, cpu_milli=8000)) == ((0, 0),)
        assert made.beside(job("z", gpus=0, cpu_milli=1)) is None


def test_a_share_does_not_keep_a_gpu_started_that_the_head_wants_whole() -> None:
    started = job("s", gpu_milli=300)
    running: tuple[Running, ...] = ((job("a"), ((0, 1),), 100.0), (started, ((0, 1),), 100.0))
    with moment(cluster(Nodes(1, gpus=2)), job("head", gpus=2), *running) as made:
        assert made.reservation.start_s == 100.0
        assert made.beside(job("x", gpu_milli=300)) is None
        assert made.beside(job("y", gpu_milli=700)) is None


def test_a_share_takes_a_spare_gpu_once() -> None:
    running: tuple[Running, ...] = ((job("a", gpus=3), ((0, 3),), 100.0),)
    with moment(cluster(Nodes(1, gpus=4)), job("head", gpus=3), *running) as made:
        assert made.beside(job("x", gpu_milli=300)) == ((0, 1),)
        assert made.beside(job("y")) is None


def test_a_head_that_is_a_share_itself() -> None:
    running: tuple[Running, ...] = (
        (job("a", gpu_milli=600), ((0, 1),), 100.0),
        (job("b", gpu_milli=400), ((0, 1),), 300.0),
        (job("c"), ((0, 1),), 400.0),
    )
    with moment(cluster(Nodes(1, gpus=2)), job("head", gpu_milli=500), *running) as made:
        assert made.reservation.start_s == 100.0
        assert made.beside(job("x", gpu_milli=100)) is None
