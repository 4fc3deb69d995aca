"""Placements on nodes drawn as pictures, and what holds for every placement.

A picture has one character per GPU of a node: "." is free, "#" in use, a digit in use by so many tenths.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from goodwatt.cluster.bitset import bitset
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.gang import gang_nodes
from goodwatt.cluster.job import Job, JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.order import Placement
from goodwatt.policies.placement import single_node_job
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import NoMemory
from goodwatt.simulator.settings.engine import EngineSettings
from goodwatt.simulator.view import Pool, View
from tests.scenario import Nodes, cluster, job


@dataclass(frozen=True)
class Drawn:
    """A node by its picture; `facts` are others of its facts, `cpu` and `memory` what is in use of them."""

    picture: str
    facts: dict[str, Any] = field(default_factory=dict)
    cpu: int = 0
    memory: int = 0


def drawn(picture: str, cpu: int = 0, memory: int = 0, **facts: Any) -> Drawn:
    """A node by its picture."""
    return Drawn(picture, facts, cpu, memory)


def state_of(*nodes: Drawn | str) -> ClusterState:
    """The state that the pictures show."""
    pictures = [node if isinstance(node, Drawn) else Drawn(node) for node in nodes]
    state = ClusterState(cluster(*(Nodes(1, gpus=len(node.picture), **node.facts) for node in pictures)))
    for index, node in enumerate(pictures):
        _fill(state, index, node)
    return state


def _fill(state: ClusterState, index: int, node: Drawn) -> None:
    whole = bitset(gpu for gpu, use in enumerate(node.picture) if use == "#")
    used = job(f"on {index}", whole.bit_count(), cpu_milli=node.cpu, memory_mib=node.memory)
    state.allocate(used, ((index, used.num_gpus),), (whole,) if whole else None)
    for gpu, use in enumerate(node.picture):
        if use.isdigit():
            share = job(f"on {index}, {gpu}", gpu_milli=100 * int(use))
            state.allocate(share, ((index, 1),), (1 << gpu,))


def view_of(state: ClusterState, gpu_choice: str = "policy", seed: int = 0, running: Sequence[JobRequest] = ()) -> View:
    """The moment of a decision, with nothing but these jobs in sight."""
    pool = Pool(None, sum(state.capacity))
    for number, one in enumerate(running):
        assert isinstance(one, Job)
        pool.running[one.job_id] = JobRun(one, number)
    settings = EngineSettings(gpu_choice=gpu_choice)
    return View(state, [pool], settings, NoMemory(), random.Random(seed), None, False)


def put(placement: Placement, wanted: JobRequest, *nodes: Drawn | str, gpu_choice: str = "policy") -> Place | None:
    """Where the placement puts a job."""
    state = state_of(*nodes)
    return placement.place(wanted, state, view_of(state, gpu_choice))


def node_of(place: Place | None) -> int | None:
    """The only node of a placement."""
    if place is None:
        return None
    assert len(place.nodes) == 1
    return place.nodes[0][0]


def gpu_of(place: Place | None) -> tuple[int, int] | None:
    """The node and the GPU that a share was given."""
    if place is None:
        return None
    assert place.gpus is not None
    return place.nodes[0][0], place.gpus[0].bit_length() - 1


def assert_places_well(placement: Placement, on: Cluster, jobs: Sequence[Job], gpu_choice: str) -> None:
    """Whatever it returns can be done; a job that fits is placed; the same moment gives the same answer."""
    state = ClusterState(on)
    view = view_of(state, gpu_choice)
    running = view.pools[0].running
    for number, wanted in enumerate(jobs):
        if number % 4 == 3 and running:
            state.release(running.pop(next(iter(running))).spec)
        twin = view_of(state.copy(), gpu_choice)
        twin.pools = view.pools
        twin.random.setstate(view.random.getstate())
        place = placement.place(wanted, state, view)
        assert placement.place(wanted, twin.state, twin) == place, "the same moment, another answer"
        assert (place is not None) == fits(wanted, state)
        if place is not None:
            assert place.gpus is None or gpu_choice == "policy"
            assert state.shortage(wanted, place.nodes, place.gpus) is None
            state.allocate(wanted, place.nodes, place.gpus)
            running[wanted.job_id] = JobRun(wanted, number)


def fits(wanted: JobRequest, state: ClusterState) -> bool:
    """Whether the job has a place: on a node that can take it, or as a gang."""
    if not single_node_job(wanted, state):
        return gang_nodes(wanted, state) is not None
    return any(state.shortage(wanted, ((node, wanted.num_gpus),)) is None for node in range(len(state.capacity)))
