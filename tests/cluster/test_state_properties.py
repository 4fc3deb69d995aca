"""Whatever is taken, given back and undone: nothing is over-committed, indexes stay right, rollback restores all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.bitset import members
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.cluster.mig import profiles
from goodwatt.cluster.mig_state import SlicedGpu, repartition, sliced_request
from goodwatt.cluster.state import ClusterState, DoesNotFitError
from goodwatt.errors import RunError
from tests.scenario import Nodes, cluster, job
from tests.state_content import assert_sound, content

clusters = st.lists(
    st.builds(
        Nodes,
        count=st.integers(1, 2),
        gpus=st.integers(0, 8),
        kind=st.sampled_from(["small", "large", "H200"]),
        partition=st.sampled_from([None, "east", "west"]),
        cpu_milli=st.sampled_from([None, 0, 999, 16_000]),
        memory_mib=st.sampled_from([None, 0, 31, 64_000]),
        domain=st.sampled_from([0, 1, 2, 4]),
        clique=st.sampled_from([None, "x", "y"]),
        mig=st.sampled_from([(), (), ("3g.71gb", "4g.71gb"), ("1g.18gb",) * 7]),
    ),
    min_size=1,
    max_size=4,
).map(lambda groups: cluster(*(group if group.kind == "H200" else replace(group, mig=()) for group in groups)))

requests = st.builds(
    job,
    gpus=st.integers(0, 12),
    cpu_milli=st.sampled_from([0, 1, 500, 4000]),
    memory_mib=st.sampled_from([0, 1, 32, 2000]),
    gpu_kind=st.sampled_from([(), ("small",), ("large", "small")]),
    partition=st.sampled_from([None, "east", "west"]),
)
shares = st.builds(
    job, gpu_milli=st.integers(1, 999), cpu_milli=st.sampled_from([0, 500]), memory_mib=st.sampled_from([0, 32])
)
slices = st.builds(
    lambda profile, **others: sliced_request(job(**others), profile),
    st.sampled_from(["1g.18gb", "1g.35gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb", "9g.9gb"]),
    cpu_milli=st.sampled_from([0, 500]),
)

Step = Callable[[ClusterState, dict[str, Job]], None]


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """One attempt to change a state: most take something, in a sensible or an arbitrary way."""
    wish = draw(st.one_of(requests, shares, slices))
    kind = draw(st.sampled_from(["fit", "fit", "anywhere", "release", "node", "partition"]))
    pick, up = draw(st.integers(0, 1 << 30)), draw(st.booleans())
    masks = draw(st.one_of(st.none(), st.lists(st.integers(-3, 300), max_size=2).map(tuple)))
    nodes = draw(st.lists(st.tuples(st.integers(-1, 8), st.integers(-1, 9)), max_size=3).map(tuple))

    def step(state: ClusterState, placed: dict[str, Job]) -> None:
        new = replace(wish, job_id=f"job {len(placed)} {pick}")
        if kind == "fit":
            fitting = [node for _, found in state.single_node(new) for node in members(found)]
            if fitting:
                state.allocate(new, ((fitting[pick % len(fitting)], new.num_gpus),))
                placed[new.job_id] = new
        elif kind == "anywhere":
            try:
                state.allocate(new, nodes, masks)
            except DoesNotFitError:
                return
            placed[new.job_id] = new
        elif kind == "release" and state.placements:
            state.release(placed[sorted(state.placements)[pick % len(state.placements)]])
        elif kind == "partition":
            partition(state, pick)
        elif kind == "node":
            node = pick % len(state.capacity)
            if all(where != node for placement in state.placements.values() for where, _ in placement):
                with suppress(RunError):  # a checkpoint is open
                    state.set_up(node, up)

    return step


LAYOUTS: tuple[tuple[str, ...], ...] = (
    (),
    ("7g.141gb",),
    ("3g.71gb", "3g.71gb"),
    ("1g.18gb", "2g.35gb", "4g.71gb"),
    ("1g.18gb", "1g.18gb"),
)


def partition(state: ClusterState, pick: int) -> None:
    """Cut a GPU otherwise, or make it whole again, if the hardware allows."""
    node = pick % len(state.capacity)
    facts = state.cluster.nodes[node]
    kind, names = state.cluster.kinds[facts.gpu_kind], LAYOUTS[pick // 7 % len(LAYOUTS)]
    if not facts.gpus or not profiles(kind) or not state.up >> node & 1:
        return
    gpu = pick // 64 % facts.gpus
    there = state.slices.gpu(node, gpu)
    if there is None and not state.free_mask[node] >> gpu & 1:
        return
    with suppress(RunError):
        slots = repartition(kind, there.slots if there else (), names).slots
        state.set_slices(node, gpu, SlicedGpu(gpu, bool(pick & 1 << 20), slots) if names else None)


many_steps = st.lists(steps(), max_size=15)


@given(clusters, many_steps)
def test_nothing_is_over_committed_and_indexes_stay_right(of: Cluster, changes: list[Step]) -> None:
    state, placed = ClusterState(of), dict[str, Job]()
    for change in changes:
        change(state, placed)
        assert_sound(state, placed)


@given(clusters, many_steps, many_steps, many_steps)
def test_rollback_restores_every_field(of: Cluster, before: list[Step], outer: list[Step], inner: list[Step]) -> None:
    state, placed = ClusterState(of), dict[str, Job]()
    for change in before:
        change(state, placed)
    start = content(state)
    with state.what_if():
        tried = dict(placed)
        for change in outer:
            change(state, tried)
        assert_sound_inside(state, tried)
        between = {**content(state), "_log": None}
        with suppress(KeyError), state.what_if():
            for change in inner:
                change(state, tried)
            raise KeyError
        assert {**content(state), "_log": None} == between
    assert content(state) == start


def assert_sound_inside(state: ClusterState, jobs: dict[str, Job]) -> None:
    """As `assert_sound`, of a copy: a copy is never in the middle of a what-if."""
    assert_sound(state.copy(), jobs)


@given(clusters, many_steps, st.one_of(requests, shares, slices), st.booleans())
def test_single_node_finds_exactly_the_nodes_that_can_hold_the_job(
    of: Cluster, changes: list[Step], wish: Job, creates: bool
) -> None:
    state, placed = ClusterState(of), dict[str, Job]()
    state.slices.settle(creates)
    for change in changes:
        change(state, placed)
    new = replace(wish, job_id="new")
    found = [node for _, nodes in state.single_node(new) for node in members(nodes)]
    fits = [n for n in range(len(state.capacity)) if state.shortage(new, ((n, new.num_gpus),)) is None]
    assert sorted(found) == fits
