"""Everything that a ClusterState holds, to compare two of them field by field, and one built from nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goodwatt.cluster.bitset import LevelIndex
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.mig import Instance, create, profile
from goodwatt.cluster.mig_state import SlicedGpu, share_milli
from goodwatt.cluster.nvlink import CliqueIndex
from goodwatt.cluster.slice_index import SliceIndex
from goodwatt.cluster.state import ClusterState, host_share

FACTS = {"cluster", "eligible"}
"""Shared between copies and never changed."""


def content(state: ClusterState) -> dict[str, Any]:
    """Every field, indexes included, as plain data."""
    return {name: _plain(value) for name, value in vars(state).items() if name not in FACTS}


def _plain(value: Any) -> Any:
    if isinstance(value, SliceIndex):
        room = {name: nodes for name, nodes in value.room.items() if nodes}
        return {"of_node": value.of_node[:], "room": room, "creates": value.creates}
    if isinstance(value, LevelIndex | CliqueIndex):
        return {name: _plain(getattr(value, name)) for name in type(value).__slots__}
    return value[:] if isinstance(value, list) else dict(value) if isinstance(value, dict) else value


def rebuilt(state: ClusterState, jobs: Mapping[str, JobRequest]) -> ClusterState:
    """A fresh state in which the same nodes are up and the same jobs hold the same GPUs.

    `allocate` refuses what is in use, so a state that over-commits anything cannot be rebuilt. Where a MIG instance
    stands depends on what was there before, so instances are taken over: `by_hand` looks at them.
    """
    fresh = ClusterState(state.cluster)
    fresh.slices.settle(state.slices.creates)
    for node, sliced in enumerate(state.slices.of_node):
        for old in fresh.slices.of_node[node]:
            fresh.set_slices(node, old.gpu, None)
        for new in sliced:
            fresh.set_slices(node, new.gpu, new)
    for node in range(len(state.capacity)):
        if state.lost_mask[node]:
            fresh.set_lost(node, state.lost_mask[node], True)
        if not state.up >> node & 1:
            fresh.set_up(node, False)
    for job_id, placement in state.placements.items():
        nodes = tuple((node, mask.bit_count()) for node, mask in placement)
        if jobs[job_id].mig_profile is not None:
            fresh.take_back(jobs[job_id], placement)
            continue
        fresh.allocate(jobs[job_id], nodes, tuple(mask for _, mask in placement))
    return fresh


def assert_sound(state: ClusterState, jobs: Mapping[str, JobRequest]) -> None:
    """Nothing is over-committed, and every index says what the placements say."""
    by_hand(state, jobs)
    assert content(rebuilt(state, jobs)) == content(state)


def by_hand(state: ClusterState, jobs: Mapping[str, JobRequest]) -> None:
    """Counts what is in use without any of the state's own code."""
    for node, facts in enumerate(state.cluster.nodes):
        whole, shares, cpu, memory = 0, dict[int, int](), 0, 0
        in_slices = set[tuple[int, str]]()
        for job_id, placement in state.placements.items():
            for mask in (mask for where, mask in placement if where == node):
                spec = jobs[job_id]
                assert state.up >> node & 1, f"{job_id} is on node {node}, which is down"
                assert 0 <= mask < 1 << facts.gpus
                if spec.mig_profile is not None:
                    in_slices.add((mask.bit_length() - 1, job_id))
                elif spec.gpu_milli == WHOLE_GPU_MILLI:
                    assert not whole & mask, f"a GPU of node {node} is given twice"
                    whole |= mask
                else:
                    assert mask.bit_count() == 1
                    gpu = mask.bit_length() - 1
                    shares[gpu] = shares.get(gpu, 0) + spec.gpu_milli
                cpu += host_share(spec, mask.bit_count())[0]
                memory += host_share(spec, mask.bit_count())[1]
        assert all(used <= WHOLE_GPU_MILLI and not whole >> gpu & 1 for gpu, used in shares.items())
        assert facts.cpu_milli is None or cpu <= facts.cpu_milli
        assert facts.memory_mib is None or memory <= facts.memory_mib
        sliced = state.slices.of_node[node]
        instances = [(one.gpu, slot) for one in sliced for slot in one.slots]
        assert {(gpu, slot.holder) for gpu, slot in instances if slot.holder} == in_slices
        assert len(in_slices) == sum(bool(slot.holder) for _, slot in instances)
        assert all(slot.profile == jobs[slot.holder].mig_profile for _, slot in instances if slot.holder)
        for one in sliced:
            legal(state, node, one)
        started = sum(1 << gpu for gpu in shares) | sum(1 << one.gpu for one in sliced)
        assert not started & whole
        lost = state.lost_mask[node]
        assert not lost & (whole | started), f"a GPU of node {node} is broken and in use"
        assert state.free_mask[node] == ((1 << facts.gpus) - 1) & ~whole & ~started & ~lost
        assert state.shares[node] == tuple(sorted(shares.items()))


def legal(state: ClusterState, node: int, one: SlicedGpu) -> None:
    """Instances stand where the hardware lets them, one after the other in some order: by start will do."""
    kind = state.cluster.kinds[state.cluster.nodes[node].gpu_kind]
    existing: tuple[Instance, ...] = ()
    for slot in one.slots:
        existing = create(profile(kind, slot.profile), existing, slot.start)
    assert sum(share_milli(slot.profile) for slot in one.slots) <= WHOLE_GPU_MILLI
    assert one.slots == tuple(sorted(one.slots, key=lambda slot: slot.start))
