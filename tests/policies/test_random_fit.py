"""Random fit: every node that fits has the same chance, and a seed repeats the choice."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.bitset import bitset
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.policies.random_fit import RandomFit, nth
from tests.made_runs import clusters, jobs
from tests.policies.placing import assert_places_well, gpu_of, node_of, put, state_of, view_of
from tests.scenario import job

DRAWS = 4000


def test_nodes_have_the_same_chance() -> None:
    state = state_of("##..", "....", "###.", "#...", "####")
    view = view_of(state)
    counts = Counter(node_of(RandomFit().place(job(gpus=2), state, view)) for _ in range(DRAWS))
    assert counts.keys() == {0, 1, 3}
    assert all(abs(count - DRAWS / 3) < 0.1 * DRAWS / 3 for count in counts.values())


def test_gpus_with_room_have_the_same_chance() -> None:
    state = state_of("#5.8", "9#99")
    view = view_of(state)
    counts = Counter(gpu_of(RandomFit().place(job(gpu_milli=400), state, view)) for _ in range(DRAWS))
    assert counts.keys() == {(0, 1), (0, 2)}
    assert all(abs(count - DRAWS / 2) < 0.1 * DRAWS / 2 for count in counts.values())


def test_a_seed_repeats_the_choices() -> None:
    state = state_of(*["...."] * 9)
    first, again, other = (
        [node_of(RandomFit().place(job(), state, view)) for _ in range(20)]
        for view in (view_of(state), view_of(state), view_of(state, seed=1))
    )
    assert first == again != other


def test_nothing_is_drawn_for_a_job_that_does_not_fit() -> None:
    state = state_of("##")
    view = view_of(state)
    before = view.random.getstate()
    assert RandomFit().place(job(), state, view) is None
    assert view.random.getstate() == before


def test_a_gang_takes_whole_nodes() -> None:
    place = put(RandomFit(), job(gpus=6), "#...", "....", "....")
    assert place is not None
    assert place.nodes == ((1, 4), (2, 2))


@given(st.sets(st.integers(0, 300), min_size=1))
def test_nth(members: set[int]) -> None:
    assert [nth(bitset(members), position) for position in range(len(members))] == sorted(members)


@given(clusters, jobs, st.sampled_from(["kubelet", "policy"]))
def test_places_well(on: Cluster, made: tuple[Job, ...], gpu_choice: str) -> None:
    assert_places_well(RandomFit(), on, made, gpu_choice)
