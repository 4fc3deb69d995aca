"""Most allocated: scores in whole percents, weighed over CPU, memory and GPU as kube-scheduler does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.policies.most_allocated import MostAllocated
from tests.made_runs import clusters, jobs
from tests.policies.placing import Drawn, assert_places_well, drawn, node_of, put
from tests.scenario import job

HOST = {"cpu_milli": 10_000, "memory_mib": 1_000}
BUSY_CPU = drawn("....", cpu=5_000, **HOST)
BUSY_GPUS = drawn("##..", **HOST)
WANTED = job(gpus=1, cpu_milli=1_000, memory_mib=100)

# Why (percents of CPU, memory and GPUs with the job on it), weights, nodes, the node that the job gets.
SCORES: list[tuple[str, MostAllocated, list[Drawn], int]] = [
    ("60, 10, 25 make 29; 10, 10, 75 make 49", MostAllocated(), [BUSY_CPU, BUSY_GPUS], 1),
    ("without GPUs 35 and 10", MostAllocated(gpu=0), [BUSY_CPU, BUSY_GPUS], 0),
    ("CPU alone 60 and 10", MostAllocated(cpu=1, memory=0, gpu=0), [BUSY_GPUS, BUSY_CPU], 1),
    ("all weights 0: the lowest node", MostAllocated(0, 0, 0), [BUSY_CPU, BUSY_GPUS], 0),
    ("no limit of CPU and memory: GPUs alone, 75 against 49", MostAllocated(), [BUSY_GPUS, drawn("##..")], 1),
]


@pytest.mark.parametrize(("why", "policy", "nodes", "node"), SCORES, ids=[row[0] for row in SCORES])
def test_scores(why: str, policy: MostAllocated, nodes: list[Drawn], node: int) -> None:
    assert node_of(put(policy, WANTED, *nodes)) == node, why


def test_percents_are_whole() -> None:
    nodes = drawn("##..", **HOST), drawn("##..", cpu=40, **HOST)
    assert node_of(put(MostAllocated(), WANTED, *nodes)) == 0, "10 and 10.4 percent of the CPU are both 10"
    nodes = drawn("##..", **HOST), drawn("##..", cpu=500, **HOST)
    assert node_of(put(MostAllocated(), WANTED, *nodes)) == 1, "10 and 15 percent make 49 and 50"


def test_a_job_without_gpus_does_not_look_at_gpus() -> None:
    assert node_of(put(MostAllocated(), job(gpus=0, cpu_milli=1_000), BUSY_GPUS, BUSY_CPU)) == 1


def test_shares_count_by_thousandths() -> None:
    assert node_of(put(MostAllocated(), job(gpu_milli=300), "#...", "55..", "#4..")) == 2


def test_a_gang_takes_whole_nodes() -> None:
    place = put(MostAllocated(), job(gpus=6), "#...", "....", "....")
    assert place is not None
    assert place.nodes == ((1, 4), (2, 2))


@given(clusters, jobs, st.sampled_from(["kubelet", "policy"]))
def test_places_well(on: Cluster, made: tuple[Job, ...], gpu_choice: str) -> None:
    assert_places_well(MostAllocated(), on, made, gpu_choice)
